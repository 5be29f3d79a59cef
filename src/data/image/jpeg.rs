//! The segments of a JPEG as libjpeg walks them: whether the file reaches its end, what it says
//! about its picture, and a plain copy for the decoder.
//!
//! Decoders disagree on what may stand between segments. libjpeg passes over anything up to the
//! next marker: fill bytes, zeros of an editor's padding, what a wrong length left behind; the
//! decoder in use here stumbles over some of it, and over comments and application data whose form
//! it does not like. So it gets the segments that decoding needs and nothing else.
//!
//! Tolerant decoders also paint the missing half of a truncated file grey and report success. A
//! data set must not hold such images, so a file without its end is an error. Source: ITU-T T.81,
//! annex B: a file is a chain of segments, entropy-coded data follows each start of scan, and the
//! last marker is the end of the image; `jdmarker.c` and `jdapimin.c` of libjpeg for the rest.

use super::orientation::Metadata;
use std::borrow::Cow;
use std::fmt;

const STUFFED_ZERO: u8 = 0x00;
const TEMPORARY: u8 = 0x01;
const PROGRESSIVE_FRAME: u8 = 0xC2;
const ARITHMETIC_CONDITIONING: u8 = 0xCC;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;
const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const NUMBER_OF_LINES: u8 = 0xDC;
const APPLICATION_0: u8 = 0xE0;
const APPLICATION_1: u8 = 0xE1;
const APPLICATION_14: u8 = 0xEE;
const APPLICATION_15: u8 = 0xEF;
const COMMENT: u8 = 0xFE;

/// How a JPEG stops short of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    /// The bytes stop before the end-of-image marker.
    Truncated { bytes: usize },
    /// The end-of-image marker comes before any scan.
    NoScan,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomplete::Truncated { bytes } => {
                write!(formatter, "truncated: {bytes} bytes without the end-of-image marker")
            }
            Incomplete::NoScan => write!(formatter, "it holds no scan"),
        }
    }
}

/// What the walk through a JPEG found.
#[derive(Debug, Default)]
pub(super) struct Segments<'a> {
    /// The first image with only those segments that decoding needs.
    pub plain: Vec<u8>,
    /// From the segments before the first scan.
    pub metadata: Metadata<'a>,
    /// Components of the frame.
    components: u8,
    is_progressive: bool,
    is_jfif: bool,
    /// The colour transform that Adobe's segment names.
    adobe_transform: Option<u8>,
}

