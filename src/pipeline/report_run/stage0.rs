//! Stage 0 in a report: proposals and, where they are clustered, pseudo-classes.

use super::pictures::Pictures;
use super::texts::{figures_table, flatten};
use crate::Error;
use crate::Result;
use crate::clustering::{Centroids, Resources};
use crate::control::Control;
use crate::data::atomic_file::Temporary;
use crate::data::coco::LabelledBox;
use crate::data::image::Image;
use crate::data::store::{ImageStatus, StoreReader, StoredImage, Vectors};
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::geometry;
use crate::pipeline::export::{export_store, labelled_boxes};
use crate::pipeline::report::{Histogram, ReportClass, ReportImage, ReportInput, ReportTable};
use crate::pipeline::workspace::{RunRecord, Step, Workspace};
use crate::ranking::rank;
use crate::workers::Workers;
use std::path::Path;

/// Images on the sheet of images.
const IMAGES_SHOWN: u64 = 24;
/// Pseudo-classes on the sheet of crops, and crops of each.
const CLASSES_SHOWN: usize = 24;
const CROPS_SHOWN: usize = 8;

/// What is gathered in one pass over the store.
#[derive(Default)]
struct Gathered {
    images: Vec<ReportImage>,
    /// By pseudo-class; empty before clustering.
    crops: Vec<Vec<Image>>,
    class_counts: Vec<u64>,
    images_broken: u64,
    proposals_of_image: Vec<u64>,
    box_sides: Vec<f64>,
    cluster_counts: Vec<u64>,
}

/// What a report shows of a run's stage 0, as far as it is done; the title is left open.
///
/// # Errors
/// [`Error::Format`] for damaged files, [`Error::Io`]; those of the evaluation.
pub(super) fn show(
    workspace: &Workspace,
    record: &RunRecord,
    ground_truth: Option<&Path>,
    pictures: &mut Pictures<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ReportInput> {
    let memory_bytes_max = record.config.cluster.memory_bytes_max;
    let resources = Resources { workers, control: *control, memory_bytes_max };
    let centroids = match record.steps.contains(&Step::Cluster) {
        true => Some(Centroids::load(&workspace.clusters())?),
        false => None,
    };
    let store = match has_shards(&workspace.proposals()) {
        true => Some(StoreReader::open(&workspace.proposals())?),
        false => None,
    };
    let gathered = match &store {
        Some(store) => gather(record, store, centroids.as_ref(), &resources, pictures)?,
        None => Gathered::default(),
    };
    let mut tables = Vec::new();
    if let (Some(truth), Some(store), Some(centroids)) = (ground_truth, &store, &centroids) {
        tables.push(evaluate(workspace, truth, store, centroids, &resources)?);
    }
    let mut settings = Vec::new();
    flatten(&crate::config::to_table(record, "run.toml")?, "", &mut settings);
    Ok(ReportInput {
        subtitle: format!("T_0 of the images in {}", record.images),
        counts: counts(record, &gathered),
        tables,
        classes: frequent_classes(&gathered),
        histograms: histograms(&gathered),
        images: gathered.images,
        settings,
        ..ReportInput::default()
    })
}

/// A run that was stopped early has no shard yet.
fn has_shards(store: &Path) -> bool {
    let entries = std::fs::read_dir(store).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "arrow"))
}

fn gather(
    record: &RunRecord,
    store: &StoreReader,
    centroids: Option<&Centroids>,
    resources: &Resources<'_>,
    pictures: &mut Pictures<'_>,
) -> Result<Gathered> {
    let classes = centroids.map_or(0, Centroids::classes);
    let mut gathered = Gathered {
        crops: vec![Vec::new(); classes],
        class_counts: vec![0; classes],
        ..Gathered::default()
    };
    let every = record.images_count.div_ceil(IMAGES_SHOWN).max(1);
    for shard in 0..store.shards_count() {
        let boxes = match centroids {
            Some(centroids) => labelled_boxes(store, centroids, shard, resources)?,
            None => unlabelled_boxes(store, shard)?,
        };
        let mut rest = boxes.as_slice();
        for image in store.read_shard(shard, Vectors::Skip)? {
            let (own, others) = rest.split_at(image.proposals.count());
            rest = others;
            if image.record.status == ImageStatus::Broken {
                gathered.images_broken += 1;
                continue;
            }
            let shown = u64::from(image.record.image_id - 1).is_multiple_of(every);
            gathered.add(&image, own);
            if shown {
                gathered.show(record, &image, own, pictures)?;
            }
        }
    }
    Ok(gathered)
}

/// The boxes of one shard before clustering, all of class 0.
fn unlabelled_boxes(store: &StoreReader, shard: usize) -> Result<Vec<LabelledBox>> {
    let mut boxes = Vec::new();
    for image in store.read_shard(shard, Vectors::Skip)? {
        boxes.extend(image.proposals.boxes.iter().map(|bounds| LabelledBox {
            image_id: image.record.image_id.into(),
            category_id: 0,
            bounds: *bounds,
            score: None,
        }));
    }
    Ok(boxes)
}

