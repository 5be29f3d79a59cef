//! A detector as files for other programs, and what they may not replace.

use super::arguments::Format;
use simdetr::data::atomic_file::{self, Target};
use simdetr::detector::host_guide::{Fact, host_guide};
use simdetr::detector::hugging_face::{beside, hugging_face_config, is_ours};
use simdetr::detector::naming::Naming;
use simdetr::detector::onnx;
use simdetr::detector::whole_detector::Detector;
use simdetr::{Error, Result};
use std::path::Path;

/// Refuses an output that is one of the command's inputs, unless by force.
///
/// # Errors
/// [`Error::Output`] with the path.
pub fn check_not_input(out: &Path, inputs: &[&Path], force: bool) -> Result<()> {
    match !force && inputs.iter().any(|input| atomic_file::is_same(out, input)) {
        true => Err(refused(out, "is an input of this command; --force replaces it")),
        false => Ok(()),
    }
}

/// Refuses, before the detector is read, what [`convert`] could not write or should not replace: its
/// own input, and a `config.json` of another program.
///
/// # Errors
/// [`Error::Output`] with the path; [`Error::InvalidArgument`]; [`Error::Io`].
pub fn check(input: &Path, format: Format, out: &Path, force: bool) -> Result<()> {
    check_not_input(out, &[input], force)?;
    atomic_file::check(out)?;
    if format != Format::HuggingFace {
        return Ok(());
    }
    if !matches!(Target::of(out)?, Target::File { .. }) {
        return Err(refused(out, "this format is two files, which need a folder"));
    }
    let document = beside(out);
    if document == out {
        return Err(Error::invalid("out", "config.json is the name of the document beside it"));
    }
    atomic_file::check(&document)?;
    match force {
        true => Ok(()),
        false => atomic_file::check_ours(&document, is_ours),
    }
}

/// Writes `detector`; `height` and `width` are those of an ONNX model's images. Answers what a host has to
/// do that runs the file, if one can.
///
/// # Errors
/// Those of writing the format.
pub fn convert(
    detector: &Detector,
    format: Format,
    (height, width): (usize, usize),
    out: &Path,
) -> Result<Vec<Fact>> {
    match format {
        Format::Official => detector.save(out, Naming::Official)?,
        Format::HuggingFace => {
            let document = hugging_face_config(detector)?;
            detector.save(out, Naming::HuggingFace)?;
            atomic_file::write(&beside(out), document.as_bytes())?;
        }
        Format::Backbone => detector.save_backbone(out)?,
        Format::Onnx => {
            onnx::export(detector, height, width, out)?;
            let given = |side: usize| (side > 0).then_some(side);
            return Ok(host_guide(detector.description(), given(height), given(width)));
        }
    }
    Ok(Vec::new())
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Output { path: path.into(), reason: reason.into() }
}
