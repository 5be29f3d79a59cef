//! A network whose parameters are asked for by their public names.

use super::{NetworkBuilder, TensorId};
use crate::nn::parameters::{Parameter, ParameterTable};
use crate::{Error, Result};
use std::collections::HashMap;
use std::ops::Range;

/// Collects operations; each range of a parameter is one tensor, however often it is used.
#[derive(Debug)]
pub struct NamedBuilder<'a> {
    pub network: NetworkBuilder,
    table: &'a ParameterTable,
    tensors: HashMap<Range<usize>, TensorId>,
}

impl<'a> NamedBuilder<'a> {
    /// An empty network with the parameters of `table`, to be run on up to `workers_count` workers.
    pub fn new(table: &'a ParameterTable, workers_count: usize) -> NamedBuilder<'a> {
        let network = NetworkBuilder::new(workers_count);
        NamedBuilder { network, table, tensors: HashMap::new() }
    }

    /// A parameter by its name.
    ///
    /// # Errors
    /// [`Error::Internal`] for a name that the table lacks.
    pub fn parameter(&mut self, name: &str) -> Result<TensorId> {
        let length = self.entry(name)?.range.len();
        self.part_of(name, 0..length)
    }

    /// Some consecutive numbers of a parameter.
    ///
    /// # Errors
    /// As [`NamedBuilder::parameter`].
    pub fn part_of(&mut self, name: &str, part: Range<usize>) -> Result<TensorId> {
        let entry = self.entry(name)?;
        let range = entry.range.start + part.start..entry.range.start + part.end;
        let (network, trained) = (&mut self.network, entry.trained);
        let key = range.clone();
        Ok(*self.tensors.entry(key).or_insert_with(|| network.parameter(range, trained)))
    }

    fn entry(&self, name: &str) -> Result<&'a Parameter> {
        let missing = || Error::Internal { reason: format!("the table lacks {name}") };
        self.table.get(name).ok_or_else(missing)
    }
}
