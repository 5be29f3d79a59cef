//! Decoding against what Pillow, OpenCV and torchvision read from the same files, damaged and
//! lying files, and the limits.
//!
//! Golden files: `tests/golden/images/` and `tests/golden/image_kinds/`, made by the scripts beside
//! them.

use serde_json::Value;
use simdetr::data::image::decode::{decode, read};
use simdetr::data::image::{Image, ImageLimits, resize};
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::{Error, Result};
use std::io::Read;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/images")
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn decode_file(name: &str) -> Result<Image> {
    read(&folder().join(name), &ImageLimits::default())
}

/// The files of one of the two folders and what they hold.
struct Golden {
    manifest: Value,
    expected: Vec<u8>,
    /// Empty where the files stand for themselves.
    files: Vec<u8>,
}

impl Golden {
    fn load() -> Golden {
        Golden {
            manifest: serde_json::from_slice(&bytes_of("manifest.json")).unwrap(),
            expected: bytes_of("expected.bin"),
            files: Vec::new(),
        }
    }

    fn load_kinds() -> Golden {
        let unpacked = |name: &str| {
            let mut bytes = Vec::new();
            let packed = bytes_of(&format!("../image_kinds/{name}"));
            flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
            bytes
        };
        Golden {
            manifest: serde_json::from_slice(&bytes_of("../image_kinds/manifest.json")).unwrap(),
            expected: unpacked("expected.zlib"),
            files: unpacked("files.zlib"),
        }
    }

    /// The name and the bytes of a case.
    fn file<'a>(&'a self, case: &'a Value) -> (&'a str, &'a [u8]) {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let from = number("file_offset");
        (case["name"].as_str().unwrap(), &self.files[from..from + number("file_length")])
    }

    fn list(&self, name: &str) -> &[Value] {
        self.manifest[name].as_array().unwrap()
    }

    /// The largest difference in levels between an image and what a case expects.
    fn difference(&self, case: &Value, image: &Image) -> u8 {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let (width, height, offset) = (number("width"), number("height"), number("offset"));
        assert_eq!((image.width as usize, image.height as usize), (width, height), "{case}");
        let expected = &self.expected[offset..offset + width * height * 3];
        image.pixels.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }
}

#[test]
fn every_format_and_layout_reads_as_in_pillow_and_opencv() {
    let golden = Golden::load();
    for case in golden.list("cases") {
        let image = decode_file(case["file"].as_str().unwrap()).unwrap();
        let difference = golden.difference(case, &image);
        assert!(
            u64::from(difference) <= case["tolerance"].as_u64().unwrap(),
            "{case} {difference}"
        );
    }
}

