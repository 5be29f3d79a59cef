//! Whole training steps of a Deformable DETR that another program can time in turns with its own.
//!
//! `training_step WEIGHTS BATCHES SETTINGS` reads the detector's parameters (safetensors, either
//! naming), batches (safetensors: for batch i `images.i` `[N, H, W, 3]`, `sizes.i` `[N, 2]` rows and
//! columns, `counts.i` `[N]`, `classes.i` and `boxes.i` cxcywh, all f32) and a TOML document with the
//! tables `detector`, `criterion` and `training` of a run and `threads`. For each line of its
//! standard input, the number of a batch, it takes one step with it and prints milliseconds and the
//! loss; at the end, on standard error, the growth of its resident memory since it started.
//! `benches/peers_training.py` drives it.

use simdetr::backbone::checkpoint::Checkpoint;
use simdetr::criterion::CriterionConfig;
use simdetr::data::training::batch::Batch;
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::weights;
use simdetr::training::config::TrainingConfig;
use simdetr::training::step::StepPlace;
use simdetr::training::trainable::TrainableDetector;
use simdetr::training::trainer::Trainer;
use simdetr::workers::Workers;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

type Answer<T> = Result<T, Box<dyn Error>>;

#[derive(serde::Deserialize)]
struct Settings {
    threads: usize,
    detector: DetectorConfig,
    criterion: CriterionConfig,
    training: TrainingConfig,
}

fn main() -> Answer<()> {
    let begun = resident("VmRSS")?;
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let [weights, batches, settings] = &arguments[..] else {
        println!("WEIGHTS BATCHES SETTINGS are needed: `benches/peers_training.py` gives them");
        return Ok(());
    };
    let settings: Settings = toml::from_str(&std::fs::read_to_string(settings)?)?;
    let workers = Workers::with_threads(settings.threads)?;
    let mut trainer =
        Trainer::new(&settings.detector, &settings.training, &settings.criterion, 0, workers)?;
    load(&mut trainer, &settings.detector, weights)?;
    let mut batches = read_batches(batches)?;
    for (step, line) in std::io::stdin().lock().lines().enumerate() {
        let batch = &mut batches[line?.parse::<usize>()?];
        let place = StepPlace { seed: 0, stage: 1, step, steps_count: usize::MAX };
        let start = Instant::now();
        let report = trainer.step(std::slice::from_ref(batch), &place)?;
        println!("{:.3} {:.9}", start.elapsed().as_secs_f64() * 1e3, report.loss);
    }
    let growth = resident("VmHWM")?.saturating_sub(begun);
    eprintln!("memory {growth} kB, trainer {} kB", trainer.memory_bytes() / 1024);
    Ok(())
}

fn load(trainer: &mut Trainer, detector: &DetectorConfig, path: &str) -> Answer<()> {
    let bytes = std::fs::read(path)?;
    let (table, parameters, _) = trainer.state_mut();
    Ok(weights::read(&bytes, path, detector, table, parameters)?)
}

fn read_batches(path: &str) -> Answer<Vec<Batch>> {
    let bytes = std::fs::read(path)?;
    let file = Checkpoint::read(&bytes, path)?;
    let values = |kind: &str, index: usize| -> Answer<(Vec<usize>, Vec<f32>)> {
        let name = format!("{kind}.{index}");
        let shape = file.shape(&name).ok_or_else(|| format!("{path} lacks {name}"))?.to_vec();
        let values = file.tensor(&name, &shape)?.values;
        Ok((shape, values))
    };
    let count = file.names().filter(|name| name.starts_with("images.")).count();
    (0..count)
        .map(|index| {
            let (shape, maps) = values("images", index)?;
            let (_, sizes) = values("sizes", index)?;
            let (_, counts) = values("counts", index)?;
            let mut offsets = vec![0];
            offsets.extend(counts.iter().scan(0, |sum, count| {
                *sum += *count as usize;
                Some(*sum)
            }));
            Ok(Batch {
                number: index as u64,
                height: shape[1],
                width: shape[2],
                maps,
                sizes: sizes.as_chunks::<2>().0.iter().map(|s| s.map(|side| side as u32)).collect(),
                boxes: values("boxes", index)?.1.as_chunks::<4>().0.to_vec(),
                classes: values("classes", index)?.1.iter().map(|class| *class as u32).collect(),
                offsets,
                ..Batch::default()
            })
        })
        .collect()
}

/// A line of `/proc/self/status`, in kB.
fn resident(key: &str) -> Answer<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
