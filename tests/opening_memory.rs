//! Opening a file of weights takes little more memory than the weights. Its own binary, because it
//! replaces the allocator.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::{LIVE, PEAK};
use simdetr::backbone::architecture::Architecture;
use simdetr::data::image::{Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::naming::Naming;
use simdetr::detector::whole_detector::Detector;
use simdetr::encoder::options::EncoderOptions;
use simdetr::encoder::source;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Most bytes that `work` had at once beyond those that there were before, as a share of the file's.
fn peak_share(path: &Path, work: impl FnOnce(&Path)) -> f64 {
    let before = LIVE.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    work(path);
    let most = PEAK.load(Ordering::SeqCst) - before;
    most as f64 / std::fs::metadata(path).unwrap().len() as f64
}

#[test]
fn opening_peaks_at_little_more_than_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    // ResNet-18 of half the width under a small transformer: 14 MB.
    let config = DetectorConfig {
        backbone_depth: 18,
        backbone_width: 32,
        hidden_size: 64,
        feedforward_size: 128,
        ..DetectorConfig::default()
    };
    assert!(Architecture::with_depth(18, 32).is_some());
    let (normalisation, resize) = (Normalisation::default(), ResizeRule::default());
    let description = DetectorDescription::unnamed(config, normalisation, resize);
    let detector = Detector::untrained(description, 1).unwrap();
    for naming in [Naming::Official, Naming::HuggingFace] {
        let path = folder.path().join("detector.safetensors");
        detector.save(&path, naming).unwrap();
        let share = peak_share(&path, |path| drop(Detector::open(path, None).unwrap()));
        println!("detector, {naming:?}: {share:.2} times the file");
        assert!(share < 1.2, "{naming:?}: {share}");
    }
    let path = folder.path().join("backbone.safetensors");
    detector.save_backbone(&path).unwrap();
    let share = peak_share(&path, |path| {
        let encoder = path.display().to_string();
        drop(source::open(&EncoderOptions { encoder, ..EncoderOptions::default() }).unwrap());
    });
    println!("encoder: {share:.2} times the file");
    assert!(share < 1.2, "encoder: {share}");
}
