//! Measures stage after stage: predicts what is not kept, scores it, and writes a line of
//! `metrics.jsonl` for each.

use super::context::Context;
use super::figures::Truth;
use super::fixed_boxes::FixedBoxes;
use super::held_out::{CheckedHeldOut, cap};
use super::kept::Kept;
use super::{MeasuredImages, MeasuredKind, MeasuredRow};
use crate::data::coco::CocoFile;
use crate::data::coco::read::{read_dataset, read_detections};
use crate::data::training::set::TrainingSet;
use crate::detector::prediction::OBJECTS_ORDER;
use crate::kernels::simd;
use crate::pipeline::stage_keys::view;
use crate::pipeline::workspace::files::MEASURED;
use crate::training::measured_lines;
use crate::training::relabel::{
    self, MEASURED_BOXES_MAX, Purpose, RelabelRequest, discard, relabel, weights_of,
};
use crate::training::stage_config::StagePaths;
use crate::training::trainable::TrainableDetector;
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// True boxes that were found good, of both kinds of images.
#[derive(Debug, Default)]
pub struct Truths {
    pub training: Option<Truth>,
    pub held_out: Option<CheckedHeldOut>,
}

/// What has been measured of a run, as far as it has come.
#[derive(Debug, Default)]
pub struct Measuring {
    sides: Vec<Side>,
    /// Held-out images first, in the order of the table.
    rows: Vec<MeasuredRow>,
    /// Whether boxes were made that no earlier call had kept.
    is_new: bool,
}

/// Some images with their true boxes.
#[derive(Debug)]
struct Side {
    images: MeasuredImages,
    truth: Truth,
    set: Arc<TrainingSet>,
    /// What the images are, by content.
    sources: String,
    /// T_{s-1} of these images.
    labels: PathBuf,
}

impl Measuring {
    /// Scores T_0 and the control; `set` is T_0 of the training images, read from `labels`, and
    /// `sources` their content. Without true boxes nothing is done, here and later.
    ///
    /// # Errors
    /// Those of extraction, reading and evaluation; [`Error::Io`].
    pub fn begin(
        truths: Truths,
        (set, labels, sources): (&Arc<TrainingSet>, &Path, String),
        context: &Context<'_>,
    ) -> Result<Measuring> {
        let mut measuring = Measuring::default();
        if truths.training.is_none() && truths.held_out.is_none() {
            return Ok(measuring);
        }
        let folder = context.root.join(MEASURED);
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        let own = cap(context.config);
        let first = read_dataset(labels)?;
        let mut counts = vec![own, MEASURED_BOXES_MAX];
        counts.dedup();
        let fixed: Vec<(usize, FixedBoxes)> =
            counts.iter().map(|&count| (count, FixedBoxes::fit(&first, count))).collect();
        if let Some(held_out) = truths.held_out {
            let (found, is_new) = held_out.proposals(context)?;
            measuring.is_new = is_new;
            let (images, truth) = held_out.into_parts();
            let labels = found.files[0].1.clone();
            let set = Arc::new(TrainingSet::read(&labels, &images)?);
            let images = MeasuredImages::HeldOut;
            let side = Side { images, truth, set, sources: found.sources, labels };
            measuring.score_first(side, &found.files, &fixed, context)?;
        }
        if let Some(truth) = truths.training {
            let (set, labels) = (set.clone(), labels.to_path_buf());
            let files = [(own, labels.clone())];
            let side = Side { images: MeasuredImages::Training, truth, set, sources, labels };
            measuring.score_first(side, &files, &fixed, context)?;
        }
        measuring.write(0, context)?;
        Ok(measuring)
    }

    /// T_0 at each cap, then the control.
    fn score_first(
        &mut self,
        side: Side,
        files: &[(usize, PathBuf)],
        fixed: &[(usize, FixedBoxes)],
        context: &Context<'_>,
    ) -> Result<()> {
        for (boxes_max, path) in files {
            let found = read_detections(path)?;
            let row = side.row(MeasuredKind::Proposals, 0, *boxes_max, (&found, path), context)?;
            self.rows.push(row);
        }
        let name = Path::new("fixed boxes");
        for (boxes_max, boxes) in fixed {
            let found = boxes.on_images_of(read_dataset(&side.labels)?);
            let row = side.row(MeasuredKind::FixedBoxes, 0, *boxes_max, (&found, name), context)?;
            self.rows.push(row);
        }
        self.sides.push(side);
        Ok(())
    }

