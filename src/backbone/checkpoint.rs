//! A safetensors file as named f32 tensors, and the prefix under which it keeps its backbone.
//!
//! Public self-supervised checkpoints wrap the backbone in their own modules (`module.`,
//! `encoder_q.`, `backbone.0.body.`, ...) beside heads and momentum copies. The prefix is found
//! from the backbone's own first names and not from a list of known wrappers.

use crate::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A tensor with its shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The tensors of a safetensors file, still in the file's bytes.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    source: String,
    tensors: BTreeMap<String, TensorView<'a>>,
}

/// Parts of a prefix that mark a slowly moving copy of the network that is trained.
const COPIES: [&str; 5] = ["encoder_k", "momentum", "target", "teacher", "ema"];

/// Names that a message lists at most.
const NAMES_LISTED: usize = 12;

impl<'a> Checkpoint<'a> {
    /// Reads the header of `bytes`; `source` names the file in errors.
    ///
    /// # Errors
    /// [`Error::Format`] when it is not a whole safetensors file.
    pub fn read(bytes: &'a [u8], source: &str) -> Result<Checkpoint<'a>> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::format(source, format!("not a safetensors file: {error}")))?;
        let tensors = file.tensors().into_iter().collect();
        Ok(Checkpoint { source: source.into(), tensors })
    }

    /// The file's name in errors.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(TensorView::shape)
    }

    /// A tensor as f32.
    ///
    /// # Errors
    /// [`Error::WeightNames`] when the file lacks it, [`Error::Shape`] for another shape,
    /// [`Error::ElementType`] for one that is not f32, f16 or bf16, [`Error::NonFinite`].
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let view = self
            .tensors
            .get(name)
            .ok_or_else(|| self.names_error("a tensor is missing", [name].into_iter()))?;
        if view.shape() != shape {
            let (wanted, got) = (format!("{shape:?}"), format!("{:?}", view.shape()));
            return Err(Error::shape(format!("{}: {name}", self.source), wanted, got));
        }
        let values = floats(view).ok_or_else(|| Error::ElementType {
            name: format!("{}: {name}", self.source),
            expected: "F32, F16 or BF16".into(),
            got: format!("{:?}", view.dtype()),
        })?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let name = format!("{}: {name}", self.source);
            return Err(Error::NonFinite { name, index, value: values[index] });
        }
        Ok(Tensor { shape: shape.to_vec(), values })
    }

    /// What stands before `marks` (names that only the wanted network has) in this file, momentum
    /// copies left aside where there is another.
    ///
    /// # Errors
    /// [`Error::WeightNames`] when no name ends in one of `marks`, or several networks remain.
    pub fn prefix(&self, marks: &[&str]) -> Result<String> {
        let mut found = BTreeSet::new();
        for name in self.names() {
            for prefix in marks.iter().filter_map(|mark| name.strip_suffix(mark)) {
                if prefix.is_empty() || prefix.ends_with('.') {
                    found.insert(prefix);
                }
            }
        }
        let is_copy = |prefix: &&str| {
            prefix.split('.').any(|part| COPIES.iter().any(|copy| part.starts_with(copy)))
        };
        let trained: Vec<&str> = found.iter().copied().filter(|prefix| !is_copy(prefix)).collect();
        let all: Vec<&str> = found.into_iter().collect();
        let candidates = if trained.is_empty() { all } else { trained };
        match candidates[..] {
            [] => Err(self.names_error(
                &format!("no name ends in {}; found", marks.join(" or ")),
                self.names(),
            )),
            [prefix] => Ok(prefix.into()),
            _ => Err(self.names_error("several networks, under", candidates.into_iter())),
        }
    }

    /// An [`Error::WeightNames`] about this file that lists the first of `names` and counts them.
    pub fn names_error<'n>(&self, reason: &str, names: impl Iterator<Item = &'n str>) -> Error {
        let names: Vec<&str> = names.collect();
        let listed = names[..names.len().min(NAMES_LISTED)].join(", ");
        let more = match names.len().saturating_sub(NAMES_LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Error::WeightNames {
            file: self.source.clone(),
            reason: format!("{reason} ({})", names.len()),
            names: format!("{listed}{more}"),
        }
    }
}

/// The bytes of a file.
///
/// # Errors
/// [`Error::Io`].
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::io(path, source))
}

/// The values of a tensor in one of the three types that weights come in.
fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    fn halves(data: &[u8], convert: impl Fn(u16) -> f32) -> Vec<f32> {
        data.as_chunks::<2>().0.iter().map(|&bytes| convert(u16::from_le_bytes(bytes))).collect()
    }
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => {
            Some(data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
        }
        Dtype::F16 => Some(halves(data, |bits| half::f16::from_bits(bits).to_f32())),
        Dtype::BF16 => Some(halves(data, |bits| half::bf16::from_bits(bits).to_f32())),
        _ => None,
    }
}
