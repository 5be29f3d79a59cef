//! What every room of the exported detector is made of: constants from parameters, linear layers,
//! normalisations.

use crate::detector::config::DetectorConfig;
use crate::detector::onnx::graph::{Attribute, Graph, Value};
use crate::detector::whole_detector::Detector;
use crate::{Error, Result};

/// Added to variances by the transformer's normalisations and the group norms (torch's default).
pub(super) const EPSILON: f32 = 1e-5;

/// A detector and the graph so far.
pub(super) struct Parts<'a> {
    pub(super) detector: &'a Detector,
    pub(super) graph: &'a mut Graph,
}

impl<'a> Parts<'a> {
    pub(super) fn config(&self) -> &'a DetectorConfig {
        self.detector.config()
    }

    /// The values of a parameter by its official name.
    pub(super) fn values(&self, name: &str) -> Result<&'a [f32]> {
        let missing = || Error::Internal { reason: format!("the table lacks {name}") };
        let parameter = self.detector.table().get(name).ok_or_else(missing)?;
        Ok(&self.detector.parameters()[parameter.range.clone()])
    }

    /// A parameter as a constant of `shape`.
    pub(super) fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<Value> {
        let values = self.values(name)?;
        Ok(self.graph.floats(name, shape, values))
    }

    /// `[..., inputs]` times `NAME.weight`, plus `NAME.bias`.
    pub(super) fn linear(&mut self, name: &str, rows: &Value, outputs: usize) -> Result<Value> {
        let (weight, bias) =
            (self.values(&format!("{name}.weight"))?, self.values(&format!("{name}.bias"))?);
        Ok(self.linear_of(name, rows, weight, bias, outputs))
    }

    /// `[..., inputs]` times the transposed `[outputs, inputs]` weight, plus a bias.
    pub(super) fn linear_of(
        &mut self,
        name: &str,
        rows: &Value,
        weight: &[f32],
        bias: &[f32],
        outputs: usize,
    ) -> Value {
        let inputs = weight.len() / outputs;
        let by_input = |input: usize| (0..outputs).map(move |output| output * inputs + input);
        let transposed: Vec<f32> =
            (0..inputs).flat_map(by_input).map(|place| weight[place]).collect();
        let weight = self.graph.floats(name, &[inputs, outputs], &transposed);
        let bias = self.graph.floats(name, &[outputs], bias);
        let product = self.graph.node("MatMul", &[rows, &weight], &[]);
        self.graph.add(&product, &bias)
    }

    pub(super) fn relu(&mut self, value: &Value) -> Value {
        self.graph.node("Relu", &[value], &[])
    }

    /// norm(rows + change).
    pub(super) fn residual_norm(
        &mut self,
        name: &str,
        rows: &Value,
        change: &Value,
    ) -> Result<Value> {
        let columns = [self.config().hidden_size];
        let weight = self.parameter(&format!("{name}.weight"), &columns)?;
        let bias = self.parameter(&format!("{name}.bias"), &columns)?;
        let sum = self.graph.add(rows, change);
        let attributes = [Attribute::Integer("axis", -1), Attribute::Float("epsilon", EPSILON)];
        Ok(self.graph.node("LayerNormalization", &[&sum, &weight, &bias], &attributes))
    }

    /// norm(rows + linear2(relu(linear1(rows)))).
    pub(super) fn feedforward(&mut self, name: &str, norm: &str, rows: &Value) -> Result<Value> {
        let DetectorConfig { feedforward_size, hidden_size, .. } = *self.config();
        let inner = self.linear(&format!("{name}.linear1"), rows, feedforward_size)?;
        let inner = self.relu(&inner);
        let change = self.linear(&format!("{name}.linear2"), &inner, hidden_size)?;
        self.residual_norm(&format!("{name}.{norm}"), rows, &change)
    }
}
