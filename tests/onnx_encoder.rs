//! ONNX encoders against the maps of Python's onnxruntime, and what goes wrong with them.
#![cfg(feature = "onnx")]

mod golden_file;
mod onnx_runtime;

use simdetr::Error;
use simdetr::data::feature_map::FeatureMap;
use simdetr::data::image::Image;
use simdetr::encoder::Encoder;
use simdetr::encoder::onnx::OnnxEncoder;
use simdetr::encoder::options::EncoderOptions;
use simdetr::workers::Workers;
use std::path::{Path, PathBuf};
use std::process::Command;

fn golden(name: &str) -> PathBuf {
    golden_file::path("onnx").join(name)
}

fn options(library: &Path) -> EncoderOptions {
    EncoderOptions {
        onnx_library: library.display().to_string(),
        onnx_threads: 1,
        ..EncoderOptions::default()
    }
}

/// The formula of `tests/golden/onnx/make.py`.
fn image(height: u32, width: u32) -> Image {
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (y, x)))
        .flat_map(|(y, x)| (0..3).map(move |c| ((x * 7 + y * 13 + c * 29 + x * y) % 256) as u8))
        .collect();
    Image { width, height, pixels }
}

fn assert_golden(map: &FeatureMap, name: &str) {
    let shape = [map.height, map.width, map.channels];
    golden_file::assert_close(&map.values, &shape, "onnx/golden.safetensors", name, 1e-5);
}

#[test]
fn maps_of_any_size_match_and_do_not_depend_on_the_batch() {
    let Some(library) = onnx_runtime::library("maps of any size") else { return };
    let encoder = OnnxEncoder::from_file(&golden("maps.onnx"), &options(&library)).unwrap();
    let maps: Vec<_> =
        encoder.maps().iter().map(|map| (map.name.as_str(), map.channels, map.stride)).collect();
    assert_eq!(maps, [("coarse", 7, 32), ("fine", 5, 16)]);
    assert_eq!((encoder.side_multiple(), encoder.fixed_size()), (32, None));
    let images = [image(64, 96), image(32, 32)];
    let together = encoder.encode(&images, &Workers::caller()).unwrap();
    for (image, maps) in images.iter().zip(&together) {
        assert_golden(&maps[0], &format!("coarse_{}x{}", image.height, image.width));
        assert_golden(&maps[1], &format!("fine_{}x{}", image.height, image.width));
        let alone = encoder.encode(std::slice::from_ref(image), &Workers::caller()).unwrap();
        assert_eq!(alone[0], *maps);
    }
    let error = encoder.encode(&[image(64, 90)], &Workers::caller()).unwrap_err().to_string();
    assert!(error.contains("multiples of 32") && error.contains("64x90"), "{error}");
}

#[test]
fn tokens_of_a_fixed_size_lose_the_class_token_and_become_a_map() {
    let Some(library) = onnx_runtime::library("tokens of a fixed size") else { return };
    let bytes = std::fs::read(golden("tokens.onnx")).unwrap();
    let encoder = OnnxEncoder::from_bytes(&bytes, &options(&library)).unwrap();
    assert_eq!(encoder.fixed_size(), Some((64, 96)));
    assert_eq!((encoder.maps()[0].channels, encoder.maps()[0].stride), (6, 16));
    let maps = encoder.encode(&[image(64, 96)], &Workers::caller()).unwrap();
    assert_golden(&maps[0][0], "tokens_64x96");
    let error = encoder.encode(&[image(32, 32)], &Workers::caller()).unwrap_err().to_string();
    assert!(error.contains("64x96 pixels") && error.contains("32x32 pixels"), "{error}");
    let file = OnnxEncoder::from_file(&golden("tokens.onnx"), &options(&library)).unwrap();
    assert_eq!(file.fingerprint(), encoder.fingerprint());
}

#[test]
fn layers_choose_outputs_by_name() {
    let Some(library) = onnx_runtime::library("layers") else { return };
    let with_layers = |layer: &str| {
        let options = EncoderOptions { layers: vec![layer.into()], ..options(&library) };
        OnnxEncoder::from_file(&golden("maps.onnx"), &options)
    };
    let encoder = with_layers("fine").unwrap();
    let maps = encoder.encode(&[image(64, 96)], &Workers::caller()).unwrap();
    assert_eq!((encoder.maps().len(), maps[0].len()), (1, 1));
    assert_golden(&maps[0][0], "fine_64x96");
    let error = with_layers("layer4").err().unwrap().to_string();
    assert!(error.contains("no output `layer4`") && error.contains("coarse"), "{error}");
}

#[test]
fn bytes_that_are_no_model_are_named() {
    let Some(library) = onnx_runtime::library("bytes that are no model") else { return };
    for bytes in [&b"not a model"[..], b"", b"\x08\x08"] {
        let error = OnnxEncoder::from_bytes(bytes, &options(&library)).err().unwrap();
        assert!(
            matches!(&error, Error::OnnxModel { model, .. } if model == "in memory"),
            "{error}"
        );
    }
    let missing = OnnxEncoder::from_file(Path::new("missing.onnx"), &options(&library));
    assert!(matches!(missing.err().unwrap(), Error::Io { .. }));
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let error = OnnxEncoder::from_file(&text, &options(&library)).err().unwrap().to_string();
    assert!(error.contains("Cargo.toml"), "{error}");
}

/// Python's onnxruntime is built without CUDA: asking for it must not run on the CPU instead.
#[cfg(feature = "cuda")]
#[test]
fn a_provider_that_the_library_lacks_is_an_error() {
    let Some(library) = onnx_runtime::library("a provider that the library lacks") else { return };
    let options = EncoderOptions { onnx_provider: "cuda".into(), ..options(&library) };
    match OnnxEncoder::from_file(&golden("maps.onnx"), &options) {
        Err(Error::OnnxProvider { provider, .. }) => assert_eq!(provider, "cuda"),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => println!("skipped: this libonnxruntime has a working CUDA provider"),
    }
}

/// A library once loaded serves the whole process, so each way of not finding one runs in a
/// child: this very test, told by a variable what to do.
#[test]
fn a_missing_library_is_a_named_error_and_no_panic() {
    const CHILD: &str = "SIMDETR_TEST_CHILD";
    if let Ok(option) = std::env::var(CHILD) {
        let options = EncoderOptions { onnx_library: option, ..EncoderOptions::default() };
        match OnnxEncoder::from_file(&golden("maps.onnx"), &options) {
            Err(Error::OnnxLibrary { tried }) => println!("tried {tried}"),
            other => panic!("expected OnnxLibrary, got {:?}", other.err()),
        }
        return;
    }
    let child = |option: &str, variables: &[(&str, &str)]| {
        let name = "a_missing_library_is_a_named_error_and_no_panic";
        let output = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env_remove("SIMDETR_ORT_LIB")
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("LD_LIBRARY_PATH")
            .env(CHILD, option)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    assert!(
        child("/missing/option.so", &[]).contains("`/missing/option.so` (option onnx_library)")
    );
    let both = [("SIMDETR_ORT_LIB", "/missing/ours.so"), ("ORT_DYLIB_PATH", "/missing/theirs.so")];
    let text = child("", &both);
    assert!(text.contains("`/missing/ours.so` (SIMDETR_ORT_LIB)"), "{text}");
    assert!(child("", &both[1..]).contains("`/missing/theirs.so` (ORT_DYLIB_PATH)"));
    if cfg!(target_os = "linux") {
        let text = child("libc.so.6", &[]);
        assert!(text.contains("does not export OrtGetApiBase"), "{text}");
    }
}
