//! T_s from the detector of stage s: its own boxes on every image of the set (patent ¶40, ¶69-72).
//!
//! One box a query with its best class, the best of them by count or by share, no threshold on scores,
//! class-agnostic suppression before or after that cut ([`RelabelConfig`]). Labels are committed in shards of [`SHARD_IMAGES`] images
//! and put together at the end, so that a killed call goes on where it stopped and a shard is all
//! that is in memory.
//!
//! An image that cannot be decoded is broken, today and on every other day: it is left out and
//! reported. One that cannot be read from its disk may be whole: labels without it would be those of
//! a bad moment, so the call ends with that error, and the next one tries the image again.

use super::checkpoint_files::{files_of, last_checkpoint};
pub use super::relabel_config::{BoxScore, RelabelConfig, Suppression};
pub use super::relabel_shards::discard;
use super::relabel_shards::{Outcome, Shard, ShardBox, ShardImage, Shards, Stamp};
use super::trainable::{TrainableDetector, View};
use crate::control::Control;
use crate::data::coco::write::write_dataset;
use crate::data::coco::{CocoImage, LabelledBox};
use crate::data::folder::BrokenImage;
use crate::data::image::{Image, ImageLimits};
use crate::data::training::set::TrainingSet;
use crate::detector::prediction::{Detection, OBJECTS_ORDER};
use crate::encoder::fingerprint;
use crate::kernels::simd;
use crate::{Error, Result};
use std::ops::Range;
use std::path::Path;

/// Images of a shard: seconds of work for the smallest detector, far longer than its commit.
const SHARD_IMAGES: usize = 32;

/// What a file of labels says of itself.
pub const DESCRIPTION: &str = "labels of a detector";

/// Most boxes of an image that are measured (patent, Table 7).
pub const MEASURED_BOXES_MAX: usize = 100;

/// What the boxes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be learned: those that [`RelabelConfig`] chooses.
    Labels,
    /// To be measured: every query's, the best [`MEASURED_BOXES_MAX`], none suppressed.
    Measuring,
}

impl Purpose {
    /// What progress counts.
    fn step(self) -> &'static str {
        match self {
            Purpose::Labels => "relabel",
            Purpose::Measuring => "measure",
        }
    }
}

/// What is labelled, and how.
#[derive(Debug, Clone, Copy)]
pub struct RelabelRequest<'a> {
    pub purpose: Purpose,
    /// What the file says of itself.
    pub description: &'a str,
    pub set: &'a TrainingSet,
    pub view: &'a View,
    pub limits: &'a ImageLimits,
    pub config: &'a RelabelConfig,
    /// A broken image is an error.
    pub strict: bool,
    /// What identifies the detector's weights: [`weights_of`].
    pub weights: &'a str,
    /// Folder of labels that are done, for this call and those that go on with it; removed at the
    /// end.
    pub shards: &'a Path,
    /// The COCO file to write.
    pub out: &'a Path,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelabelReport {
    pub images_count: usize,
    pub boxes_count: usize,
    /// Images that could not be decoded; they are left out. Those that an earlier, killed call met
    /// are among them.
    pub broken: Vec<BrokenImage>,
}

/// What identifies the weights of a stage's detector: the content of its last checkpoint.
///
/// # Errors
/// [`Error::Io`]; as [`last_checkpoint`]; [`Error::RunStep`] when there is none.
pub fn weights_of(folder: &Path, stage: u16, extensions: &[&str]) -> Result<String> {
    let missing = || Error::RunStep { path: folder.into(), step: "train" };
    let (_, position) = last_checkpoint(folder, stage, extensions)?.ok_or_else(missing)?;
    let files = files_of(&position, extensions);
    let prints: Result<Vec<String>> =
        files.iter().map(|path| fingerprint::of_file("checkpoint", path)).collect();
    Ok(prints?.join(" "))
}

/// Writes the detector's labels of every image, best box first in each, or goes on with it.
///
/// # Errors
/// [`Error::Cancelled`]; those of prediction; [`Error::Io`], that of an image too;
/// [`Error::NoReadableImage`]; under `strict` the error of the first broken image. The file is then as
/// it was.
pub fn relabel(
    detector: &mut dyn TrainableDetector,
    request: &RelabelRequest<'_>,
    control: &Control<'_>,
) -> Result<RelabelReport> {
    let set = request.set;
    let images_count = set.images_count();
    let shards_count = images_count.div_ceil(SHARD_IMAGES);
    let step = request.purpose.step();
    let shards = Shards::open(request.shards, &identity(request)?)?;
    let mut report = RelabelReport::default();
    for number in 0..shards_count {
        let first = number * SHARD_IMAGES;
        let range = first..images_count.min(first + SHARD_IMAGES);
        control.report(step, first as u64, images_count as u64)?;
        let known = shards.read(number).ok().filter(|shard| shard.is_of(set, range.clone()));
        // Under `strict` a broken image is met again, for its error.
        let known = known.filter(|shard| !(request.strict && has_broken(shard)));
        let shard = match known {
            Some(shard) => shard,
            None => {
                let shard = label(detector, request, range, control)?;
                shards.write(number, &shard)?;
                shard
            }
        };
        report.count(shard);
    }
    control.report(step, images_count as u64, images_count as u64)?;
    if report.images_count == 0 {
        let first = report.broken.first().map(|image| image.reason.clone()).unwrap_or_default();
        let path = set.folder().into();
        return Err(Error::NoReadableImage { path, files: images_count, first });
    }
    write(request, &shards, shards_count)?;
    shards.remove()?;
    Ok(report)
}

