//! A folder of photographs in; a COCO data set without labels and one picture to look at out.

use simdetr::clustering::{self, ClusterConfig, Resources};
use simdetr::control::Control;
use simdetr::data::atomic_file;
use simdetr::data::drawing::{Outline, draw_box, palette, thickness_for};
use simdetr::data::image::{ImageLimits, decode, encode};
use simdetr::data::store::{StoreReader, Vectors};
use simdetr::data::vectors::VectorArray;
use simdetr::encoder::source;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::export::export_store;
use simdetr::pipeline::image_extractor::ImageExtractor;
use simdetr::pipeline::store_extraction::{extract_into_store, proposals_document};
use simdetr::workers::Workers;
use std::path::Path;

fn run(photos: &Path, out: &Path) -> simdetr::Result<()> {
    let (config, control) = (RunConfig::default(), Control::default());
    let workers = Workers::with_threads(0)?;
    let encoder = source::open(&config.encoder)?;
    let extractor = ImageExtractor::new(encoder, &config)?;
    let made_from = proposals_document(&extractor)?;
    let settings = config.store.settings(extractor.dimensions(), made_from)?;
    let proposals = out.join("proposals");
    let target = (proposals.as_path(), settings);
    let report = extract_into_store(&extractor, photos, target, false, &workers, &control)?;

    let store = StoreReader::open(&proposals)?;
    let classes = ClusterConfig { classes: 4, ..ClusterConfig::default() };
    let fit = clustering::fit(&store, &classes, &workers, control)?;
    let memory_bytes_max = classes.memory_bytes_max;
    let resources = Resources { workers: &workers, control, memory_bytes_max };
    export_store(&store, &fit.centroids, &out.join("T0.json"), &resources)?;

    if let Some(first) = store.images(Vectors::Read).next() {
        let first = first?;
        let file = photos.join(&first.record.path);
        let mut picture = decode::read(&file, &ImageLimits::default())?;
        let set = &first.proposals;
        let vectors = VectorArray::new(&set.vectors, set.dimensions)?;
        let labels = clustering::labels(&vectors, &fit.centroids, &resources)?;
        let thickness = thickness_for(&picture);
        for (bounds, class) in set.boxes.iter().zip(labels) {
            draw_box(&mut picture, bounds, Outline { colour: palette(class), thickness });
        }
        atomic_file::write(&out.join("overlay.png"), &encode::png(&picture)?)?;
    }
    println!("{} images, {} boxes", report.images_count, report.proposals_count);
    Ok(())
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, photos, out] = &arguments[..] else {
        eprintln!("usage: dataset PHOTOS OUT");
        return 2.into();
    };
    match run(Path::new(photos), Path::new(out)) {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}
