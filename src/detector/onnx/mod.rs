//! A detector as an ONNX file, for programs that run ONNX models.
//!
//! ```text
//! images [batch, 3, height, width], normalised ──▶ logits [batch, queries, classes]
//!                                                  boxes  [batch, queries, 4], cxcywh in [0, 1]
//! ```
//!
//! The batch is free, and so is each side that is not given; images fill the batch, without padding.
//! Where both sides are given, all that follows from them is constant. That is for runtimes that want it,
//! not for speed: in ONNX Runtime 1.32 on one thread, free sides take 0.99 times the processor time of
//! given ones with preset `tiny` at 160 x 224 (8.7 ms, 600 runs) and 1.01 times with `deformable-detr-r50`
//! at 480 x 608 (1.1 s, 30 runs): medians, of times that scatter by more. Beside the graph are the
//! detector's description, under the key of its safetensors file, and the facts of [`host_guide`].
//!
//! Only operators of version 17 of the standard set are used. The file is written here, field by field,
//! because it needs no more of Protocol Buffers than four kinds of content.

pub mod graph;
mod protobuf;

use super::host_guide::host_guide;
use crate::data::atomic_file;
use crate::detector::description::KEY;
use crate::detector::whole_detector::Detector;
use crate::{Error, Result};
use graph::{Graph, Side};
use std::path::Path;

/// Most pixels of a side that is given.
const SIDE_MAX: usize = 1 << 13;

/// Writes `detector` for images of `height` by `width` pixels; a side that is 0 stays free, and the file
/// takes any. Detectors are made for multiples of `side_multiple` of their `ResizeRule`, which a side
/// that is given has to be.
///
/// # Errors
/// [`Error::InvalidArgument`] for a side that is too large or no multiple; [`Error::Output`] and
/// [`Error::Io`]; what lay there stays whole then.
pub fn export(detector: &Detector, height: usize, width: usize, path: &Path) -> Result<()> {
    atomic_file::check(path)?;
    let (height, width) = (given(detector, "height", height)?, given(detector, "width", width)?);
    atomic_file::write(path, &model(detector, height, width)?)
}

/// A side of the caller, unless it is free.
fn given(detector: &Detector, name: &'static str, side: usize) -> Result<Option<usize>> {
    if side > SIDE_MAX {
        return Err(Error::invalid(name, format!("{side} is over {SIDE_MAX}")));
    }
    let multiple = detector.description().resize.side_multiple as usize;
    if !side.is_multiple_of(multiple) {
        let reason = format!("{side} is not a multiple of the detector's side_multiple {multiple}");
        return Err(Error::invalid(name, reason));
    }
    Ok((side > 0).then_some(side))
}

fn model(detector: &Detector, height: Option<usize>, width: Option<usize>) -> Result<Vec<u8>> {
    let (config, description) = (detector.config(), detector.description());
    let mut graph = Graph::default();
    let (batch, queries) = (Side::Named("batch"), Side::Fixed(config.queries_count));
    let side = |name, given: Option<usize>| given.map_or(Side::Named(name), Side::Fixed);
    let shape = [batch, Side::Fixed(3), side("height", height), side("width", width)];
    let images = graph.input("images", &shape);
    let sides = (height, width);
    let (logits, boxes) = config.kind.add_to_onnx(detector, &mut graph, &images, sides)?;
    let classes = Side::Fixed(config.classes_count);
    graph.output(&logits, "logits", &[batch, queries, classes]);
    graph.output(&boxes, "boxes", &[batch, queries, Side::Fixed(4)]);
    let mut texts = host_guide(description, height, width);
    texts.push((KEY, description.to_text()?));
    Ok(graph.into_model(config.kind.name(), &texts))
}
