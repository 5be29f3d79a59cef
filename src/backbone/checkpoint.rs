//! A safetensors file as named f32 tensors, and the networks in it.
//!
//! Public self-supervised checkpoints wrap the backbone in their own modules (`module.`,
//! `encoder_q.`, `backbone.0.body.`, ...) beside heads and momentum copies. Where a network lies is
//! found from its own first names and not from a list of known wrappers; which one is read where there
//! are several, [`super::networks`] says.

use super::choice::Choice;
use crate::data::tensor_file::TensorFile;
use crate::{Error, Result, memory};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A tensor with its shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The tensors of a safetensors file, read when they are asked for.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    file: TensorFile<'a>,
    /// What stands before the names in the file, if it is one network of several.
    prefix: String,
    tensors: BTreeMap<String, TensorInfo>,
}

/// Names that a message lists at most.
const NAMES_LISTED: usize = 12;
/// How names of variances end: numbers that are never negative.
const VARIANCE: &str = "running_var";

impl<'a> Checkpoint<'a> {
    /// Reads the header of `bytes`; `source` names the file in errors.
    ///
    /// # Errors
    /// [`Error::Format`] when it is not a whole safetensors file: what it is instead.
    pub fn read(bytes: &'a [u8], source: &str) -> Result<Checkpoint<'a>> {
        Ok(Checkpoint::of(TensorFile::of_bytes(bytes, source)?))
    }

    /// Reads the header of a file; tensors stay on disk until they are asked for.
    ///
    /// # Errors
    /// As [`Checkpoint::read`]; [`Error::Io`]; [`Error::OutOfMemory`].
    pub fn open(path: &Path) -> Result<Checkpoint<'static>> {
        Ok(Checkpoint::of(TensorFile::open(path)?))
    }

    fn of(file: TensorFile<'_>) -> Checkpoint<'_> {
        Checkpoint { tensors: file.tensors(), prefix: String::new(), file }
    }

    /// The file's name in errors.
    pub fn source(&self) -> &str {
        self.file.source()
    }

    /// `length:fingerprint` of the whole file, as [`TensorFile::fingerprint`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn fingerprint(&self) -> Result<String> {
        self.file.fingerprint()
    }