impl<'a> Segments<'a> {
    /// Walks the markers up to the end of the first image.
    ///
    /// Segments are skipped by their length, so thumbnails inside them do not count; bytes after
    /// the end (second pictures, padding) are not looked at. What this cannot see is a hole in the
    /// middle of a scan; the specification gives a scan no length.
    pub(super) fn walk(bytes: &'a [u8]) -> Result<Segments<'a>, Incomplete> {
        let truncated = Incomplete::Truncated { bytes: bytes.len() };
        let mut found = Segments::default();
        found.plain.reserve(bytes.len());
        found.plain.extend([0xFF, START_OF_IMAGE]);
        let (mut at, mut scans) = (2, 0);
        loop {
            let marker;
            (marker, at) = next_marker(bytes, at).ok_or(truncated)?;
            match marker {
                END_OF_IMAGE if scans == 0 => return Err(Incomplete::NoScan),
                END_OF_IMAGE => {
                    found.plain.extend([0xFF, END_OF_IMAGE]);
                    return Ok(found);
                }
                TEMPORARY | START_OF_IMAGE => continue,
                marker if RESTARTS.contains(&marker) => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).ok_or(truncated)?;
            // A length that does not even count itself is an empty segment to libjpeg.
            let end = at + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            let body = bytes.get(at + 2..end).ok_or(truncated)?;
            at = end;
            if marker == START_OF_SCAN {
                let end = end_of_scan(bytes, at).ok_or(truncated)?;
                if scans == 0 {
                    found.push_colours();
                }
                scans += 1;
                found.push(marker, body);
                let data = &bytes[at..end];
                let padded = found.is_progressive;
                found.plain.extend_from_slice(if padded { without_padding(data) } else { data });
                at = end;
            } else {
                found.take(marker, body, scans == 0);
            }
        }
    }

    /// Keeps or reads one segment that is no scan.
    fn take(&mut self, marker: u8, body: &'a [u8], is_header: bool) {
        match marker {
            APPLICATION_0 if body.starts_with(b"JFIF\0") && body.len() >= 14 => {
                self.is_jfif |= is_header;
            }
            // Frames of a film leave out the usual tables and say so here.
            APPLICATION_0 if body.starts_with(b"AVI1\0") => self.push(marker, body),
            APPLICATION_1 if is_header => self.take_metadata(body),
            APPLICATION_14 if body.starts_with(b"Adobe") && body.len() >= 12 && is_header => {
                self.adobe_transform = Some(body[11]);
            }
            APPLICATION_0..=APPLICATION_15 | COMMENT => {}
            // libjpeg skips the first; the second means nothing to Huffman codes, and a file of
            // arithmetic codes is refused for its frame.
            NUMBER_OF_LINES | ARITHMETIC_CONDITIONING => {}
            _ => {
                let is_frame = matches!(marker, 0xC0..=0xCF) && marker != 0xC4 && marker != 0xC8;
                if is_frame {
                    self.components = body.get(5).copied().unwrap_or(0);
                    self.is_progressive = marker == PROGRESSIVE_FRAME;
                }
                self.push(marker, body);
            }
        }
    }

    fn take_metadata(&mut self, body: &'a [u8]) {
        const EXIF: &[u8] = b"Exif\0\0";
        const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
        if let Some(rest) = body.strip_prefix(EXIF) {
            match &mut self.metadata.exif {
                // A block that is too long for one segment goes on in the next.
                Some(exif) => exif.to_mut().extend_from_slice(rest),
                None => self.metadata.exif = Some(Cow::Borrowed(body)),
            }
        } else if let Some(packet) = body.strip_prefix(XMP) {
            self.metadata.xmp = Some(Cow::Borrowed(packet));
        }
    }

    fn push(&mut self, marker: u8, body: &[u8]) {
        self.plain.extend([0xFF, marker]);
        self.plain.extend((body.len() as u16 + 2).to_be_bytes());
        self.plain.extend_from_slice(body);
    }

    /// Adobe's segment as `default_decompress_parms` of libjpeg understands it: JFIF means YCbCr
    /// whatever it says, and numbers that it does not define mean a luminance with differences.
    fn push_colours(&mut self) {
        let transform = match (self.components, self.adobe_transform) {
            (3, Some(_)) if self.is_jfif => 1,
            (3 | 4, Some(0)) => 0,
            (3, Some(_)) => 1,
            (4, Some(_)) => 2,
            _ => return,
        };
        let mut body = *b"Adobe\0\x64\0\0\0\0\0";
        body[11] = transform;
        self.push(APPLICATION_14, &body);
    }
}

/// The code of the first marker at or behind `from`, and the offset behind it.
fn next_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
        // Any number of fill bytes may stand before a marker's code.
        at += bytes[at..].iter().position(|byte| *byte != 0xFF)?;
        match bytes[at] {
            STUFFED_ZERO => {}
            marker => return Some((marker, at + 1)),
        }
    }
}

/// The offset of the first marker behind entropy-coded data that begins at `from`.
fn end_of_scan(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
        match *bytes.get(at + 1)? {
            STUFFED_ZERO => at += 2,
            0xFF => at += 1,
            marker if RESTARTS.contains(&marker) => at += 2,
            _ => return Some(at),
        }
    }
}

