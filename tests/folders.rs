//! Folders of real images, folders that another user may not read, and what steps say about the
//! files of a folder that they left out.

mod support;

use simdetr::Error;
use simdetr::control::Control;
use simdetr::data::folder;
use simdetr::data::image::{ImageLimits, Normalisation, ResizeRule, decode};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::parameters::initialise;
use simdetr::detector::parameters::parameter_table;
use simdetr::detector::whole_detector::{Detector, PredictionOptions};
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::extract::{ExtractRequest, extract};
use simdetr::pipeline::predict::{PredictRequest, PredictionForm, predict};
use simdetr::pipeline::workspace::Workspace;
use simdetr::workers::Workers;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use support::scenes;

fn require_all() -> bool {
    std::env::var("SIMDETR_REQUIRE_ALL").is_ok_and(|value| value == "1")
}

fn skip(why: &str) {
    assert!(!require_all(), "would skip: {why}");
    println!("skipped: {why}");
}

fn shared_data() -> PathBuf {
    std::env::var_os("SIMDETR_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    )
}

/// The strict check must not refuse what cameras and websites write.
#[test]
fn every_public_photograph_passes_the_strict_checks() {
    for (name, count) in [("coco128/images", 128), ("imagenet1k-samples", 1000)] {
        let path = shared_data().join(name);
        if !path.is_dir() {
            return skip(&format!("{} is not there", path.display()));
        }
        let images = folder::list(&path).unwrap().images;
        assert_eq!(images.len(), count, "{name}");
        for image in images.iter().step_by(if count > 500 { 10 } else { 1 }) {
            decode::read(&image.path(&path), &ImageLimits::default()).unwrap();
        }
    }
}

/// Two scenes, and one file for each reason to skip one.
fn mixed_folder(folder: &Path) -> PathBuf {
    let images = folder.join("images");
    scenes::write(&images, 2);
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    fs::write(images.join("phone.heic"), heic).unwrap();
    // What a phone sends under the name that other programs ask for.
    fs::write(images.join("renamed.jpg"), heic).unwrap();
    fs::write(images.join("broken.jpg"), b"no picture").unwrap();
    fs::write(images.join("notes.txt"), b"no picture either").unwrap();
    fs::create_dir(images.join(".thumbs")).unwrap();
    fs::write(images.join(".thumbs/1.jpg"), heic).unwrap();
    images
}

const SKIPPED: [(&str, u64); 3] = [("broken", 1), ("hidden", 1), ("unsupported_format", 2)];

#[cfg(feature = "default-encoder")]
#[test]
fn extraction_counts_what_it_skipped_by_reason() {
    let temporary = tempfile::tempdir().unwrap();
    let images = mixed_folder(temporary.path());
    let run = |strict| {
        let (config, workspace) =
            (RunConfig::default(), Workspace::new(temporary.path().join("run")));
        let request = ExtractRequest { images: &images, config: &config, strict };
        extract(&request, &workspace, &Workers::caller(), &Control::default())
    };
    let error = run(true).unwrap_err();
    assert!(matches!(error, Error::LeftOut { files: 2, .. }), "{error}");
    let report = run(false).unwrap();
    assert_eq!(report.images_count, 4);
    assert_eq!(report.skipped_by_reason(), SKIPPED);
    assert_eq!(report.broken[0].path, "broken.jpg");
}

#[test]
fn prediction_counts_what_it_skipped_by_reason() {
    let temporary = tempfile::tempdir().unwrap();
    let images = mixed_folder(temporary.path());
    let config = DetectorConfig {
        backbone_depth: 18,
        backbone_width: 8,
        hidden_size: 32,
        encoder_layers_count: 1,
        decoder_layers_count: 1,
        feedforward_size: 16,
        queries_count: 6,
        classes_count: 3,
        ..DetectorConfig::default()
    };
    let parameters = initialise(&parameter_table(&config).unwrap(), 1).unwrap();
    let (normalisation, resize) = (Normalisation::default(), ResizeRule::default());
    let description = DetectorDescription::unnamed(config, normalisation, resize);
    let detector = Detector::new(description, parameters).unwrap();
    let (options, limits) = (PredictionOptions::default(), ImageLimits::default());
    let out = temporary.path().join("out.json");
    let run = |strict| {
        let (detector, images) = (&detector, images.as_path());
        let request = PredictRequest {
            detector,
            images,
            annotations: None,
            form: PredictionForm::DataSet,
            options: &options,
            limits: &limits,
            strict,
        };
        predict(&request, &out, &Workers::caller(), &Control::default())
    };
    let error = run(true).unwrap_err();
    assert!(matches!(error, Error::LeftOut { files: 2, .. }) && !out.exists(), "{error}");
    let report = run(false).unwrap();
    assert_eq!((report.images_count, report.skipped_by_reason()), (2, SKIPPED.to_vec()));
    fs::remove_dir_all(images.join(".thumbs")).unwrap();
    fs::remove_file(images.join("phone.heic")).unwrap();
    fs::remove_file(images.join("broken.jpg")).unwrap();
    let error = run(true).unwrap_err();
    assert!(matches!(&error, Error::UnsupportedImage { format: "HEIC", .. }), "{error}");
}

#[cfg(unix)]
mod as_another_user {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const FOLDER_VARIABLE: &str = "SIMDETR_TEST_UNREADABLE_FOLDER";
    const NOBODY: u32 = 65534;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Root reads everything, so under root this test runs itself again as nobody.
    #[test]
    fn an_unreadable_folder_is_named() {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
            return check(Path::new(&folder));
        }
        let temporary = tempfile::tempdir().unwrap();
        set_mode(temporary.path(), 0o755);
        let images = temporary.path().join("images");
        std::fs::create_dir_all(images.join("closed")).unwrap();
        std::fs::write(images.join("1.jpg"), b"").unwrap();
        set_mode(&images.join("closed"), 0o000);
        if std::fs::read_dir(images.join("closed")).is_err() {
            return check(&images);
        }
        let program = temporary.path().join("test");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        set_mode(&program, 0o755);
        let run = Command::new(&program)
            .args(["an_unreadable_folder_is_named"])
            .env(FOLDER_VARIABLE, &images)
            .current_dir(temporary.path())
            .uid(NOBODY)
            .gid(NOBODY)
            .output();
        match run {
            Err(error) => skip(&format!("cannot become another user: {error}")),
            Ok(run) => {
                let said = String::from_utf8_lossy(&run.stdout);
                assert!(run.status.success() && said.contains("1 passed"), "{said}");
            }
        }
    }

    fn check(images: &Path) {
        let error = folder::list(images).unwrap_err();
        let closed = images.join("closed");
        assert!(matches!(&error, Error::Io { path, .. } if *path == closed), "{error}");
        assert!(error.to_string().contains("ermission denied"), "{error}");
    }
}
