//! Whether a JPEG reaches its end: the check that decoders leave out.
//!
//! Tolerant decoders, the one in use here among them, paint the missing half of a truncated file
//! grey and report success. A data set must not hold such images, so the markers are walked
//! first. Source: ITU-T T.81, annex B: a file is a chain of segments, entropy-coded data follows
//! each start of scan, and the last marker is the end of the image.

use std::fmt;

const STUFFED_ZERO: u8 = 0x00;
const TEMPORARY: u8 = 0x01;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;
const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// How a JPEG stops short of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    /// The bytes stop before the end-of-image marker.
    Truncated { bytes: usize },
    /// The end-of-image marker comes before any scan.
    NoScan,
    /// A segment begins with something other than a marker.
    NoMarker { offset: usize },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomplete::Truncated { bytes } => {
                write!(formatter, "truncated: {bytes} bytes without the end-of-image marker")
            }
            Incomplete::NoScan => write!(formatter, "it holds no scan"),
            Incomplete::NoMarker { offset } => {
                write!(formatter, "no marker at byte {offset}, where a segment should begin")
            }
        }
    }
}

/// Walks the markers of a JPEG up to the end of its first image.
///
/// Segments are skipped by their length, so thumbnails inside them do not count; bytes after the
/// end (second pictures, padding) are not looked at. What this cannot see is a hole in the middle
/// of a scan; the specification gives a scan no length.
pub(super) fn check(bytes: &[u8]) -> Result<(), Incomplete> {
    let truncated = Incomplete::Truncated { bytes: bytes.len() };
    let mut at = 2;
    let mut scans = 0;
    loop {
        if *bytes.get(at).ok_or(truncated)? != 0xFF {
            return Err(Incomplete::NoMarker { offset: at });
        }
        // Any number of fill bytes may stand before a marker's code.
        while *bytes.get(at).ok_or(truncated)? == 0xFF {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        match marker {
            END_OF_IMAGE if scans == 0 => return Err(Incomplete::NoScan),
            END_OF_IMAGE => return Ok(()),
            TEMPORARY | START_OF_IMAGE => {}
            marker if RESTARTS.contains(&marker) => {}
            _ => {
                let length = bytes.get(at..at + 2).ok_or(truncated)?;
                at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                if marker == START_OF_SCAN {
                    scans += 1;
                    at = end_of_scan(bytes, at).ok_or(truncated)?;
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(check(&[0xFF, 0xD8, 0, 0]), Err(Incomplete::NoMarker { offset: 2 }));
    }
}
