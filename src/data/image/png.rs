//! What the chunks of a PNG say about its picture: EXIF and XMP, wherever they stand.
//!
//! The decoder stops at the pixels, but writers put these chunks behind them as well. EXIF is a
//! chunk of its own or, as ImageMagick writes it, hexadecimal text; XMP is a text with a fixed
//! keyword. The last of each counts, as in Pillow.

use super::orientation::Metadata;
use flate2::read::ZlibDecoder;
use std::borrow::Cow;
use std::io::Read;

/// Most bytes of a compressed text, Pillow's limit too: such a text may grow a thousandfold.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// A text chunk: its kind, and what stands behind its keyword.
type Text<'a> = ([u8; 4], &'a [u8]);

pub(super) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let (mut xmp, mut profile) = (None, None);
    let (mut pixels, mut animated) = (false, false);
    let mut at = 8;
    while let Some(&[l0, l1, l2, l3, a, b, c, d]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let Some(body) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else { break };
        let kind = [a, b, c, d];
        match &kind {
            b"IEND" => break,
            // What follows belongs to the second picture.
            b"fcTL" if pixels && animated => break,
            b"IDAT" => pixels = true,
            b"acTL" => animated = true,
            b"eXIf" => metadata.exif = Some(Cow::Borrowed(body)),
            b"tEXt" | b"zTXt" | b"iTXt" => match split(body) {
                Some((b"XML:com.adobe.xmp", rest)) => xmp = Some((kind, rest)),
                Some((b"Raw profile type exif", rest)) => profile = Some((kind, rest)),
                _ => {}
            },
            _ => {}
        }
        at += 12 + length;
    }
    metadata.xmp = xmp.and_then(unpack);
    if metadata.exif.is_none() {
        let profile = profile.and_then(unpack);
        metadata.exif = profile.and_then(|text| from_hexadecimal(&text)).map(Cow::Owned);
    }
    metadata
}

/// The part before the next zero byte and the part behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The text itself, of which the keyword is read already.
fn unpack((kind, rest): Text<'_>) -> Option<Cow<'_, [u8]>> {
    match (&kind, rest) {
        (b"tEXt", text) => Some(Cow::Borrowed(text)),
        (b"zTXt", [0, packed @ ..]) => inflate(packed).map(Cow::Owned),
        (b"iTXt", [is_compressed, method, rest @ ..]) => {
            let (_language, rest) = split(rest)?;
            let (_translated_keyword, text) = split(rest)?;
            match (is_compressed, method) {
                (0, _) => Some(Cow::Borrowed(text)),
                (_, 0) => inflate(text).map(Cow::Owned),
                _ => None,
            }
        }
        _ => None,
    }
}

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    ZlibDecoder::new(packed).take(TEXT_BYTES_MAX + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= TEXT_BYTES_MAX).then_some(text)
}

/// The bytes behind three lines that say what follows.
fn from_hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').skip(3);
    let digits: Vec<u8> =
        lines.flatten().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(*pair.get(1)?)?) as u8);
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32).to_be_bytes();
        [&length[..], kind, body, &[0; 4]].concat()
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [&[0; 8][..], &chunks.concat()].concat()
    }

    #[test]
    fn the_last_chunk_counts_and_may_stand_behind_the_pixels() {
        let bytes = file(&[
            chunk(b"eXIf", b"first"),
            chunk(b"IDAT", b"pixels"),
            chunk(b"fcTL", b""),
            chunk(b"eXIf", b"second"),
            chunk(b"IEND", b""),
            chunk(b"eXIf", b"third"),
        ]);
        assert_eq!(metadata(&bytes).exif.as_deref(), Some(&b"second"[..]));
        let animated = [&bytes[..8], &chunk(b"acTL", b""), &bytes[8..]].concat();
        assert_eq!(metadata(&animated).exif.as_deref(), Some(&b"first"[..]));
        for length in 0..bytes.len() {
            metadata(&bytes[..length]);
        }
    }

    #[test]
    fn texts_that_do_not_fit_their_form_are_passed_over() {
        let texts: [(&[u8; 4], &[u8]); 6] = [
            (b"tEXt", b"XML:com.adobe.xmp"),
            (b"zTXt", b"XML:com.adobe.xmp\0\x01abc"),
            (b"zTXt", b"XML:com.adobe.xmp\0\0not deflated"),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0de"),
            (b"iTXt", b"XML:com.adobe.xmp\0\x01\x01\0\0text"),
            (b"tEXt", b"Raw profile type exif\0\nexif\n 2\n4g"),
        ];
        for (kind, body) in texts {
            let bytes = file(&[chunk(kind, body)]);
            let metadata = metadata(&bytes);
            assert!(metadata.exif.is_none() && metadata.xmp.is_none(), "{body:?}");
        }
        let bytes = file(&[chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 3\n4a4\nB 4c\n")]);
        assert_eq!(metadata(&bytes).exif.as_deref(), Some(&b"JKL"[..]));
    }
}
