//! What the chunks of a WebP say about its picture: the first EXIF and the first XMP that its
//! extended header announces.

use super::orientation::Metadata;
use std::borrow::Cow;

/// EXIF and XMP of the file `bytes`.
pub(super) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    const EXIF_ANNOUNCED: u8 = 0x08;
    const XMP_ANNOUNCED: u8 = 0x04;
    let mut metadata = Metadata::default();
    let (mut at, mut announced) = (12, 0);
    while let Some(&[a, b, c, d, l0, l1, l2, l3]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some(body) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else { break };
        let chosen = match &[a, b, c, d] {
            b"VP8X" if at == 12 => {
                announced = body.first().copied().unwrap_or(0);
                None
            }
            b"EXIF" if announced & EXIF_ANNOUNCED != 0 => Some(&mut metadata.exif),
            b"XMP " if announced & XMP_ANNOUNCED != 0 => Some(&mut metadata.xmp),
            _ => None,
        };
        if let Some(chosen) = chosen {
            chosen.get_or_insert(Cow::Borrowed(body));
        }
        at += 8 + length + length % 2;
    }
    metadata
}