impl Gathered {
    fn add(&mut self, image: &StoredImage, boxes: &[LabelledBox]) {
        self.proposals_of_image.push(boxes.len() as u64);
        for labelled in boxes {
            if let Some(count) = self.class_counts.get_mut(labelled.category_id as usize) {
                *count += 1;
            }
            self.box_sides.push(geometry::area(&labelled.bounds).sqrt());
        }
        let counts = image.proposals.cluster_counts.iter();
        self.cluster_counts.extend(counts.map(|count| count.unsigned_abs() as u64));
    }

    fn show(
        &mut self,
        record: &RunRecord,
        image: &StoredImage,
        boxes: &[LabelledBox],
        pictures: &mut Pictures<'_>,
    ) -> Result<()> {
        let folder = Path::new(&record.images);
        let read = pictures.read(folder, &image.record.path, &record.config.limits)?;
        let Some(pixels) = read else { return Ok(()) };
        for labelled in boxes {
            if let Some(crops) = self.crops.get_mut(labelled.category_id as usize)
                && crops.len() < CROPS_SHOWN
            {
                crops.push(crop(&pixels, labelled)?);
            }
        }
        self.images.push(ReportImage {
            name: image.record.path.clone(),
            image: pixels,
            boxes: boxes.iter().map(|labelled| labelled.bounds).collect(),
            classes: boxes.iter().map(|labelled| labelled.category_id as u32).collect(),
        });
        Ok(())
    }
}

fn crop(image: &Image, labelled: &LabelledBox) -> Result<Image> {
    let [x0, y0, x1, y1] = labelled.bounds;
    let (x, y) = ((x0 as u32).min(image.width - 1), (y0 as u32).min(image.height - 1));
    let width = (x1.ceil() as u32).clamp(x + 1, image.width) - x;
    let height = (y1.ceil() as u32).clamp(y + 1, image.height) - y;
    image.crop(x, y, width, height)
}

fn counts(record: &RunRecord, gathered: &Gathered) -> Vec<(String, String)> {
    let readable = gathered.proposals_of_image.len() as u64;
    let proposals: u64 = gathered.proposals_of_image.iter().sum();
    let mean = proposals as f64 / readable.max(1) as f64;
    let mut counts = vec![
        ("images", readable.to_string()),
        ("broken files", gathered.images_broken.to_string()),
        ("proposals", proposals.to_string()),
        ("proposals an image", format!("{mean:.1}")),
    ];
    let open = record.images_count.saturating_sub(readable + gathered.images_broken);
    if open > 0 {
        counts.push(("images to be done", open.to_string()));
    }
    if !gathered.class_counts.is_empty() {
        let used = gathered.class_counts.iter().filter(|count| **count > 0).count();
        counts
            .push(("pseudo-classes in use", format!("{used} of {}", gathered.class_counts.len())));
    }
    counts.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn frequent_classes(gathered: &Gathered) -> Vec<ReportClass> {
    let mut order: Vec<usize> = (0..gathered.class_counts.len()).collect();
    rank(&mut order, &|a, b| gathered.class_counts[b].cmp(&gathered.class_counts[a]));
    order
        .into_iter()
        .filter(|&class| !gathered.crops[class].is_empty())
        .take(CLASSES_SHOWN)
        .map(|class| ReportClass {
            class: class as u32,
            boxes_count: gathered.class_counts[class],
            crops: gathered.crops[class].clone(),
        })
        .collect()
}

fn histograms(gathered: &Gathered) -> Vec<Histogram> {
    let used = gathered.class_counts.iter().copied().filter(|count| *count > 0);
    let all = [
        Histogram::whole_numbers(
            "Proposals of an image",
            "proposals",
            gathered.proposals_of_image.iter().copied(),
        ),
        Histogram::doublings(
            "Size of the boxes",
            "square root of the area, pixels",
            gathered.box_sides.iter().copied(),
        ),
        Histogram::whole_numbers("Size of the pseudo-classes", "boxes", used),
        Histogram::whole_numbers(
            "K of the clustering that found a region",
            "K",
            gathered.cluster_counts.iter().copied(),
        ),
    ];
    all.into_iter().filter(|histogram| !histogram.bars.is_empty()).collect()
}

fn evaluate(
    workspace: &Workspace,
    ground_truth: &Path,
    store: &StoreReader,
    centroids: &Centroids,
    resources: &Resources<'_>,
) -> Result<ReportTable> {
    let io = |error| Error::io(workspace.root(), error);
    let (data_set, _) = Temporary::create(&workspace.labels(0)).map_err(io)?;
    export_store(store, centroids, data_set.path(), resources)?;
    let input = EvaluationInput::from_files(ground_truth, data_set.path())?;
    let options = EvaluationOptions { class_agnostic: true, detections_max: vec![10, 25, 100] };
    let found = evaluation::evaluate(&input, &options, resources.workers, &resources.control)?;
    Ok(figures_table("T_0 class-agnostic, against the given boxes", &found))
}
