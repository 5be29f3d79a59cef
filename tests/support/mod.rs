//! What several test programs share.
#![allow(dead_code)]

pub mod install;
pub mod scenes;

/// A configuration document of a detector that learns nothing but quickly, under any preset.
pub const QUICK_DETECTOR: &str = "
[detector]
hidden_size = 32
queries_count = 12
levels_count = 2
[augmentation]
image_short_sides = [64]
image_long_side_max = 96
crop_short_sides = [72]
crop_side_min = 64
crop_side_max = 72
[training]
batch_size = 2
steps = 3
checkpoint_steps = 1
metrics_steps = 1
";
