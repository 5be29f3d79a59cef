//! Texts that look the same become the same: Unicode's canonical decomposition (form NFD), so that
//! `é` is one name whether a file system split it (macOS) or not. Two texts have equal
//! decompositions exactly when they have equal compositions (NFC); the tables of composition are
//! therefore not needed.
//!
//! The table is made by `tests/golden/canonical_text/make.py` from Python's `unicodedata` and takes
//! 10 kB; the crates for normalisation bring four times that and more.
//!
//! Source: The Unicode Standard, sections 3.11 (normalisation forms) and 3.12 (Hangul syllables).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

static PACKED: &[u8] = include_bytes!("canonical_text.bin");

const HANGUL: std::ops::Range<u32> = 0xAC00..0xD7A4;
const HANGUL_VOWELS: u32 = 21;
/// Final consonants and none.
const HANGUL_FINALS: u32 = 28;

/// The canonical decomposition of `text`.
pub fn canonical(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let table = Table::get();
    let mut decomposed = Vec::with_capacity(text.len());
    text.chars().for_each(|character| table.decompose(character, &mut decomposed));
    // Marks that do not interact may come in any order; a stable sort by class settles it.
    for marks in decomposed.chunk_by_mut(|one, next| one.class != 0 && next.class != 0) {
        marks.sort_by_key(|mark| mark.class);
    }
    Cow::Owned(decomposed.into_iter().map(|one| one.character).collect())
}

#[derive(Clone, Copy)]
struct Classified {
    character: char,
    /// Combining class; 0 begins anew.
    class: u8,
}

struct Table {
    /// One or two parts, which may have parts of their own.
    parts: HashMap<char, [Option<char>; 2]>,
    classes: HashMap<char, u8>,
}

impl Table {
    fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::unpack(PACKED))
    }

    fn unpack(packed: &[u8]) -> Table {
        let mut numbers = numbers(packed);
        let mut next = move || numbers.next().unwrap_or_default();
        let mut table = Table { parts: HashMap::new(), classes: HashMap::new() };
        let mut code = 0;
        for _ in 0..next() {
            let step = next();
            code += step / 2;
            let first = char::from_u32(next());
            let second = if step % 2 == 1 { char::from_u32(next()) } else { None };
            table.parts.extend(char::from_u32(code).map(|code| (code, [first, second])));
        }
        let mut end = 0;
        for _ in 0..next() {
            let first = end + next();
            end = first + next();
            let class = next() as u8;
            let characters = (first..end).filter_map(char::from_u32);
            table.classes.extend(characters.map(|character| (character, class)));
        }
        table
    }

    fn decompose(&self, character: char, decomposed: &mut Vec<Classified>) {
        let code = u32::from(character);
        if HANGUL.contains(&code) {
            let index = code - HANGUL.start;
            let (syllable, last) = (index / HANGUL_FINALS, index % HANGUL_FINALS);
            let parts = [
                0x1100 + syllable / HANGUL_VOWELS,
                0x1161 + syllable % HANGUL_VOWELS,
                0x11A7 + last,
            ];
            let count = if last == 0 { 2 } else { 3 };
            let parts = parts[..count].iter().filter_map(|&part| char::from_u32(part));
            decomposed.extend(parts.map(|character| Classified { character, class: 0 }));
            return;
        }
        match self.parts.get(&character) {
            Some(parts) => {
                parts.iter().flatten().for_each(|&part| self.decompose(part, decomposed));
            }
            None => {
                let class = self.classes.get(&character).copied().unwrap_or(0);
                decomposed.push(Classified { character, class });
            }
        }
    }
}

/// Groups of seven bits, lowest first; the last of a number lacks its high bit.
fn numbers(packed: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut bytes = packed.iter();
    std::iter::from_fn(move || {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *bytes.next()?;
            number |= u32::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                return Some(number);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_decomposed_and_sorted_as_in_python() {
        let golden =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/canonical_text/expected.json");
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        let texts = (0..=u32::from(char::MAX))
            .filter_map(char::from_u32)
            .map(|character| format!("x\u{345}{character}\u{316}"));
        let hash = texts.fold(0xCBF2_9CE4_8422_2325, |hash, text| {
            canonical(&text).bytes().fold(hash, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
            })
        });
        assert_eq!(format!("{hash:016x}"), expected["hash"]);
    }

    #[test]
    fn composed_and_decomposed_names_are_one() {
        assert_eq!(canonical("caf\u{e9}"), canonical("cafe\u{301}"));
        assert_eq!(canonical("\u{ac01}"), canonical("\u{1100}\u{1161}\u{11a8}"));
        assert_eq!(canonical("q\u{307}\u{323}"), canonical("q\u{323}\u{307}"));
        assert_ne!(canonical("\u{e9}"), canonical("e"));
        assert!(matches!(canonical("plain/1.jpg"), Cow::Borrowed(_)));
    }
}
