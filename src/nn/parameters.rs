//! The parameters of a network: names, shapes, what training does with them and what they start as, and
//! their places in one flat array.
//!
//! Trained parameters come first, so that gradients and an optimiser's moments are arrays of
//! [`ParameterTable::trained_length`] numbers and a frozen backbone costs them nothing.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// What a parameter is for, which decides its learning rate and what becomes of it where a detector takes
/// over another one's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    Backbone,
    /// It says where attention looks.
    Points,
    /// What is learned of each query, one row each; groups of queries follow each other.
    Queries,
    /// It answers for the classes of one data set.
    ClassHead,
    #[default]
    Other,
}

/// What a parameter is before training.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    Constant(f32),
    /// Normal numbers of this deviation around 0.
    Normal(f64),
    /// Equally likely on either side of 0, up to this.
    Uniform(f64),
    /// Offsets `[heads, levels, points, 2]` of points to sample: each head looks along a direction of its
    /// own, and point i is i + 1 steps away.
    Rings {
        heads: usize,
        points: usize,
    },
    /// As many as the parameter has.
    Values(Vec<f32>),
}

/// A parameter before it has a place.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// The public name.
    pub name: String,
    pub shape: Vec<usize>,
    /// Whether training changes it.
    pub trained: bool,
    pub role: Role,
    /// Whether weight decay pulls it to 0.
    pub decays: bool,
    pub initial: Initial,
}

impl ParameterSpec {
    /// A trained parameter that decays and starts from 0.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> ParameterSpec {
        ParameterSpec {
            name: name.into(),
            shape: shape.to_vec(),
            trained: true,
            role: Role::default(),
            decays: true,
            initial: Initial::Constant(0.0),
        }
    }

    /// Number of values.
    pub fn length(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A parameter with its place in the flat array.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub trained: bool,
    pub role: Role,
    pub decays: bool,
    pub initial: Initial,
    pub range: Range<usize>,
}

/// Every parameter of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterTable {
    parameters: Vec<Parameter>,
    places: BTreeMap<String, usize>,
    trained_length: usize,
    length: usize,
}

impl ParameterTable {
    /// Places `specs`: the trained ones in their order, then the others.
    ///
    /// # Errors
    /// [`Error::Internal`] for a name that comes twice.
    pub fn new(specs: Vec<ParameterSpec>) -> Result<ParameterTable> {
        let (trained, others): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| spec.trained);
        let trained_length = trained.iter().map(ParameterSpec::length).sum();
        let (mut parameters, mut places, mut length) = (Vec::new(), BTreeMap::new(), 0);
        for spec in trained.into_iter().chain(others) {
            let range = length..length + spec.length();
            length = range.end;
            if places.insert(spec.name.clone(), parameters.len()).is_some() {
                return Err(Error::Internal { reason: format!("parameter {} twice", spec.name) });
            }
            let ParameterSpec { name, shape, trained, role, decays, initial } = spec;
            parameters.push(Parameter { name, shape, trained, role, decays, initial, range });
        }
        Ok(ParameterTable { parameters, places, trained_length, length })
    }

    /// All parameters in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter()
    }

    /// A parameter by its name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.places.get(name).map(|&place| &self.parameters[place])
    }

    /// Numbers of all trained parameters, which come first.
    pub fn trained_length(&self) -> usize {
        self.trained_length
    }

    /// Numbers of all parameters.
    pub fn length(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trained_parameters_come_first() {
        let frozen = ParameterSpec { trained: false, ..ParameterSpec::new("frozen", &[4]) };
        let specs = vec![frozen, ParameterSpec::new("a", &[2, 3]), ParameterSpec::new("b", &[])];
        let table = ParameterTable::new(specs).unwrap();
        assert_eq!((table.trained_length(), table.length()), (7, 11));
        assert_eq!(table.get("frozen").unwrap().range, 7..11);
        assert_eq!(table.get("b").unwrap().range, 6..7);
        assert!(table.get("c").is_none());
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let specs = vec![ParameterSpec::new("a", &[1]), ParameterSpec::new("a", &[2])];
        assert!(ParameterTable::new(specs).unwrap_err().to_string().contains("a twice"));
    }
}
