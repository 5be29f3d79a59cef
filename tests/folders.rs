//! Folders of real images and folders that another user may not read.

use simdetr::Error;
use simdetr::data::folder;
use simdetr::data::image::{ImageLimits, decode};
use std::path::PathBuf;

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

#[cfg(unix)]
mod as_another_user {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
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
