//! Which way up an image is: the answer of Pillow's `ImageOps.exif_transpose`.
//!
//! The EXIF block decides if it holds the tag, whatever number type it is written in and whether
//! its value makes sense or not; else the XMP packet does. Which of several blocks counts is a
//! habit of each container ([`super::jpeg`], [`super::png`], [`super::webp`]); TIFF has both as tags of
//! its own.

use super::directory::Directory;
use image::metadata::Orientation;
use std::borrow::Cow;

/// What a container says about its picture.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    pub exif: Option<Cow<'a, [u8]>>,
    pub xmp: Option<Cow<'a, [u8]>>,
}

const ORIENTATION: u16 = 274;
const XMP: u16 = 700;

/// The orientation of a TIFF, which has both as tags of its own.
pub(super) fn of_tiff(bytes: &[u8]) -> Orientation {
    let directory = Directory::first(bytes);
    let xmp = directory.as_ref().and_then(|directory| directory.bytes(XMP));
    resolve(directory.as_ref(), xmp)
}

impl Metadata<'_> {
    pub(super) fn orientation(&self) -> Orientation {
        const MARKER: &[u8] = b"Exif\0\0";
        // The marker belongs to JPEG; writers put it into other containers, and twice.
        let block = self.exif.as_deref().map(|exif| {
            let once = exif.strip_prefix(MARKER).unwrap_or(exif);
            once.strip_prefix(MARKER).unwrap_or(once)
        });
        resolve(block.and_then(Directory::first).as_ref(), self.xmp.as_deref())
    }
}

fn resolve(exif: Option<&Directory<'_>>, xmp: Option<&[u8]>) -> Orientation {
    let value = exif
        .and_then(|directory| directory.any_number(ORIENTATION))
        .or_else(|| xmp.and_then(in_xmp))
        .filter(|value| value.fract() == 0.0);
    // A cast saturates, and only 2 to 8 turn anything.
    value.and_then(|value| Orientation::from_exif(value as u8)).unwrap_or(Orientation::NoTransforms)
}

/// The digit of the first `tiff:Orientation="6"` or `tiff:Orientation>6`.
fn in_xmp(packet: &[u8]) -> Option<f64> {
    const NAME: &[u8] = b"tiff:Orientation";
    let places = packet.windows(NAME.len()).enumerate().filter(|(_, part)| *part == NAME);
    places.map(|(at, _)| &packet[at + NAME.len()..]).find_map(|rest| match rest {
        [b'>', digit @ b'0'..=b'9', ..] | [b'=', b'"', digit @ b'0'..=b'9', ..] => {
            Some(f64::from(digit - b'0'))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_is_read_in_both_of_its_spellings_and_only_there() {
        assert_eq!(in_xmp(b"<a tiff:Orientation=\"6\" b"), Some(6.0));
        assert_eq!(in_xmp(b"<tiff:Orientation>8</tiff:Orientation>"), Some(8.0));
        assert_eq!(in_xmp(b"tiff:Orientation='3' tiff:Orientation=\"2\""), Some(2.0));
        assert_eq!(in_xmp(b"exif:Orientation=\"6\" tiff:Orientation"), None);
    }

    #[test]
    fn an_exif_tag_that_makes_no_sense_still_goes_before_xmp() {
        let exif = |value: u8| {
            let mut block = b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
            block.extend([value, 0, 0, 0, 0, 0, 0, 0]);
            Some(Cow::Owned(block))
        };
        let xmp = || Some(Cow::Borrowed(&b"tiff:Orientation=\"6\""[..]));
        let orientation = |exif, xmp| Metadata { exif, xmp }.orientation().to_exif();
        assert_eq!(orientation(exif(3), xmp()), 3);
        assert_eq!(orientation(exif(0), xmp()), 1);
        assert_eq!(orientation(exif(77), None), 1);
        assert_eq!(orientation(None, xmp()), 6);
        assert_eq!(orientation(Some(Cow::Borrowed(b"nothing")), xmp()), 6);
    }
}
