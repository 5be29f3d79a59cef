//! The first directory of a TIFF file or an EXIF block: its tags as Pillow reads them.
//!
//! Sources: TIFF 6.0, section 2; BigTIFF; and for what neither says (a tag that stands twice,
//! values outside the file, types that do not fit) `ImageFileDirectory_v2.load` of Pillow, whose
//! answers loaders of training data have agreed on.

/// One tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    tag: u16,
    kind: u16,
    /// All values, as many as the tag counts, never empty.
    data: &'a [u8],
    /// Where in the stream `data` begins.
    data_at: usize,
}

/// The tags of a directory whose values lie inside the stream.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    big_endian: bool,
    entries: Vec<Entry<'a>>,
}

/// Bytes of one value of each type that is known.
fn value_bytes(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 => Some(8),
        _ => None,
    }
}

impl<'a> Directory<'a> {
    /// The first directory of `stream`, which begins with the byte order. `None` if it does not.
    /// A directory that is cut gives the tags before the cut.
    pub(super) fn first(stream: &'a [u8]) -> Option<Directory<'a>> {
        let (big_endian, wide) = match stream.get(..4)? {
            b"II\x2A\0" | b"II\0\x2A" => (false, false),
            b"MM\0\x2A" | b"MM\x2A\0" => (true, false),
            b"II\x2B\0" => (false, true),
            b"MM\0\x2B" => (true, true),
            _ => return None,
        };
        let mut directory = Directory { big_endian, entries: Vec::new() };
        // Whatever is missing ends the reading.
        let _ = directory.read(stream, wide);
        Some(directory)
    }

    fn read(&mut self, stream: &'a [u8], wide: bool) -> Option<()> {
        let (pointer_bytes, count_bytes) = if wide { (8, 8) } else { (4, 2) };
        let unsigned = |from: usize, bytes: usize| {
            Some(unsigned(stream.get(from..from.checked_add(bytes)?)?, self.big_endian))
        };
        let mut at = usize::try_from(unsigned(pointer_bytes, pointer_bytes)?).ok()?;
        let count = unsigned(at, count_bytes)?;
        at += count_bytes;
        let mut outside_bytes = 0;
        for _ in 0..count {
            let (tag, kind) = (unsigned(at, 2)? as u16, unsigned(at + 2, 2)? as u16);
            let values = unsigned(at + 4, pointer_bytes)?;
            let inline_at = at + 4 + pointer_bytes;
            let pointer = unsigned(inline_at, pointer_bytes)?;
            at = inline_at + pointer_bytes;
            let Some(bytes) = value_bytes(kind) else { continue };
            if values == 0 || self.entry(tag).is_some() {
                continue;
            }
            let size = values.saturating_mul(bytes as u64);
            let mut data_at = inline_at;
            if size > pointer_bytes as u64 {
                outside_bytes = size.saturating_add(outside_bytes);
                // More values than the file has room for belong to a tag that is skipped.
                if outside_bytes > stream.len() as u64 {
                    continue;
                }
                data_at = usize::try_from(pointer).ok()?;
            }
            let data = stream.get(data_at..data_at.checked_add(size as usize)?)?;
            self.entries.push(Entry { tag, kind, data, data_at });
        }
        Some(())
    }

    pub(super) fn entry(&self, tag: u16) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    /// All values of a tag of whole numbers; none if it is missing or of another type.
    pub(super) fn numbers(&self, tag: u16) -> impl Iterator<Item = u64> + use<'a> {
        let whole = |entry: &Entry<'_>| matches!(entry.kind, 1 | 3 | 4 | 13 | 16);
        let (kind, data) =
            self.entry(tag).filter(whole).map_or((1, &[][..]), |entry| (entry.kind, entry.data));
        let big_endian = self.big_endian;
        let values = data.chunks_exact(value_bytes(kind).unwrap_or(1));
        values.map(move |value| unsigned(value, big_endian))
    }

