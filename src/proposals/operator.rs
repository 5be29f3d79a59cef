//! Products with the normalised affinity: all that the eigenvector solver asks of a graph.
//!
//! Y = D^-1/2 W D^-1/2 X for a block X of vectors. The scaling is applied to the block and not to
//! W; a low-rank W = F Fᵀ costs two thin products and is never formed.

use super::affinity::{Graph, Weights};
use super::features::Features;
use super::numeric::{bytes_of, sized};
use super::row_product::{RowProduct, RowView};
use crate::workers::Workers;

/// Channels of F that one task multiplies.
const CHANNELS_BLOCK: usize = 256;

/// Memory of products with one graph.
#[derive(Debug, Default)]
pub struct Operator {
    scaled: Vec<f32>,
    transposed: Vec<f32>,
    product: RowProduct,
    blocks: Vec<ChannelBlock>,
}

/// Some columns of F as a right operand, and Xᵀ times them.
#[derive(Debug, Default)]
struct ChannelBlock {
    product: RowProduct,
    inner: Vec<f32>,
}

impl Operator {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let block = |block: &ChannelBlock| block.product.memory_bytes() + bytes_of(&block.inner);
        bytes_of(&self.scaled)
            + bytes_of(&self.transposed)
            + self.product.memory_bytes()
            + bytes_of(&self.blocks)
            + self.blocks.iter().map(block).sum::<usize>()
    }

    /// Packs what all products with `graph` share; to be called before [`Operator::apply`].
    pub fn load(&mut self, graph: &Graph<'_>, workers: &Workers) {
        let (Weights::LowRank(features) | Weights::LowRankShifted(features)) = graph.weights else {
            return;
        };
        let blocks = features.columns.div_ceil(CHANNELS_BLOCK);
        if self.blocks.len() < blocks {
            self.blocks.resize_with(blocks, ChannelBlock::default);
        }
        workers.for_each_piece(&mut self.blocks[..blocks], 1, |index, piece| {
            let first = index * CHANNELS_BLOCK;
            let columns = CHANNELS_BLOCK.min(features.columns - first);
            piece[0].product.load(features.cells, columns, |cell, channel| {
                features.rows[cell * features.columns + first + channel]
            });
        });
    }

    /// `result` (`[cells, width]`, dense) = D^-1/2 W D^-1/2 `block`, whose rows start `stride`
    /// numbers apart.
    pub fn apply(
        &mut self,
        graph: &Graph<'_>,
        block: &[f32],
        stride: usize,
        width: usize,
        result: &mut [f32],
        workers: &Workers,
    ) {
        let cells = graph.scale.len();
        let scaled = sized(&mut self.scaled, cells * width);
        let rows = scaled.chunks_exact_mut(width).zip(block.chunks(stride));
        for ((target, source), factor) in rows.zip(graph.scale) {
            for (value, x) in target.iter_mut().zip(source) {
                *value = x * factor;
            }
        }
        match graph.weights {
            Weights::Dense(affinity) => {
                self.product.load(cells, width, |cell, vector| scaled[cell * width + vector]);
                let rows = RowView::dense(affinity, cells, cells);
                self.product.multiply(rows, result, width, workers);
            }
            Weights::LowRank(features) => self.thin_products(&features, width, result, workers),
            Weights::LowRankShifted(features) => {
                self.thin_products(&features, width, result, workers);
                let sums = sized(&mut self.transposed, width);
                sums.fill(0.0);
                for row in self.scaled[..cells * width].chunks_exact(width) {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                for row in result[..cells * width].chunks_exact_mut(width) {
                    for (value, sum) in row.iter_mut().zip(&*sums) {
                        *value = 0.5 * (*value + sum);
                    }
                }
            }
        }
        for (row, factor) in result.chunks_exact_mut(width).zip(graph.scale) {
            row.iter_mut().for_each(|value| *value *= factor);
        }
    }

    /// F (Fᵀ X), with X the scaled block.
    fn thin_products(
        &mut self,
        features: &Features<'_>,
        width: usize,
        result: &mut [f32],
        workers: &Workers,
    ) {
        let (cells, columns) = (features.cells, features.columns);
        let transposed = sized(&mut self.transposed, cells * width);
        for (vector, target) in transposed.chunks_exact_mut(cells).enumerate() {
            let column = self.scaled.iter().skip(vector).step_by(width);
            target.iter_mut().zip(column).for_each(|(value, x)| *value = *x);
        }
        let vectors = RowView::dense(transposed, width, cells);
        let blocks = &mut self.blocks[..columns.div_ceil(CHANNELS_BLOCK)];
        let alone = workers.alone();
        workers.for_each_piece(blocks, 1, |_, piece| {
            let ChannelBlock { product, inner } = &mut piece[0];
            let inner = sized(inner, width * CHANNELS_BLOCK);
            product.multiply(vectors, inner, CHANNELS_BLOCK, &alone);
        });
        let blocks = &*blocks;
        self.product.load(columns, width, |channel, vector| {
            let place = vector * CHANNELS_BLOCK + channel % CHANNELS_BLOCK;
            blocks[channel / CHANNELS_BLOCK].inner[place]
        });
        let rows = RowView::dense(features.rows, cells, columns);
        self.product.multiply(rows, result, width, workers);
    }
}