    /// Scores the detector of `stage`, which has been trained, and its labels. `labels` is the file of
    /// those of the training images.
    ///
    /// # Errors
    /// Those of prediction, reading and evaluation; [`Error::Cancelled`].
    pub fn stage(
        &mut self,
        detector: &mut dyn TrainableDetector,
        stage: u16,
        labels: &Path,
        context: &Context<'_>,
    ) -> Result<()> {
        if self.sides.is_empty() {
            return Ok(());
        }
        let checkpoints = StagePaths::in_run(context.root).checkpoints;
        let weights = weights_of(&checkpoints, stage, detector.checkpoint_extensions())?;
        let mut rows = Vec::new();
        for side in &mut self.sides {
            let suffix = side.images.suffix();
            let predict = |detector: &mut dyn TrainableDetector, purpose, name: String| {
                side.predict(detector, purpose, (&name, &weights), context)
            };
            let name = format!("stage{stage}-{suffix}.json");
            let (boxes, is_new) = predict(detector, Purpose::Measuring, name)?;
            self.is_new |= is_new;
            let own = match side.images {
                MeasuredImages::Training => labels.to_path_buf(),
                MeasuredImages::HeldOut => {
                    let name = format!("T{stage}-{suffix}.json");
                    let (path, is_new) = predict(detector, Purpose::Labels, name)?;
                    self.is_new |= is_new;
                    path
                }
            };
            let found = read_detections(&boxes)?;
            let (kind, most) = (MeasuredKind::Detector, MEASURED_BOXES_MAX);
            let mut row = side.row(kind, stage, most, (&found, &boxes), context)?;
            let taught = Truth::read(&side.labels)?;
            let (workers, control) = (context.workers, context.control);
            row.own_recall = Some(taught.measure(&found, &boxes, workers, control)?.recall_100);
            rows.push(row);
            let found = read_detections(&own)?;
            let most = most_boxes(&found);
            rows.push(side.row(MeasuredKind::Labels, stage, most, (&found, &own), context)?);
            side.labels = own;
        }
        self.rows.extend(rows);
        // Stable: what was measured later comes later.
        self.rows.sort_by_key(|row| row.images == MeasuredImages::Training);
        self.write(stage, context)
    }

    /// Every row, and whether boxes were made that no earlier call had kept.
    pub fn finish(self) -> (Vec<MeasuredRow>, bool) {
        (self.rows, self.is_new)
    }

    /// Writes the rows of a stage. Those of images that only an earlier call was given true boxes of
    /// stay in its line: the boxes that they are of have not changed, or the line would have been cut.
    fn write(&self, stage: u16, context: &Context<'_>) -> Result<()> {
        let path = StagePaths::in_run(context.root).metrics;
        let is_own = |row: &MeasuredRow| self.sides.iter().any(|side| side.images == row.images);
        let kept: Vec<(u16, Vec<MeasuredRow>)> = measured_lines::read(&path)?;
        let kept = kept.into_iter().filter(|(of, _)| *of == stage).flat_map(|(_, rows)| rows);
        let mut rows: Vec<MeasuredRow> = kept.filter(|row| !is_own(row)).collect();
        rows.extend(self.rows.iter().filter(|row| row.stage == stage));
        // Stable, and the order of one call that was given both.
        rows.sort_by_key(|row| row.images == MeasuredImages::Training);
        measured_lines::put(&path, stage, &rows)
    }
}

impl Side {
    fn row(
        &self,
        kind: MeasuredKind,
        stage: u16,
        boxes_max: usize,
        (found, name): (&CocoFile, &Path),
        context: &Context<'_>,
    ) -> Result<MeasuredRow> {
        let figures = self.truth.measure(found, name, context.workers, context.control)?;
        let (images_count, boxes_count) = (found.images.len(), found.annotations.len());
        let images = self.images;
        let own_recall = None;
        Ok(MeasuredRow {
            images,
            kind,
            stage,
            boxes_max,
            images_count,
            boxes_count,
            figures,
            own_recall,
        })
    }

    /// The file `name` of the detector's boxes on these images, and whether it was made now.
    fn predict(
        &self,
        detector: &mut dyn TrainableDetector,
        purpose: Purpose,
        (name, weights): (&str, &str),
        context: &Context<'_>,
    ) -> Result<(PathBuf, bool)> {
        let Context { config, strict, control, .. } = *context;
        let view = view(config);
        let what = match purpose {
            Purpose::Labels => relabel::DESCRIPTION,
            Purpose::Measuring => "all boxes of a detector, for measuring",
        };
        let relabel_keys = match purpose {
            Purpose::Labels => crate::config::to_text(&config.relabel, "relabel")?,
            Purpose::Measuring => format!("box_score {:?}", config.relabel.box_score),
        };
        let identity = [
            format!("version {}", env!("CARGO_PKG_VERSION")),
            format!("simd {}", simd::Level::best().name()),
            format!("weights {weights}"),
            format!("images {}", self.sources),
            format!("view {view:?}"),
            crate::config::to_text(&config.limits, "limits")?,
            relabel_keys,
            format!("objects of order {OBJECTS_ORDER}"),
        ];
        let kept = Kept::new(context.measured(name), what, &identity.join("\n"));
        let shards = kept.path.with_extension("shards");
        if kept.is_there()? {
            // A kill may have come between the file and the end of its shards.
            discard(&shards)?;
            return Ok((kept.path, false));
        }
        let request = RelabelRequest {
            purpose,
            description: &kept.description,
            set: &self.set,
            view: &view,
            limits: &config.limits,
            config: &config.relabel,
            strict: strict || config.loader.strict_images,
            weights,
            shards: &shards,
            out: &kept.path,
        };
        relabel(detector, &request, control)?;
        Ok((kept.path, true))
    }
}

/// Boxes of the image that has most.
fn most_boxes(found: &CocoFile) -> usize {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for annotation in &found.annotations {
        *counts.entry(annotation.image_id).or_default() += 1;
    }
    counts.into_values().max().unwrap_or(0)
}