/// Entropy-coded data without the zeros behind it. The decoder reads zeros where data end, and
/// looks for the marker behind a progressive scan only as far as it has read.
fn without_padding(data: &[u8]) -> &[u8] {
    let kept = data.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let stuffed = kept > 0 && kept < data.len() && data[kept - 1] == 0xFF;
    &data[..kept + usize::from(stuffed)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<(), Incomplete> {
        Segments::walk(bytes).map(|_| ())
    }

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let mut segments = Segments::default();
        segments.push(marker, body);
        segments.plain
    }

    /// Two scans, a restart marker, a stuffed zero, and a segment that holds a whole thumbnail.
    fn whole() -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, 8, 0xFF, 0xD8, 0xFF, 0xDA, 0xFF, 0xD9];
        bytes.extend([0xFF, 0xFF, 0xDA, 0, 3, 7, 1, 0xFF, 0x00, 2, 0xFF, 0xD0, 3]);
        bytes.extend([0xFF, 0xDA, 0, 3, 7, 4, 5, 0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn every_proper_prefix_is_truncated_and_a_tail_is_ignored() {
        let mut bytes = whole();
        assert_eq!(check(&bytes), Ok(()));
        for length in 2..bytes.len() {
            let truncated = Err(Incomplete::Truncated { bytes: length });
            assert_eq!(check(&bytes[..length]), truncated, "{length} bytes");
        }
        bytes.extend([0, 0xFF, 0xD8, 0xFF]);
        assert_eq!(check(&bytes), Ok(()));
    }

    #[test]
    fn a_file_of_zeros_behind_the_header_and_one_without_scan_are_refused() {
        let mut bytes = whole();
        bytes[20..].fill(0);
        assert_eq!(check(&bytes), Err(Incomplete::Truncated { bytes: bytes.len() }));
        assert_eq!(check(&[0xFF, 0xD8, 0xFF, 0xD9]), Err(Incomplete::NoScan));
        assert_eq!(check(&[0xFF, 0xD8, 0, 0]), Err(Incomplete::Truncated { bytes: 4 }));
    }

    #[test]
    fn the_copy_holds_what_decoding_needs_and_no_junk() {
        let scan = [0xFF, 0xDA, 0, 3, 7, 4, 0xFF, 0x00, 5];
        let table = segment(0xDB, b"table");
        let mut bytes = vec![0xFF, 0xD8];
        bytes.extend(segment(COMMENT, b"x"));
        bytes.extend([10, 0, 0, 0xFF, 0x00, 9, 0xFF, 0xFF]);
        bytes.extend(&table);
        bytes.extend([0xFF, COMMENT, 0, 0]);
        bytes.extend(segment(0xED, b"Photoshop 3.0\0"));
        bytes.extend([0xFF, 0xD3]);
        bytes.extend(scan);
        bytes.extend([0xFF, 0xD9]);
        let expected = [&[0xFF, 0xD8][..], &table, &scan, &[0xFF, 0xD9]].concat();
        assert_eq!(Segments::walk(&bytes).unwrap().plain, expected);
    }

    #[test]
    fn exif_is_joined_and_the_last_xmp_counts() {
        let mut bytes = vec![0xFF, 0xD8];
        for body in ["Exif\0\0one", "Exif\0\0two"] {
            bytes.extend(segment(APPLICATION_1, body.as_bytes()));
        }
        for packet in ["three", "four"] {
            let body = ["http://ns.adobe.com/xap/1.0/\0", packet].concat();
            bytes.extend(segment(APPLICATION_1, body.as_bytes()));
        }
        bytes.extend([0xFF, 0xDA, 0, 3, 7, 4]);
        bytes.extend(segment(APPLICATION_1, b"Exif\0\0behind the pixels"));
        bytes.extend([0xFF, 0xD9]);
        let metadata = Segments::walk(&bytes).unwrap().metadata;
        assert_eq!(metadata.exif.as_deref(), Some(&b"Exif\0\0onetwo"[..]));
        assert_eq!(metadata.xmp.as_deref(), Some(&b"four"[..]));
    }
}
