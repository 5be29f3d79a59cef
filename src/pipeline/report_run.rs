//! The step `report`: gathers from a run folder what [`report`](super::report) shows.
//!
//! Only a sample of images is read again, spread evenly over the run, so a report of a large set
//! costs no more than one of a small set; counts and histograms are of the whole set.

use crate::clustering::{Centroids, Resources};
use crate::control::Control;
use crate::data::coco::LabelledBox;
use crate::data::image::{Image, decode};
use crate::data::store::{ImageStatus, StoreReader, StoredImage, Vectors};
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::geometry;
use crate::pipeline::export::{export_store, labelled_boxes};
use crate::pipeline::report::{
    self, Histogram, ReportClass, ReportImage, ReportInput, ReportTable,
};
use crate::pipeline::report_training;
use crate::pipeline::workspace::{RunRecord, Step, Workspace};
use crate::ranking::rank;
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Images on the sheet of images.
const IMAGES_SHOWN: u64 = 24;
/// Pseudo-classes on the sheet of crops, and crops of each.
const CLASSES_SHOWN: usize = 24;
const CROPS_SHOWN: usize = 8;

/// What is gathered in one pass over the store.
struct Gathered {
    images: Vec<ReportImage>,
    crops: Vec<Vec<Image>>,
    class_counts: Vec<u64>,
    proposals_of_image: Vec<u64>,
    box_sides: Vec<f64>,
    cluster_counts: Vec<u64>,
}

/// Writes `report.html` into the run and answers its path. With `ground_truth`, a COCO file, the
/// report has class-agnostic figures. A run that was trained shows its stages too.
///
/// # Errors
/// [`Error::RunStep`] before `cluster`; [`Error::Io`], [`Error::ImageDecode`] when the images of
/// the sample are no longer there; those of the evaluation.
pub fn report(
    workspace: &Workspace,
    ground_truth: Option<&Path>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PathBuf> {
    let record = workspace.record_after(Step::Cluster)?;
    let store = StoreReader::open(&workspace.proposals())?;
    let centroids = Centroids::load(&workspace.clusters())?;
    let memory_bytes_max = record.config.cluster.memory_bytes_max;
    let resources = Resources { workers, control: *control, memory_bytes_max };
    let gathered = gather(&record, &store, &centroids, &resources)?;
    let training = report_training::gather(workspace, &record, ground_truth, workers, control)?;
    let mut tables = training.tables;
    if let Some(truth) = ground_truth {
        tables.push(evaluate(workspace, truth, &store, &centroids, &resources)?);
    }
    let title = match training.stages_count {
        0 => "Stage 0: proposals and pseudo-classes".into(),
        1 => "A detector pretrained in one stage".into(),
        stages => format!("A detector pretrained in {stages} stages"),
    };
    let input = ReportInput {
        title,
        subtitle: format!("T_0 of the images in {}", record.images),
        curves: training.curves,
        comparisons: training.comparisons,
        counts: counts(&record, &store, &gathered),
        tables,
        classes: frequent_classes(&gathered),
        histograms: histograms(&gathered),
        images: gathered.images,
        settings: settings(&record)?,
    };
    report::write(&workspace.report(), &input)?;
    Ok(workspace.report())
}

fn gather(
    record: &RunRecord,
    store: &StoreReader,
    centroids: &Centroids,
    resources: &Resources<'_>,
) -> Result<Gathered> {
    let mut gathered = Gathered {
        images: Vec::new(),
        crops: vec![Vec::new(); centroids.classes()],
        class_counts: vec![0; centroids.classes()],
        proposals_of_image: Vec::new(),
        box_sides: Vec::new(),
        cluster_counts: Vec::new(),
    };
    let every = record.images_count.div_ceil(IMAGES_SHOWN).max(1);
    for shard in 0..store.shards_count() {
        let boxes = labelled_boxes(store, centroids, shard, resources)?;
        let mut rest = boxes.as_slice();
        for image in store.read_shard(shard, Vectors::Skip)? {
            let (own, others) = rest.split_at(image.proposals.count());
            rest = others;
            if image.record.status == ImageStatus::Broken {
                continue;
            }
            let shown = u64::from(image.record.image_id - 1).is_multiple_of(every);
            gathered.add(&image, own);
            if shown {
                gathered.show(record, &image, own)?;
            }
        }
    }
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, image: &StoredImage, boxes: &[LabelledBox]) {
        self.proposals_of_image.push(boxes.len() as u64);
        for labelled in boxes {
            self.class_counts[labelled.category_id as usize] += 1;
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
    ) -> Result<()> {
        let path = Path::new(&record.images).join(&image.record.path);
        let pixels = decode::read(&path, &record.config.limits)?;
        for labelled in boxes {
            let crops = &mut self.crops[labelled.category_id as usize];
            if crops.len() < CROPS_SHOWN {
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

fn counts(record: &RunRecord, store: &StoreReader, gathered: &Gathered) -> Vec<(String, String)> {
    let used = gathered.class_counts.iter().filter(|count| **count > 0).count();
    let readable = record.images_count - record.images_broken;
    let mean = store.proposals_count() as f64 / readable.max(1) as f64;
    [
        ("images", readable.to_string()),
        ("broken files", record.images_broken.to_string()),
        ("proposals", store.proposals_count().to_string()),
        ("proposals an image", format!("{mean:.1}")),
        ("pseudo-classes in use", format!("{used} of {}", gathered.class_counts.len())),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into()
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
    vec![
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
    ]
}

fn settings(record: &RunRecord) -> Result<Vec<(String, String)>> {
    let table = crate::config::to_table(record, "run.toml")?;
    let mut settings = Vec::new();
    flatten(&table, "", &mut settings);
    Ok(settings)
}

fn flatten(table: &toml::Table, prefix: &str, settings: &mut Vec<(String, String)>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => flatten(inner, &format!("{prefix}{key}."), settings),
            value => settings.push((format!("{prefix}{key}"), value.to_string())),
        }
    }
}

fn evaluate(
    workspace: &Workspace,
    ground_truth: &Path,
    store: &StoreReader,
    centroids: &Centroids,
    resources: &Resources<'_>,
) -> Result<ReportTable> {
    let data_set = workspace.root().join("report-T0.json");
    export_store(store, centroids, &data_set, resources)?;
    let input = EvaluationInput::from_files(ground_truth, &data_set);
    std::fs::remove_file(&data_set).map_err(|error| Error::io(&data_set, error))?;
    let options = EvaluationOptions { class_agnostic: true, detections_max: vec![10, 25, 100] };
    let found = evaluation::evaluate(&input?, &options, resources.workers, &resources.control)?;
    Ok(ReportTable {
        title: "T_0 class-agnostic, against the given boxes".into(),
        columns: vec!["figure".into(), "value".into()],
        rows: found
            .figures()
            .into_iter()
            .map(|(name, value)| vec![name, format!("{value:.4}")])
            .collect(),
    })
}
