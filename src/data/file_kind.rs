//! What a file is that should hold weights: told by its first bytes, whatever its name says, with what
//! to do about it. Downloads that went wrong and files of other programs are the usual mistakes.

use crate::Error;
use std::path::PathBuf;

/// Bytes at the start of a file that tell what it is.
pub const HEAD_BYTES: usize = 4096;

/// What this library reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Safetensors,
    Onnx,
}

/// The kind of a file that begins with `head`, if it is one that this library reads.
///
/// A safetensors file begins with the length of its JSON header, 8 bytes, and the header's brace.
/// An ONNX file is a protocol buffer without a signature; its first field is the version of the
/// format (field 1, an integer: byte 0x08), one digit for every version so far.
pub fn recognise(head: &[u8]) -> Option<FileKind> {
    match head {
        [_, _, _, _, _, _, 0, 0, b'{', ..] => Some(FileKind::Safetensors),
        [0x08, 1..=0x7f, ..] => Some(FileKind::Onnx),
        _ => None,
    }
}

/// The error of a file that is none of `wanted` ("a safetensors file"): what it is instead.
pub fn refusal(source: &str, head: &[u8], wanted: &str) -> Error {
    let reason = match recognise(head) {
        Some(FileKind::Safetensors) => "it is a safetensors file".into(),
        Some(FileKind::Onnx) => {
            "it seems to be an ONNX model, which serves as `encoder` alone; weights to start from \
             must be saved as safetensors from the program that trained them"
                .into()
        }
        None => other(source, head),
    };
    Error::Format { path: PathBuf::from(source), reason: format!("not {wanted}: {reason}") }
}

/// The error of a file whose bytes begin as safetensors files do but are not a whole one.
pub fn damaged(source: &str, length: usize, error: &dyn std::fmt::Display) -> Error {
    let reason = format!(
        "not a whole safetensors file: it has {length} bytes ({error}); it was cut short or \
         damaged: download or save it again"
    );
    Error::format(source, reason)
}

/// What to do with a kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    ConvertTorch,
    ConvertOther,
    Unpack,
    Download,
}

impl Remedy {
    fn text(self, source: &str) -> String {
        match self {
            Remedy::ConvertTorch => format!(
                "convert it with: python3 -c \"import torch; from safetensors.torch import \
                 save_file; flat = lambda d, p='': {{n: t for k, v in d.items() for n, t in \
                 (flat(v, f'{{p}}{{k}}.').items() if isinstance(v, dict) else [(f'{{p}}{{k}}', \
                 v.clone().contiguous())] if torch.is_tensor(v) else [])}}; \
                 save_file(flat(torch.load('{source}', map_location='cpu', weights_only=True)), \
                 'weights.safetensors')\""
            ),
            Remedy::ConvertOther => {
                "save the weights as safetensors from the program that made it".into()
            }
            Remedy::Unpack => "unpack it and name the weights file that is in it".into(),
            Remedy::Download => "download the file itself".into(),
        }
    }
}

/// Where, which bytes, what they mean.
type Signature = (usize, &'static [u8], &'static str, Remedy);

const SIGNATURES: [Signature; 19] = [
    (0, b"version https://git-lfs", "a git-LFS pointer", Remedy::Download),
    (0, b"# xet version", "a Xet pointer", Remedy::Download),
    (0, b"/annex/objects/", "a git-annex pointer", Remedy::Download),
    (0, b"\x1f\x8b", "gzip data", Remedy::Unpack),
    (0, b"BZh", "bzip2 data", Remedy::Unpack),
    (0, b"\xfd7zXZ\0", "xz data", Remedy::Unpack),
    (0, b"\x28\xb5\x2f\xfd", "zstd data", Remedy::Unpack),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", Remedy::Unpack),
    (0, b"Rar!", "a RAR archive", Remedy::Unpack),
    (257, b"ustar", "a tar archive", Remedy::Unpack),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras)", Remedy::ConvertOther),
    (0, b"\x93NUMPY", "a NumPy array", Remedy::ConvertOther),
    (4, b"TFL3", "a TensorFlow Lite model", Remedy::ConvertOther),
    (0, b"GGUF", "a GGUF file", Remedy::ConvertOther),
    (0, b"%PDF", "a PDF document", Remedy::Download),
    (0, b"\x89PNG", "an image (PNG)", Remedy::Download),
    (0, b"\xff\xd8\xff", "an image (JPEG)", Remedy::Download),
    (0, b"\x7fELF", "a program", Remedy::Download),
    (0, b"MZ", "a program", Remedy::Download),
];

/// The first bytes of pickles of protocol 2 and later, and of what texts of protocol 0 usually are.
const PICKLES: [&[u8]; 7] =
    [b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"(lp", b"ccollections\n"];

fn other(source: &str, head: &[u8]) -> String {
    if head.is_empty() {
        return format!("it is empty; {}", Remedy::Download.text(source));
    }
    if head.iter().all(|byte| *byte == 0) {
        return "it begins with nothing but zeros, as a download or a copy that was stopped does; \
                download it again"
            .into();
    }
    let (what, remedy) = recognise_other(head);
    let detail = detail(what, head).map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("it is {what}{detail}; {}", remedy.text(source))
}

