//! Named sizes of a training run: the patent's, and two that processors can carry.
//!
//! A preset is a set of keys under the user's own: the configuration document wins over it.

use super::config::RunConfig;
use super::machine::Machine;
use crate::training::config::Schedule;
use crate::{Error, Result};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 3] = ["deformable-detr-r50", "small", "tiny"];

/// The keys of a preset; the first one is the defaults.
///
/// # Errors
/// [`Error::InvalidArgument`] for a name that is none of [`NAMES`].
pub fn by_name(name: &str) -> Result<RunConfig> {
    let mut config = RunConfig::default();
    match name {
        "deformable-detr-r50" => {}
        "small" => small(&mut config),
        "tiny" => tiny(&mut config),
        other => {
            let reason = format!("`{other}` is none of {}", NAMES.join(", "));
            return Err(Error::invalid("preset", reason));
        }
    }
    Ok(config)
}

/// [`by_name`] for true labels: one image at a time in its own colours, as the official code
/// fine-tunes. Mosaic and colour changes are for pseudo-labels (patent ¶65-68).
///
/// # Errors
/// As [`by_name`].
pub fn for_finetuning(name: &str) -> Result<RunConfig> {
    let mut config = by_name(name)?;
    let augmentation = &mut config.augmentation;
    augmentation.mosaic_probability = 0.0;
    augmentation.colour_probability = 0.0;
    augmentation.grey_probability = 0.0;
    augmentation.blur_probability = 0.0;
    Ok(config)
}

/// What a preset's training asks of a machine.
struct Needs {
    /// Fewer take longer than anybody waits.
    processors: usize,
    memory_bytes: u64,
}

/// The one place that says it. Memory is that of a step of the whole batch in 32-bit numbers, rounded
/// up: 192 images of up to 800x1333 pixels take terabytes, and no preset of that size runs whole on a
/// processor without smaller parts.
fn needs(name: &str) -> Needs {
    const GIB: u64 = 1 << 30;
    match name {
        "tiny" => Needs { processors: 1, memory_bytes: GIB },
        "small" => Needs { processors: 8, memory_bytes: 12 * GIB },
        _ => Needs { processors: 64, memory_bytes: 2048 * GIB },
    }
}

/// The largest preset that runs on `machine`, half of whose memory is left to other programs.
///
/// # Errors
/// [`Error::InvalidArgument`] naming every preset when not even the smallest one does.
pub fn suitable(machine: &Machine) -> Result<&'static str> {
    let memory_bytes = machine.memory_bytes.unwrap_or(u64::MAX) / 2;
    let suits = |name: &&&'static str| {
        let needs = needs(name);
        needs.processors <= machine.processors && needs.memory_bytes <= memory_bytes
    };
    NAMES.iter().find(suits).copied().ok_or_else(|| {
        let reason = format!("none suits {machine}; name one of {}", NAMES.join(", "));
        Error::invalid("preset", reason)
    })
}

/// Hours on a processor of a few cores: the default encoder's backbone, three layers each way.
fn small(config: &mut RunConfig) {
    config.cluster.classes = 256;
    let detector = &mut config.detector;
    (detector.backbone_depth, detector.backbone_width) = (18, 32);
    (detector.encoder_layers_count, detector.decoder_layers_count) = (3, 3);
    detector.dropout = 0.0;
    config.training.batch_size = 8;
    config.training.epochs = 10;
    config.training.warmup_steps = 100;
    config.training.backbone_learning_rate = 1e-4;
    let augmentation = &mut config.augmentation;
    augmentation.image_short_sides = vec![224, 256, 288, 320];
    augmentation.image_long_side_max = 448;
    augmentation.crop_short_sides = vec![256, 320, 384];
    (augmentation.crop_side_min, augmentation.crop_side_max) = (224, 384);
}

/// Minutes on two cores: what `demo` runs. A few hundred steps learn neither many boxes nor rare
/// ones, so this trains on fewer, plainer and larger ones than the patent. Figures are class-agnostic
/// recalls (x100) on the demo's scenes after 600 steps of 4, of T_1 unless said; README has them all.
fn tiny(config: &mut RunConfig) {
    small(config);
    // AR@100 39.2 with 16 pseudo-classes, 32.4 with one.
    config.cluster.classes = 16;
    // The first of the 25 are the better ones: AR@10 36.0 with 10, 24.3 with 25.
    config.proposals.proposals_max = 10;
    // A third of the queries, as the patent keeps 100 of 300: where every query becomes a label,
    // scores mean little from T_2 on (its AR@10 is 8.2 in place of 27.1).
    config.relabel.predictions_per_image = 20;
    let detector = &mut config.detector;
    (detector.levels_count, detector.hidden_size) = (3, 64);
    (detector.encoder_layers_count, detector.decoder_layers_count) = (1, 2);
    (detector.feedforward_size, detector.queries_count) = (128, 60);
    // AR@100 24.4 without refining boxes, 31.2 with them.
    detector.box_refinement = true;
    let training = &mut config.training;
    // 480 steps of 4 images learn more than 240 steps of 8, in the same time.
    (training.batch_size, training.steps) = (4, 600);
    // Three times the rate: AR@10 17.8 to 21.7.
    (training.learning_rate, training.backbone_learning_rate) = (3e-3, 2e-4);
    training.schedule = Schedule::Cosine;
    training.warmup_steps = 20;
    training.checkpoint_steps = 100;
    let augmentation = &mut config.augmentation;
    augmentation.image_short_sides = vec![128, 144, 160];
    augmentation.image_long_side_max = 224;
    // In the tiles of so small a picture, objects have a few pixels: AR@100 of T_1 26.3 after 240
    // steps of 8 without mosaics, 19.9 after 300 with them. Without crops and colours AR@10 is 23.3
    // in place of 17.8.
    augmentation.mosaic_probability = 0.0;
    augmentation.crop_probability = 0.0;
    augmentation.colour_probability = 0.0;
    augmentation.blur_probability = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_others_are_refused() {
        for name in NAMES {
            by_name(name).unwrap().validate().unwrap();
            for_finetuning(name).unwrap().validate().unwrap();
        }
        assert!(by_name("huge").unwrap_err().to_string().contains("tiny"));
    }

    #[test]
    fn the_largest_preset_that_a_machine_carries_is_chosen() {
        let chosen = |processors, gibibytes: Option<u64>| {
            let memory_bytes = gibibytes.map(|number| number << 30);
            suitable(&Machine { processors, memory_bytes })
        };
        assert_eq!(chosen(2, Some(16)).unwrap(), "tiny");
        assert_eq!(chosen(16, Some(16)).unwrap(), "tiny");
        assert_eq!(chosen(16, Some(64)).unwrap(), "small");
        assert_eq!(chosen(16, None).unwrap(), "small");
        assert_eq!(chosen(128, Some(8192)).unwrap(), "deformable-detr-r50");
        let error = chosen(1, Some(1)).unwrap_err().to_string();
        assert!(error.contains("1 processor and 1.0 GiB") && error.contains("tiny"), "{error}");
    }
}
