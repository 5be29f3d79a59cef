//! Numbers that Python writes and JSON does not have: `NaN`, `Infinity`, `-Infinity`, and those
//! that are infinite as f64, such as `1e999`.
//!
//! serde_json refuses them, so that a file which it refused is looked through once more, and each
//! is overwritten by a text that no file holds, of its own length: places in messages stay right.

/// What begins a stand-in: a character (DELETE) that may stand in a text and never does.
const MARK: u8 = 0x7F;
const NAN: &[u8] = b"\"\x7F\"";
const INFINITY: &[u8] = b"\"\x7F+\"";
const MINUS_INFINITY: &[u8] = b"\"\x7F-\"";

/// The number that a text stands for, or `None` for a text that means itself.
pub(super) fn meant(text: &str) -> Option<f64> {
    match text.as_bytes() {
        [MARK] => Some(f64::NAN),
        [MARK, b'+'] => Some(f64::INFINITY),
        [MARK, b'-'] => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Overwrites every such number by its stand-in; false when there is none.
pub(super) fn replace(json: &mut [u8]) -> bool {
    let mut replaced = false;
    let mut place = 0;
    while let Some(&byte) = json.get(place) {
        let length = match byte {
            b'"' => text_length(&json[place..]),
            b'N' | b'I' | b'-' | b'0'..=b'9' => token_length(&json[place..]),
            _ => 1,
        };
        let token = &mut json[place..place + length];
        if let Some(stand_in) = stand_in(token) {
            token.fill(b' ');
            token[..stand_in.len()].copy_from_slice(stand_in);
            replaced = true;
        }
        place += length;
    }
    replaced
}

/// With both quotes, or to the end of what is there.
fn text_length(json: &[u8]) -> usize {
    let mut place = 1;
    while let Some(&byte) = json.get(place) {
        match byte {
            b'"' => return place + 1,
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
    json.len()
}

fn token_length(json: &[u8]) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    json.iter().position(|byte| !is_inside(byte)).unwrap_or(json.len())
}

fn stand_in(token: &[u8]) -> Option<&'static [u8]> {
    match token {
        b"NaN" => Some(NAN),
        b"Infinity" => Some(INFINITY),
        b"-Infinity" => Some(MINUS_INFINITY),
        [b'-' | b'0'..=b'9', .., b'0'..=b'9'] => {
            let number: f64 = std::str::from_utf8(token).ok()?.parse().ok()?;
            let text = if number > 0.0 { INFINITY } else { MINUS_INFINITY };
            (number.is_infinite() && token.len() >= text.len()).then_some(text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_replaced_and_nothing_moves() {
        let json =
            r#"{"NaN": [NaN, 1e999, -2E400, Infinity,-Infinity], "a\"NaN\\": -1.5e3, "b": NaNs}"#;
        let mut bytes = json.as_bytes().to_vec();
        assert!(replace(&mut bytes));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.len(), json.len());
        assert_eq!(
            text,
            "{\"NaN\": [\"\x7F\", \"\x7F+\" , \"\x7F-\"  , \"\x7F+\"    ,\"\x7F-\"     ], \
             \"a\\\"NaN\\\\\": -1.5e3, \"b\": NaNs}"
        );
        assert!(!replace(&mut br#"{"a": [1, -2.5, "NaN", "unfinished\"#.to_vec()));
        assert!(meant("\x7F").unwrap().is_nan() && meant("NaN").is_none());
        assert_eq!((meant("\x7F+"), meant("\x7F-")), (Some(f64::INFINITY), Some(-f64::INFINITY)));
    }
}
