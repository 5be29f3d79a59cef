//! A Deformable DETR as nodes of an ONNX graph.

mod attention;
mod backbone;
mod free_sizes;
mod parts;
mod sizes;
mod transformer;

use crate::Result;
use crate::detector::onnx::graph::{Graph, Value};
use crate::detector::whole_detector::Detector;
use parts::Parts;
use sizes::Sizes;

/// Logits `[batch, queries, classes]` and boxes `[batch, queries, 4]` of the last layer for `images`, of
/// which a side that is `None` may be any.
///
/// # Errors
/// Those of the detector's configuration.
pub fn predictions(
    detector: &Detector,
    graph: &mut Graph,
    images: &Value,
    sides: (Option<usize>, Option<usize>),
) -> Result<(Value, Value)> {
    let mut parts = Parts { detector, graph };
    let maps = backbone::maps(&mut parts, images)?;
    let (cells, levels) = backbone::project(&mut parts, &maps)?;
    let sizes = match sides {
        (Some(height), Some(width)) => Sizes::fixed(&mut parts, height, width)?,
        _ => Sizes::free(&mut parts, &levels)?,
    };
    let memory = transformer::encode(&mut parts, cells, &sizes)?;
    transformer::decode(&mut parts, &memory, images, &sizes)
}