fn recognise_other(head: &[u8]) -> (&'static str, Remedy) {
    let begins = |signature: &&Signature| {
        let (offset, bytes, ..) = **signature;
        head.get(offset..).is_some_and(|rest| rest.starts_with(bytes))
    };
    if let Some((_, _, what, remedy)) = SIGNATURES.iter().find(begins) {
        return (what, *remedy);
    }
    if head.starts_with(b"PK") {
        return zip(head);
    }
    if PICKLES.iter().any(|pickle| head.starts_with(pickle)) {
        return ("a Python pickle, as PyTorch's older checkpoints are", Remedy::ConvertTorch);
    }
    text(head).unwrap_or(("of no kind that is known here", Remedy::ConvertOther))
}

/// The names of a zip's first entries stand in its first bytes.
fn zip(head: &[u8]) -> (&'static str, Remedy) {
    let holds = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    match (holds(b"data.pkl"), holds(b".npy")) {
        (true, _) => ("a PyTorch checkpoint (zip)", Remedy::ConvertTorch),
        (_, true) => ("a NumPy archive (npz)", Remedy::ConvertOther),
        _ => ("a zip archive, as PyTorch's checkpoints are", Remedy::ConvertTorch),
    }
}

/// Documents: pages of a server in place of the file, above all.
fn text(head: &[u8]) -> Option<(&'static str, Remedy)> {
    // The last character may be cut in two.
    let valid = std::str::from_utf8(head).map_or_else(
        |error| match error.error_len() {
            None => std::str::from_utf8(&head[..error.valid_up_to()]).ok(),
            Some(_) => None,
        },
        Some,
    )?;
    let start = valid.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let lower = start.to_ascii_lowercase();
    let page = ["<!doctype html", "<html", "<head", "<body", "<script"];
    Some(if page.iter().any(|tag| lower.starts_with(tag)) || lower.contains("<html") {
        ("an HTML page, which a server gave in place of the file", Remedy::Download)
    } else if lower.starts_with('<') {
        ("an XML document, as servers answer errors with", Remedy::Download)
    } else if lower.contains("\"weight_map\"") {
        ("the index of a checkpoint in several files", Remedy::ConvertOther)
    } else if lower.starts_with('{') || lower.starts_with('[') {
        ("a JSON document", Remedy::Download)
    } else if valid.chars().all(|c| !c.is_control() || c.is_whitespace()) {
        ("a text", Remedy::Download)
    } else {
        return None;
    })
}

/// What a pointer or a text says of itself.
fn detail(what: &str, head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let first = |text: &str| text.trim().lines().next().map(str::to_string);
    match what {
        "a git-LFS pointer" => {
            let size = text.lines().find_map(|line| line.strip_prefix("size "))?.trim();
            Some(format!("the file has {size} bytes; `git lfs pull` fetches it"))
        }
        "a text" | "a JSON document" => {
            let line: String = first(&text)?.chars().take(60).collect();
            Some(format!("it begins with {line:?}"))
        }
        "of no kind that is known here" => {
            Some(format!("it begins with {:02x?}", &head[..head.len().min(8)]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        assert_eq!(recognise(b"\x40\x01\0\0\0\0\0\0{\"conv1"), Some(FileKind::Safetensors));
        // A header of 640 bytes begins as a pickle does.
        assert_eq!(recognise(b"\x80\x02\0\0\0\0\0\0{\"conv1"), Some(FileKind::Safetensors));
        assert_eq!(recognise(b"\x08\x0a\x12\x07pytorch"), Some(FileKind::Onnx));
        for other in [&b"PK\x03\x04"[..], b"\x89PNG", b"", b"\x08", b"<html>"] {
            assert_eq!(recognise(other), None);
        }
    }

    #[test]
    fn other_files_are_named_as_what_they_are() {
        let mut tar = vec![b'x'; 300];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: &[(&[u8], &str)] = &[
            (b"PK\x03\x04....archive/data.pkl", "PyTorch checkpoint (zip)"),
            (b"PK\x03\x04....weight.npy", "NumPy archive"),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "Python pickle"),
            (b"version https://git-lfs.github.com/spec/v1\nsize 12\n", "has 12 bytes"),
            (b"\n <!DOCTYPE html><html>", "HTML page"),
            (b"<?xml version=\"1.0\"?><Error>", "XML document"),
            (b"{\"error\": \"Repository not found\"}", "Repository not found"),
            (b"{\"metadata\": {}, \"weight_map\": {}}", "several files"),
            (b"\x1f\x8b\x08\0", "gzip data"),
            (b"\x08\x07\x12\x07pytorch", "ONNX model"),
            (&[0; 64], "nothing but zeros"),
            (b"", "is empty"),
            (b"Not Found", "begins with \"Not Found\""),
            (b"\xf1\xf2\xf3\0\x01", "[f1, f2, f3, 00, 01]"),
            (&tar, "tar archive"),
        ];
        for (head, expected) in cases {
            let error = refusal("w.bin", head, "a safetensors file").to_string();
            assert!(error.starts_with("w.bin: not a safetensors file: "), "{error}");
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn a_pytorch_checkpoint_comes_with_the_command_that_converts_it() {
        let error = refusal("moco.pth", b"PK\x03\x04", "a safetensors file").to_string();
        assert!(error.contains("torch.load('moco.pth'") && error.contains("save_file"), "{error}");
    }
}
