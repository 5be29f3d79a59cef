//! Which image format a file holds, by its first bytes: those that are read, and those that are
//! only known by name, so that a photograph in HEIC is called that and not a broken file.

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Tiff,
    Gif,
}

/// How many of a file's first bytes recognition looks at: an SVG may begin with a comment.
pub const RECOGNITION_BYTES: usize = 512;

/// The formats that are read, for messages.
pub(super) const READABLE: &str = "JPEG, PNG, WebP, BMP, TIFF or GIF";

impl Format {
    /// The format of a file with these first bytes, if it is one that is read.
    pub(super) fn of(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            // Bytes 6 to 9 of a bitmap are reserved and 0; the two letters alone would claim texts.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Format::Bmp),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Gif => "GIF",
        }
    }
}

/// Whether the first bytes of a file are those of a format that is read.
pub fn is_readable(bytes: &[u8]) -> bool {
    Format::of(bytes).is_some()
}

/// The name of the image format that these first bytes begin, if it is one that is not read.
pub fn unsupported_by_content(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => iso_media(bytes),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("JPEG XL"),
        [0xFF, 0x4F, 0xFF, 0x51, ..] | [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => {
            Some("JPEG 2000")
        }
        [b'I', b'I', 0xBC, 1, ..] => Some("JPEG XR"),
        [b'8', b'B', b'P', b'S', ..] => Some("Photoshop"),
        [0x76, 0x2F, 0x31, 0x01, ..] => Some("OpenEXR"),
        [b'q', b'o', b'i', b'f', ..] => Some("QOI"),
        [b'D', b'D', b'S', b' ', 124, ..] => Some("DDS"),
        // The number of pictures, and a byte of the first that is always 0.
        [0, 0, 1, 0, 1..=64, 0, _, _, _, 0, ..] => Some("ICO"),
        [b'P', b'1'..=b'6', b'\n', b'0'..=b'9' | b'#', ..] => Some("PNM"),
        _ if bytes.starts_with(b"#?RADIANCE") => Some("Radiance HDR"),
        _ if is_svg(bytes) => Some("SVG"),
        _ => None,
    }
}

/// Extensions of formats that are not read, in lower case, with the format's name.
const UNSUPPORTED_EXTENSIONS: [(&str, &str); 31] = [
    ("heic", "HEIC"),
    ("heif", "HEIC"),
    ("hif", "HEIC"),
    ("avif", "AVIF"),
    ("jxl", "JPEG XL"),
    ("jp2", "JPEG 2000"),
    ("j2k", "JPEG 2000"),
    ("jpx", "JPEG 2000"),
    ("jxr", "JPEG XR"),
    ("svg", "SVG"),
    ("svgz", "SVG"),
    ("psd", "Photoshop"),
    ("exr", "OpenEXR"),
    ("hdr", "Radiance HDR"),
    ("qoi", "QOI"),
    ("dds", "DDS"),
    ("ico", "ICO"),
    ("pbm", "PNM"),
    ("pgm", "PNM"),
    ("ppm", "PNM"),
    ("pnm", "PNM"),
    ("tga", "TGA"),
    ("pcx", "PCX"),
    ("cr2", "camera raw"),
    ("cr3", "camera raw"),
    ("nef", "camera raw"),
    ("arw", "camera raw"),
    ("dng", "camera raw"),
    ("orf", "camera raw"),
    ("raf", "camera raw"),
    ("rw2", "camera raw"),
];

/// The name of the image format that a file's extension stands for, if it is one that is not read.
pub fn unsupported_by_extension(extension: &str) -> Option<&'static str> {
    let known = |(known, _): &&(&str, &str)| extension.eq_ignore_ascii_case(known);
    UNSUPPORTED_EXTENSIONS.iter().find(known).map(|(_, name)| *name)
}

/// The format that the text of an [`crate::Error::UnsupportedImage`] names, where it is one: what a
/// record says of an image that was met earlier.
pub fn unsupported_in_message(message: &str) -> Option<&'static str> {
    let (_, rest) = message.split_once("the image format ")?;
    let (name, _) = rest.split_once(" is not supported")?;
    UNSUPPORTED_EXTENSIONS.iter().map(|(_, known)| *known).find(|known| *known == name)
}

/// HEIC and AVIF share their container with films; the brands of its first box tell them apart.
fn iso_media(bytes: &[u8]) -> Option<&'static str> {
    let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let brands = bytes[8..bytes.len().min(length.max(12))].chunks_exact(4);
    brands.clone().find_map(|brand| match brand {
        b"avif" | b"avis" => Some("AVIF"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some("HEIC"),
        b"crx " => Some("camera raw"),
        _ => None,
    })
}

fn is_svg(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let head = &text[..text.len().min(RECOGNITION_BYTES)];
    head.starts_with(b"<") && head.windows(4).any(|part| part == b"<svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart_by_content() {
        assert_eq!(Format::of(b"GIF89a\0\0"), Some(Format::Gif));
        assert_eq!(Format::of(b"BM is a text"), None);
        let named = [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "HEIC"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
            (b"\xff\x0a\xfa\x7f", "JPEG XL"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg width=\"3\"/>", "SVG"),
            (b"\xEF\xBB\xBF  <svg/>", "SVG"),
            (b"8BPS\0\x01", "Photoshop"),
            (b"P6\n3 4\n255\n", "PNM"),
            (b"\0\0\x01\0\x01\0\x10\x10\0\0", "ICO"),
        ];
        for (bytes, name) in named {
            assert_eq!(unsupported_by_content(bytes), Some(name));
            assert!(!is_readable(bytes));
        }
        let others = [
            &b""[..],
            b"\0\0\0\x20ftypisom\0\0\0\0isomiso2mp41",
            b"<annotation><filename>a.jpg</filename></annotation>",
            b"the <svg element",
            b"P1 sits left of P2",
            b"\0\0\x01\xba",
        ];
        for bytes in others {
            assert_eq!(unsupported_by_content(bytes), None);
        }
    }

    #[test]
    fn extensions_name_formats_in_any_case() {
        assert_eq!(unsupported_by_extension("HEIC"), Some("HEIC"));
        assert_eq!(unsupported_by_extension("jpg"), None);
    }
}
