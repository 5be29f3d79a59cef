//! A detector that has learned nothing, small enough that every command runs in moments.
#![allow(dead_code)]

use simdetr::data::image::{Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::naming::Naming;
use simdetr::detector::whole_detector::Detector;
use std::path::Path;

/// Three classes, images of 64 pixels.
pub fn detector() -> Detector {
    let config = DetectorConfig {
        backbone_depth: 18,
        backbone_width: 8,
        levels_count: 2,
        hidden_size: 32,
        encoder_layers_count: 1,
        decoder_layers_count: 1,
        feedforward_size: 16,
        queries_count: 6,
        classes_count: 3,
        ..DetectorConfig::default()
    };
    let resize = ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
    let description = DetectorDescription::unnamed(config, Normalisation::default(), resize);
    Detector::untrained(description, 5).unwrap()
}

/// Writes [`detector`] as the library does.
pub fn write(path: &Path) {
    detector().save(path, Naming::Official).unwrap();
}