impl RelabelReport {
    fn count(&mut self, shard: Shard) {
        for image in shard.images {
            match image.outcome {
                Outcome::Labelled { boxes, .. } => {
                    self.images_count += 1;
                    self.boxes_count += boxes.len();
                }
                Outcome::Broken { reason } => {
                    log::warn!("{} was skipped: {reason}", image.path);
                    self.broken.push(BrokenImage { path: image.path, reason });
                }
            }
        }
    }
}

fn has_broken(shard: &Shard) -> bool {
    shard.images.iter().any(|image| matches!(image.outcome, Outcome::Broken { .. }))
}

/// What labels depend on beside their images: shards of another text are of other labels.
fn identity(request: &RelabelRequest<'_>) -> Result<String> {
    let RelabelRequest { purpose, set, view, limits, config, weights, .. } = *request;
    let lines = [
        format!("version {}", env!("CARGO_PKG_VERSION")),
        format!("simd {}", simd::Level::best().name()),
        format!("purpose {purpose:?}"),
        format!("weights {weights}"),
        format!("view {view:?}"),
        format!("classes {}", set.classes_count()),
        format!("shard {SHARD_IMAGES}"),
        format!("objects of order {OBJECTS_ORDER}"),
        crate::config::to_text(limits, "limits")?,
        crate::config::to_text(config, "relabel")?,
    ];
    Ok(lines.join("\n"))
}

/// Labels some images of the set.
fn label(
    detector: &mut dyn TrainableDetector,
    request: &RelabelRequest<'_>,
    range: Range<usize>,
    control: &Control<'_>,
) -> Result<Shard> {
    let RelabelRequest { purpose, set, view, limits, config, strict, .. } = *request;
    let mut shard = Shard::default();
    for index in range {
        control.report(purpose.step(), index as u64, set.images_count() as u64)?;
        // Before the content, so that a change during the call is seen by the next one.
        let stamp = Stamp::of(&set.path(index))?;
        let outcome = match set.load(index, limits) {
            Ok(sample) => {
                let image = sample.image;
                let found = boxes_of(purpose, detector, &image, view, config)?;
                let boxes = found.iter().map(ShardBox::from).collect();
                Outcome::Labelled { width: image.width, height: image.height, boxes }
            }
            Err(error @ (Error::ImageDecode { .. } | Error::ImageTooLarge { .. })) if !strict => {
                Outcome::Broken { reason: error.to_string() }
            }
            Err(error) => return Err(error),
        };
        shard.images.push(ShardImage::new(&set.images()[index], stamp, outcome));
    }
    Ok(shard)
}

/// The boxes of one image.
fn boxes_of(
    purpose: Purpose,
    detector: &mut dyn TrainableDetector,
    image: &Image,
    view: &View,
    config: &RelabelConfig,
) -> Result<Vec<Detection>> {
    match purpose {
        Purpose::Labels => labels_of(detector, image, view, config),
        Purpose::Measuring => detector.detect(image, view, config.box_score, MEASURED_BOXES_MAX),
    }
}

