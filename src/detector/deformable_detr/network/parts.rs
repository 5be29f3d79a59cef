//! What every room of the detector is made of: named parameters, linear layers, normalisations.

use crate::Result;
use crate::detector::config::DetectorConfig;
use crate::nn::network::TensorId;
use crate::nn::network::named::NamedBuilder;
use crate::nn::ops::add::Add;
use crate::nn::ops::dropout::{Dropout, Thinning};
use crate::nn::ops::layer_norm::LayerNorm;
use crate::nn::ops::linear::Linear;
use crate::nn::parameters::ParameterTable;

/// Added to variances by the transformer's normalisations (torch's default).
const EPSILON: f64 = 1e-5;

/// Collects the operations of a detector.
pub(super) struct Parts<'a> {
    pub(super) config: &'a DetectorConfig,
    pub(super) images: usize,
    /// Groups of each image's queries that do not see each other.
    pub(super) groups: usize,
    pub(super) builder: NamedBuilder<'a>,
    dropouts_count: u16,
}

/// Rows of numbers: `[images * rows_of_image, columns]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) tensor: TensorId,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        config: &'a DetectorConfig,
        table: &'a ParameterTable,
        (images, groups): (usize, usize),
        workers_count: usize,
    ) -> Parts<'a> {
        Parts {
            config,
            images,
            groups,
            builder: NamedBuilder::new(table, workers_count),
            dropouts_count: 0,
        }
    }

    /// Rows times `NAME.weight`, plus `NAME.bias`.
    pub(super) fn linear(
        &mut self,
        name: &str,
        rows: Rows,
        outputs: usize,
        relu: bool,
    ) -> Result<Rows> {
        let weight = self.builder.parameter(&format!("{name}.weight"))?;
        let bias = self.builder.parameter(&format!("{name}.bias"))?;
        Ok(self.linear_of(rows, weight, bias, outputs, relu))
    }

    /// Rows times a weight, plus a bias.
    pub(super) fn linear_of(
        &mut self,
        rows: Rows,
        weight: TensorId,
        bias: TensorId,
        outputs: usize,
        relu: bool,
    ) -> Rows {
        let operation = Linear { rows: rows.rows, inputs: rows.columns, outputs, relu };
        let tensor = self.builder.network.add(operation, &[rows.tensor, weight, bias]);
        Rows { tensor, rows: rows.rows, columns: outputs }
    }

    /// The sum of two tensors.
    pub(super) fn add(&mut self, first: Rows, second: TensorId) -> Rows {
        let operation = Add { length: first.rows * first.columns };
        Rows { tensor: self.builder.network.add(operation, &[first.tensor, second]), ..first }
    }

    /// norm(rows + dropout(change)).
    pub(super) fn residual_norm(&mut self, name: &str, rows: Rows, change: Rows) -> Result<Rows> {
        let change = self.dropout(change);
        let weight = self.builder.parameter(&format!("{name}.weight"))?;
        let bias = self.builder.parameter(&format!("{name}.bias"))?;
        let Rows { rows: count, columns, .. } = rows;
        let operation = LayerNorm { rows: count, columns, residual: true, epsilon: EPSILON };
        let inputs = [rows.tensor, change.tensor, weight, bias];
        Ok(Rows { tensor: self.builder.network.add(operation, &inputs), ..rows })
    }

    /// norm(rows + dropout(linear2(dropout(relu(linear1(rows)))))).
    pub(super) fn feedforward(&mut self, name: &str, norm: &str, rows: Rows) -> Result<Rows> {
        let inner = self.config.feedforward_size;
        let hidden = self.linear(&format!("{name}.linear1"), rows, inner, true)?;
        let hidden = self.dropout(hidden);
        let change = self.linear(&format!("{name}.linear2"), hidden, rows.columns, false)?;
        self.residual_norm(&format!("{name}.{norm}"), rows, change)
    }

    /// The next dropout, where there is any.
    pub(super) fn thinning(&mut self) -> Option<Thinning> {
        let rate = f64::from(self.config.dropout);
        let number = self.dropouts_count;
        self.dropouts_count += u16::from(rate > 0.0);
        (rate > 0.0).then_some(Thinning { rate, number })
    }

    fn dropout(&mut self, rows: Rows) -> Rows {
        let Some(Thinning { rate, number }) = self.thinning() else { return rows };
        let operation = Dropout { length: rows.rows * rows.columns, rate, number };
        Rows { tensor: self.builder.network.add(operation, &[rows.tensor]), ..rows }
    }
}
