//! A detector as an ONNX file, for programs that run ONNX models.
//!
//! ```text
//! images [batch, 3, height, width], normalised ──▶ logits [batch, queries, classes]
//!                                                  boxes  [batch, queries, 4], cxcywh in [0, 1]
//! ```
//!
//! The batch is free and the size fixed; images fill it, without padding. Only operators of version
//! 17 of the standard set are used. The file is written here, field by field, because it needs no more
//! of Protocol Buffers than four kinds of content.

mod attention;
mod backbone;
mod graph;
mod parts;
mod protobuf;
mod transformer;

use crate::data::atomic_file;
use crate::detector::deformable_detr::batch_geometry::BatchGeometry;
use crate::detector::deformable_detr::description::KEY;
use crate::detector::deformable_detr::detector::Detector;
use crate::{Error, Result};
use graph::{Graph, Side};
use parts::Parts;
use std::path::Path;

/// Most pixels of a side.
const SIDE_MAX: usize = 1 << 13;

/// Writes `detector` for images of `height` by `width`; [`default_side`] where a side is 0. The
/// detector's description is beside the graph, under the key of its safetensors file.
///
/// # Errors
/// [`Error::InvalidArgument`] for a size that is too large; [`Error::Io`]; what lay there stays whole
/// then.
pub fn export(detector: &Detector, height: usize, width: usize, path: &Path) -> Result<()> {
    atomic_file::check(path)?;
    let side = |side: usize| if side == 0 { default_side(detector) } else { side };
    atomic_file::write(path, &model(detector, side(height), side(width))?)
}

/// The side of a square image as the detector sees it.
pub fn default_side(detector: &Detector) -> usize {
    let rule = &detector.description().resize;
    rule.target(rule.image_short_side, rule.image_short_side).0 as usize
}

fn model(detector: &Detector, height: usize, width: usize) -> Result<Vec<u8>> {
    for (name, side) in [("height", height), ("width", width)] {
        if !(1..=SIDE_MAX).contains(&side) {
            return Err(Error::invalid(name, format!("{side} is outside 1 to {SIDE_MAX}")));
        }
    }
    let config = detector.config();
    let levels = config.level_sizes(height, width);
    let geometry = BatchGeometry { height, width, levels };
    let mut parts = Parts { detector, geometry, graph: Graph::default() };
    let batch = Side::Named("batch");
    let shape = [batch, Side::Fixed(3), Side::Fixed(height), Side::Fixed(width)];
    let images = parts.graph.input("images", &shape);
    let maps = backbone::maps(&mut parts, &images)?;
    let cells = backbone::project(&mut parts, &maps)?;
    let memory = transformer::encode(&mut parts, cells)?;
    let (logits, boxes) = transformer::decode(&mut parts, &memory, &images)?;
    let queries = Side::Fixed(config.queries_count);
    let classes = Side::Fixed(config.classes_count);
    parts.graph.output(&logits, "logits", &[batch, queries, classes]);
    parts.graph.output(&boxes, "boxes", &[batch, queries, Side::Fixed(4)]);
    Ok(parts.graph.into_model(&[(KEY, detector.description().to_text()?)]))
}