/// All troubles at once, as they tend to come in kinds.
#[test]
fn orientation_segments_and_colours_are_what_pillow_takes_them_for() {
    let golden = Golden::load_kinds();
    let mut troubles = Vec::new();
    for case in golden.list("cases") {
        let (name, bytes) = golden.file(case);
        match decode(bytes, name, &ImageLimits::default()) {
            Err(error) => troubles.push(error.to_string()),
            Ok(image)
                if [image.width, image.height].map(Value::from)
                    != [case["width"].clone(), case["height"].clone()] =>
            {
                troubles.push(format!("{name}: {}x{}, {case}", image.width, image.height));
            }
            Ok(image) => {
                let difference = golden.difference(case, &image);
                if u64::from(difference) > case["tolerance"].as_u64().unwrap() {
                    troubles.push(format!("{name}: differs by {difference}"));
                }
            }
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let golden = Golden::load_kinds();
    for case in golden.list("refused") {
        let (name, bytes) = golden.file(case);
        let error = decode(bytes, name, &ImageLimits::default()).expect_err(name).to_string();
        assert!(error.contains(case["words"].as_str().unwrap()), "{error}");
    }
}

/// The files that were found to be read wrongly, where the machine has them.
#[test]
fn the_cases_that_were_reported_are_upright_and_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    for (name, turned) in [
        ("exif3_LONGtype_jpeg.jpg", false),
        ("exif6_LONGtype_jpeg.jpg", true),
        ("exif6_then_second_exif1_jpeg.jpg", true),
        ("exif8_LONGtype_jpeg.jpg", true),
        ("h2_exif6_orientation_as_LONG_le.jpg", true),
        ("xmp_only6_jpeg.jpg", true),
        ("h2_tiff_palette.tif", false),
        ("h2_tiff_ycbcr.tif", false),
        ("tiff_la.tif", false),
        ("tiff_palette.tif", false),
        ("jpeg_comment_of_length_3_then_junk.jpg", false),
        ("jpeg_zero_padding_between_segments.jpg", false),
    ] {
        let image = read(&folder.join(name), &ImageLimits::default()).unwrap();
        let expected = if turned { (48, 64) } else { (64, 48) };
        assert_eq!((image.width, image.height), expected, "{name}");
    }
}

#[test]
fn resizing_is_pillows_antialiased_triangle() {
    let golden = Golden::load();
    let source = decode_file(golden.manifest["resize_source"].as_str().unwrap()).unwrap();
    for case in golden.list("resizes") {
        let side = |key: &str| case[key].as_u64().unwrap() as u32;
        let resized = resize(&source, side("width"), side("height")).unwrap();
        let difference = golden.difference(case, &resized);
        assert!(difference <= 1, "{case} {difference}");
    }
}

#[test]
fn what_cannot_be_an_image_is_refused_by_name() {
    for case in Golden::load().list("refused") {
        let file = case["file"].as_str().unwrap();
        let error = decode_file(file).unwrap_err().to_string();
        assert!(error.contains(case["words"].as_str().unwrap()) && error.contains(file), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_before_its_pixels_end_is_an_error() {
    let files = ["baseline_444.jpg", "progressive.jpg", "restart.jpg", "cmyk.jpg", "rgb.png"];
    let others = ["palette.png", "rgb_16.png", "lossy.webp", "lossless.webp", "rgb.bmp"];
    let tiffs = ["palette.bmp", "rgb.tif", "lzw.tif", "deflate.tif", "packbits.tif", "rgb_16.tif"];
    for file in files.iter().chain(&others).chain(&tiffs) {
        let bytes = bytes_of(file);
        // A PNG ends with 12 bytes and a TIFF may end with tables that hold no pixels.
        for percent in [0, 1, 10, 25, 50, 75, 90, 95] {
            let kept = bytes.len() * percent / 100;
            let error = decode(&bytes[..kept], file, &ImageLimits::default())
                .expect_err(&format!("{file} cut to {percent} %"));
            assert!(matches!(&error, Error::ImageDecode { image, .. } if image == file), "{error}");
        }
    }
}

#[test]
fn a_jpeg_without_its_end_says_how_many_bytes_there_were() {
    let bytes = bytes_of("baseline_444.jpg");
    let half = &bytes[..bytes.len() / 2];
    let error = decode(half, "half.jpg", &ImageLimits::default()).unwrap_err();
    let expected =
        format!("half.jpg: JPEG: truncated: {} bytes without the end-of-image marker", half.len());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_name_does_not_decide_the_format() {
    let temporary = tempfile::tempdir().unwrap();
    let lying = temporary.path().join("picture.jpg");
    std::fs::write(&lying, bytes_of("rgb.png")).unwrap();
    assert_eq!(read(&lying, &ImageLimits::default()).unwrap(), decode_file("rgb.png").unwrap());
}

#[test]
fn limits_stop_before_pixels_are_allocated_and_files_before_they_are_read() {
    let image = decode_file("rgb.png").unwrap();
    let pixels = u64::from(image.width * image.height);
    let bytes = bytes_of("rgb.png");
    let limit = |pixels_max, bytes_max| ImageLimits { pixels_max, bytes_max };
    let length = bytes.len() as u64;
    assert_eq!(decode(&bytes, "a", &limit(pixels, length)).unwrap(), image);
    let error = decode(&bytes, "a", &limit(pixels - 1, length)).unwrap_err();
    assert!(matches!(error, Error::ImageTooLarge { what: "pixels", got, .. } if got == pixels));
    for error in [
        decode(&bytes, "a", &limit(pixels, length - 1)).unwrap_err(),
        read(&folder().join("rgb.png"), &limit(pixels, length - 1)).unwrap_err(),
    ] {
        assert!(matches!(error, Error::ImageTooLarge { what: "bytes", got, .. } if got == length));
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    for path in [folder().join("no_such_file.jpg"), folder()] {
        let error = read(&path, &ImageLimits::default()).unwrap_err();
        assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
    }
}

/// Damaged bytes may decode or not, but never panic, hang or pass a limit. More rounds by
/// `SIMDETR_DAMAGE_ROUNDS`.
#[test]
fn damaged_files_never_panic() {
    let golden = Golden::load();
    let limits = ImageLimits { pixels_max: 1 << 20, bytes_max: 1 << 20 };
    let rounds = std::env::var("SIMDETR_DAMAGE_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut random = Random::new(StreamKey::new(3, Purpose::Demo));
    let kinds = Golden::load_kinds();
    let files = golden.list("cases").iter().map(|case| case["file"].as_str().unwrap());
    let files = files.map(|file| (file, bytes_of(file)));
    // Neighbours among the kinds are much alike.
    let others = kinds.list("cases").iter().step_by(5).map(|case| kinds.file(case));
    let others = others.map(|(name, bytes)| (name, bytes.to_vec()));
    for (file, original) in files.chain(others) {
        for _ in 0..rounds.unwrap_or(60) {
            let mut bytes = original.clone();
            for _ in 0..=random.below(8) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.next_u32() as u8;
            }
            if let Ok(image) = decode(&bytes, file, &limits) {
                let pixels = u64::from(image.width) * u64::from(image.height);
                assert!(pixels <= limits.pixels_max && image.pixels.len() as u64 == pixels * 3);
            }
        }
    }
}