    /// The first value of a tag of whole numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag).next()
    }

    /// The bytes of a tag of bytes or of undefined type.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.entry(tag).filter(|entry| matches!(entry.kind, 1 | 7)).map(|entry| entry.data)
    }

    /// The first value of a tag, whatever numbers it holds; 0 where it holds none or negative ones.
    pub(super) fn any_number(&self, tag: u16) -> Option<f64> {
        let entry = self.entry(tag)?;
        let part = |from, bytes| unsigned(&entry.data[from..from + bytes], self.big_endian);
        Some(match entry.kind {
            3 | 4 | 13 | 16 => part(0, value_bytes(entry.kind)?) as f64,
            6 => f64::from(part(0, 1) as i8).max(0.0),
            8 => f64::from(part(0, 2) as i16).max(0.0),
            9 => f64::from(part(0, 4) as i32).max(0.0),
            5 | 10 => part(0, 4) as f64 / part(4, 4) as f64,
            11 => f64::from(f32::from_bits(part(0, 4) as u32)),
            12 => f64::from_bits(part(0, 8)),
            _ => 0.0,
        })
    }

    /// Writes `value` over the first value of a tag in a copy of the stream.
    pub(super) fn replace(&self, stream: &mut [u8], tag: u16, value: u16) {
        let Some(entry) = self.entry(tag) else { return };
        let bytes = value_bytes(entry.kind).unwrap_or(1);
        for (index, byte) in stream[entry.data_at..entry.data_at + bytes].iter_mut().enumerate() {
            let place = if self.big_endian { bytes - 1 - index } else { index };
            *byte = value.checked_shr(8 * place as u32).unwrap_or(0) as u8;
        }
    }
}

/// A whole number of at most 8 bytes.
fn unsigned(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these entries (tag, type, count, value field), little-endian.
    fn stream(entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
        let mut bytes = b"II\x2A\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value);
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        let read = |kind, value| {
            let bytes = stream(&[(7, kind, 1, value)]);
            Directory::first(&bytes).unwrap().any_number(7)
        };
        assert_eq!(read(3, [6, 0, 9, 9]), Some(6.0));
        assert_eq!(read(4, [6, 0, 0, 0]), Some(6.0));
        assert_eq!(read(8, [0xFF, 0xFF, 0, 0]), Some(0.0));
        assert_eq!(read(11, 6f32.to_le_bytes()), Some(6.0));
        assert_eq!(read(1, [6, 0, 0, 0]), Some(0.0), "bytes are no number in Pillow");
        assert_eq!(read(99, [6, 0, 0, 0]), None);
    }

    #[test]
    fn the_first_of_two_counts_and_what_lies_outside_ends_the_reading() {
        let bytes = stream(&[(7, 3, 1, [1, 0, 0, 0]), (7, 3, 1, [2, 0, 0, 0])]);
        assert_eq!(Directory::first(&bytes).unwrap().number(7), Some(1));
        let bytes = stream(&[(5, 3, 4, [200, 0, 0, 0]), (7, 3, 1, [2, 0, 0, 0])]);
        assert_eq!(Directory::first(&bytes).unwrap().number(7), None);
        let bytes = stream(&[(5, 3, 1 << 30, [8, 0, 0, 0]), (7, 3, 1, [2, 0, 0, 0])]);
        assert_eq!(Directory::first(&bytes).unwrap().number(7), Some(2));
        for length in 0..bytes.len() {
            let _ = Directory::first(&bytes[..length]).map(|cut| cut.number(7));
        }
    }

    #[test]
    fn a_value_is_replaced_in_both_byte_orders_and_widths() {
        for (kind, value) in [(3, [5, 0, 0, 0]), (4, [5, 0, 0, 0])] {
            let mut bytes = stream(&[(7, kind, 1, value)]);
            let copy = bytes.clone();
            Directory::first(&copy).unwrap().replace(&mut bytes, 7, 258);
            assert_eq!(Directory::first(&bytes).unwrap().number(7), Some(258));
        }
        let mut bytes = b"MM\0\x2A\0\0\0\x08\0\x01\0\x07\0\x03\0\0\0\x01\0\x03\0\0".to_vec();
        let copy = bytes.clone();
        Directory::first(&copy).unwrap().replace(&mut bytes, 7, 1);
        assert_eq!(Directory::first(&bytes).unwrap().number(7), Some(1));
    }
}