    /// A text of the file's header.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.file.text(key)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// A tensor as f32.
    ///
    /// # Errors
    /// Those of [`Checkpoint::read_tensor`]; [`Error::OutOfMemory`].
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let mut values = memory::filled(0.0, shape.iter().product(), name)?;
        self.read_tensor(name, shape, &mut values)?;
        Ok(Tensor { shape: shape.to_vec(), values })
    }

    /// Reads a tensor of `shape` as f32 into `to`, which is as long.
    ///
    /// # Errors
    /// [`Error::WeightNames`] when the file lacks it, [`Error::Shape`] for another shape,
    /// [`Error::ElementType`] for one that is not f32, f16 or bf16, [`Error::NonFinite`];
    /// [`Error::Format`] for a negative variance; [`Error::Io`]. What `to` then holds is arbitrary.
    pub fn read_tensor(&self, name: &str, shape: &[usize], to: &mut [f32]) -> Result<()> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| self.names_error("a tensor is missing", [name].into_iter()))?;
        let full = || format!("{}: {}{name}", self.source(), self.prefix);
        if tensor.shape != shape || to.len() != shape.iter().product::<usize>() {
            let (wanted, got) = (format!("{shape:?}"), format!("{:?}", tensor.shape));
            return Err(Error::shape(full(), wanted, got));
        }
        if !self.floats(tensor, to)? {
            return Err(Error::ElementType {
                name: full(),
                expected: "F32, F16 or BF16".into(),
                got: format!("{:?}", tensor.dtype),
            });
        }
        if let Some(index) = to.iter().position(|value| !value.is_finite()) {
            return Err(Error::NonFinite { name: full(), index, value: to[index] });
        }
        let negative = to.iter().position(|value| *value < 0.0);
        if let Some(index) = negative.filter(|_| name.ends_with(VARIANCE)) {
            let reason = format!(
                "{}{name}: value {} at index {index} is negative, which no variance is",
                self.prefix, to[index]
            );
            return Err(Error::format(self.source(), reason));
        }
        Ok(())
    }

    /// What stands before `marks` in this file.
    pub fn prefixes(&self, marks: &[&str]) -> BTreeSet<&str> {
        let before = |name| marks.iter().filter_map(move |mark| str::strip_suffix(name, *mark));
        let of_module = |prefix: &&str| prefix.is_empty() || prefix.ends_with('.');
        self.names().flat_map(before).filter(of_module).collect()
    }

    /// The network of `choice` alone, its names without what stands before them.
    pub fn under(mut self, choice: &Choice) -> Checkpoint<'a> {
        let own = |(name, tensor): (String, TensorInfo)| {
            let name = name.strip_prefix(&choice.prefix).filter(|_| !choice.is_other(&name))?;
            Some((name.to_string(), tensor))
        };
        self.tensors = std::mem::take(&mut self.tensors).into_iter().filter_map(own).collect();
        self.prefix.push_str(&choice.prefix);
        self
    }

    /// Reads a tensor in one of the three types that weights come in; `false` for another.
    fn floats(&self, tensor: &TensorInfo, mut to: &mut [f32]) -> Result<bool> {
        let (bytes_count, convert): (usize, fn(&[u8]) -> f32) = match tensor.dtype {
            Dtype::F32 => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Dtype::F16 => (2, |b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()),
            Dtype::BF16 => (2, |b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()),
            _ => return Ok(false),
        };
        self.file.for_each_piece(tensor, |bytes| {
            let count = bytes.len() / bytes_count;
            let (values, rest) = std::mem::take(&mut to).split_at_mut(count);
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(bytes_count)) {
                *value = convert(bytes);
            }
            to = rest;
        })?;
        Ok(true)
    }

    /// An [`Error::WeightNames`] about this file that lists the first of `names` and counts them.
    pub fn names_error<'n>(&self, reason: &str, names: impl Iterator<Item = &'n str>) -> Error {
        let names: Vec<&str> = names.collect();
        let listed = names[..names.len().min(NAMES_LISTED)].join(", ");
        let more = match names.len().saturating_sub(NAMES_LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let under = match self.prefix.as_str() {
            "" => String::new(),
            prefix => format!(" (under `{prefix}`)"),
        };
        Error::WeightNames {
            file: format!("{}{under}", self.source()),
            reason: format!("{reason} ({})", names.len()),
            names: format!("{listed}{more}"),
        }
    }
}

/// The names that a folder's own weights file may have, the usual one first.
const FOLDER_NAMES: [&str; 2] = ["model.safetensors", "detector.safetensors"];
/// Names of files of weights that a folder may have in place of safetensors.
const FOREIGN_NAMES: [&str; 3] =
    ["model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The weights file that `path` names: itself, or, of a folder, the safetensors file in it.
///
/// # Errors
/// [`Error::Format`] for a folder without one safetensors file, naming what is there instead;
/// [`Error::Io`].
pub fn weights_file(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    if let Some(found) = FOLDER_NAMES.iter().map(|name| path.join(name)).find(|file| file.is_file())
    {
        return Ok(found);
    }
    let io = |error| Error::io(path, error);
    let mut others = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.extension().is_some_and(|ending| ending == "safetensors") {
            others.push(file);
        }
    }
    if let [only] = &others[..] {
        return Ok(only.clone());
    }
    let foreign = FOREIGN_NAMES.iter().find(|name| path.join(name).is_file());
    let reason = match (others.len(), foreign) {
        (0, None) => "a folder without a safetensors file".to_string(),
        (0, Some(name)) => {
            format!("a folder with `{name}` but no safetensors file; save the model as one")
        }
        (count, _) => format!("a folder with {count} safetensors files; name one of them"),
    };
    Err(Error::format(path, reason))
}