/// The labels of one image.
fn labels_of(
    detector: &mut dyn TrainableDetector,
    image: &Image,
    view: &View,
    config: &RelabelConfig,
) -> Result<Vec<Detection>> {
    let mut found = detector.detect(image, view, config.box_score, config.asked())?;
    let views_count = if config.mirrored { 2 } else { 1 };
    if config.mirrored {
        let width = image.width as f32;
        let others = detector.detect(&image.mirrored(), view, config.box_score, config.asked())?;
        found.extend(others.into_iter().map(|other| {
            let [left, top, right, bottom] = other.bounds;
            Detection { bounds: [width - right, top, width - left, bottom], ..other }
        }));
        // Stable: of equal scores those of the image itself come first.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    config.choose(&mut found, views_count, f64::from(image.width) * f64::from(image.height));
    Ok(found)
}

/// Puts the shards together, one in memory at a time.
fn write(request: &RelabelRequest<'_>, shards: &Shards, shards_count: usize) -> Result<()> {
    let categories = request.set.categories();
    let all = || (0..shards_count).map(|number| shards.read(number));
    let images = all().flat_map(|shard| {
        each(shard, |shard| {
            let image = |image: ShardImage| match image.outcome {
                Outcome::Labelled { width, height, .. } => {
                    let id = image.image_id.into();
                    Some(CocoImage::new(id, image.path, width, height))
                }
                Outcome::Broken { .. } => None,
            };
            shard.images.into_iter().filter_map(image).collect()
        })
    });
    let boxes = all().flat_map(|shard| {
        each(shard, |shard| {
            let labelled = |image: ShardImage| {
                let boxes = match image.outcome {
                    Outcome::Labelled { boxes, .. } => boxes,
                    Outcome::Broken { .. } => Vec::new(),
                };
                boxes.into_iter().map(move |found| {
                    let (bounds, score) = found.values();
                    let category_id = categories[found.class as usize].id;
                    LabelledBox {
                        image_id: image.image_id.into(),
                        category_id,
                        bounds,
                        score: Some(score),
                    }
                })
            };
            shard.images.into_iter().flat_map(labelled).collect()
        })
    });
    write_dataset(request.out, request.description, images, categories, boxes)
}

/// What is in a shard, or the error of reading it.
fn each<T>(shard: Result<Shard>, items: impl FnOnce(Shard) -> Vec<T>) -> Vec<Result<T>> {
    match shard {
        Ok(shard) => items(shard).into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::Position;
    use super::super::step::{StepPlace, StepReport};
    use super::super::trainable::StageStart;
    use super::*;
    use crate::data::coco::CocoCategory;
    use crate::data::image::{Normalisation, ResizeRule};
    use crate::data::training::batch::Batch;
    use std::path::PathBuf;

    /// Finds the white columns of an image, and is surer of those on the left.
    struct Columns;

    impl TrainableDetector for Columns {
        fn detect(
            &mut self,
            image: &Image,
            _: &View,
            _: BoxScore,
            count: usize,
        ) -> Result<Vec<Detection>> {
            let white = (0..image.width).filter(|&x| image.pixel(x, 0) == [255; 3]);
            let found = white.map(|x| Detection {
                bounds: [x as f32, 0.0, x as f32 + 1.0, image.height as f32],
                class: 0,
                score: 0.5 - x as f32 / 100.0,
            });
            Ok(found.take(count).collect())
        }

        fn checkpoint_extensions(&self) -> &'static [&'static str] {
            unreachable!()
        }

        fn start_stage(&mut self, _: &StageStart) -> Result<()> {
            unreachable!()
        }

        fn step(&mut self, _: &[Batch], _: &StepPlace) -> Result<StepReport> {
            unreachable!()
        }

        fn save(&mut self, _: &Path, _: &Position) -> Result<()> {
            unreachable!()
        }

        fn load(&mut self, _: &Path, _: &str) -> Result<Position> {
            unreachable!()
        }

        fn write_detector(&mut self, _: &Path, _: &View, _: &[CocoCategory]) -> Result<PathBuf> {
            unreachable!()
        }

        fn memory_bytes(&self) -> usize {
            unreachable!()
        }
    }

    #[test]
    fn boxes_of_the_mirrored_image_lie_where_they_are_in_the_image() {
        let mut image = Image::filled(10, 4, [0; 3]).unwrap();
        for (x, y) in [2, 7, 9].into_iter().flat_map(|x| (0..4).map(move |y| (x, y))) {
            image.set_pixel(x, y, [255; 3]);
        }
        // Twice the image's sides.
        let resize = ResizeRule { image_short_side: 8, image_long_side_max: 20, side_multiple: 1 };
        let view = View { resize, normalisation: Normalisation::default() };
        let limited = |predictions_share, suppression, mirrored, box_share_max| {
            let config = RelabelConfig {
                predictions_per_image: 0,
                predictions_share,
                suppression,
                mirrored,
                box_share_max,
                ..RelabelConfig::default()
            };
            let boxes = |purpose| boxes_of(purpose, &mut Columns, &image, &view, &config).unwrap();
            // What is measured are the detector's own boxes, whatever its labels may be.
            let own: Vec<f32> = boxes(Purpose::Measuring).iter().map(|one| one.bounds[0]).collect();
            assert_eq!(own, [2.0, 7.0, 9.0]);
            let found = boxes(Purpose::Labels);
            found.iter().map(|one| (one.bounds[0], one.score)).collect::<Vec<_>>()
        };
        let labels = |share, suppression, mirrored| limited(share, suppression, mirrored, 1.0);
        assert_eq!(labels(1.0, Suppression::Off, false), [(2.0, 0.48), (7.0, 0.43), (9.0, 0.41)]);
        let both = labels(1.0, Suppression::Fuse, true);
        assert_eq!(both.iter().map(|one| one.0).collect::<Vec<_>>(), [9.0, 2.0, 7.0]);
        for ((_, score), (own, other)) in both.iter().zip([(0.41, 0.5), (0.48, 0.43), (0.43, 0.48)])
        {
            assert!((score - (1.0 - (1.0 - own) * (1.0 - other))).abs() < 1e-6, "{both:?}");
        }
        // Each column is a tenth of the image.
        assert_eq!(limited(1.0, Suppression::Fuse, true, 0.1), both);
        assert_eq!(limited(1.0, Suppression::Fuse, true, 0.09), []);
        // A share of the queries, whose boxes come twice.
        assert_eq!(labels(0.67, Suppression::Fuse, true), both[..2]);
    }
}
