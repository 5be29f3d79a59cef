//! The step `export`: T_0, the data set of Algorithm 1, as a COCO file.
//!
//! Proposals come from the store and their pseudo-classes from the centroids, one shard in memory
//! at a time. Readable images are listed even without proposals; broken ones are not, but keep
//! their rank as id (conventions.md, "Identity").

use crate::Result;
use crate::clustering::{Centroids, Resources, assign};
use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::{CocoImage, LabelledBox, pseudo_categories, write::write_dataset};
use crate::data::store::{ImageStatus, StoreReader, StoredImage, Vectors};
use crate::pipeline::workspace::{Step, Workspace};
use crate::workers::Workers;
use std::path::Path;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportReport {
    pub images_count: u64,
    pub boxes_count: u64,
    pub classes_count: usize,
}

/// Writes T_0 of a run to `out`.
///
/// # Errors
/// [`crate::Error::RunStep`] before `cluster`; [`crate::Error::Output`] for an `out` that cannot be
/// written, before the work; [`crate::Error::Format`] for damaged files, [`crate::Error::Io`]; `out`
/// is then as it was.
pub fn export(
    workspace: &Workspace,
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ExportReport> {
    let record = workspace.record_after(Step::Cluster)?;
    let store = StoreReader::open(&workspace.proposals())?;
    let centroids = Centroids::load(&workspace.clusters())?;
    let memory_bytes_max = record.config.cluster.memory_bytes_max;
    let resources = Resources { workers, control: *control, memory_bytes_max };
    export_store(&store, &centroids, out, &resources)
}

/// Writes the data set of a store and its pseudo-classes to `out`.
///
/// # Errors
/// As [`export`].
pub fn export_store(
    store: &StoreReader,
    centroids: &Centroids,
    out: &Path,
    resources: &Resources<'_>,
) -> Result<ExportReport> {
    write_store(store, centroids, "T_0: proposals with pseudo-classes", out, resources)
}

/// [`export_store`] to a file that says of itself what `description` says.
///
/// # Errors
/// As [`export`].
pub(super) fn write_store(
    store: &StoreReader,
    centroids: &Centroids,
    description: &str,
    out: &Path,
    resources: &Resources<'_>,
) -> Result<ExportReport> {
    atomic_file::check(out)?;
    let readable = |image: &Result<StoredImage>| !matches!(image, Ok(image) if image.record.status == ImageStatus::Broken);
    let mut images_count = 0;
    let images = store.images(Vectors::Skip).filter(readable).map(|image| {
        let record = image?.record;
        images_count += 1;
        Ok(CocoImage::new(record.image_id.into(), record.path, record.width, record.height))
    });
    let boxes = (0..store.shards_count()).flat_map(|shard| {
        labelled_boxes(store, centroids, shard, resources)
            .map_or_else(|error| vec![Err(error)], |boxes| boxes.into_iter().map(Ok).collect())
    });
    let categories = pseudo_categories(centroids.classes() as u32);
    write_dataset(out, description, images, &categories, boxes)?;
    Ok(ExportReport {
        images_count,
        boxes_count: store.proposals_count(),
        classes_count: centroids.classes(),
    })
}

/// The boxes of one shard with their pseudo-classes, in the order of the store.
pub(super) fn labelled_boxes(
    store: &StoreReader,
    centroids: &Centroids,
    shard: usize,
    resources: &Resources<'_>,
) -> Result<Vec<LabelledBox>> {
    let images = store.read_shard(shard, Vectors::Skip)?;
    let first = images.first().map_or(0, |image| image.first_row);
    let boxes_count: usize = images.iter().map(|image| image.proposals.count()).sum();
    let mut classes = Vec::with_capacity(boxes_count);
    assign(store, first..first + boxes_count as u64, centroids, resources, |_, found, _| {
        classes.extend_from_slice(found);
        Ok(())
    })?;
    let boxes = images.iter().flat_map(|image| {
        let ranked = image.proposals.boxes.iter().zip(&image.proposals.scores);
        ranked.map(|(bounds, score)| (image.record.image_id, *bounds, *score))
    });
    let labelled = boxes.zip(classes).map(|((image_id, bounds, score), category_id)| LabelledBox {
        image_id: i64::from(image_id),
        category_id: i64::from(category_id),
        bounds,
        score: Some(score),
    });
    Ok(labelled.collect())
}
