//! The rows that are compared: the cells of a map, centred, scaled and made unit vectors.
//!
//! Centring on the image and giving every channel the same spread is worth two points of recall
//! over raw features (stage0-measurements.md, and the keys' documentation). Channels come in
//! groups of one kind; each group weighs the same, however many channels it has.
//!
//! A cell without direction (a zero vector: every cell of a flat image after centring) has
//! cosine 1 with other such cells and 0 with the rest, as if it had one more channel that only
//! such cells have.

use super::config::{Affinity, Center, ProposalConfig, Scale};
use super::numeric::{bytes_of, dot, scale, sized};
use crate::data::feature_map::FeatureMapView;
use crate::workers::Workers;
use crate::{Error, Result};

/// Rows that one task prepares; fixed, so that sums do not depend on the number of threads.
const ROWS_BLOCK: usize = 64;
/// A channel whose deviation is a smaller share of its size is constant, a cell shorter than
/// this share of the longest has no direction: what is left is rounding.
const ZERO_SHARE: f64 = 1e-6;

/// What is subtracted from each channel of a map, and what it is then multiplied by.
#[derive(Debug, Default)]
pub struct Standardisation {
    channels: usize,
    mean: Vec<f32>,
    factor: Vec<f32>,
    sums: Vec<[f64; 2]>,
}

impl Standardisation {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.mean) + bytes_of(&self.factor) + bytes_of(&self.sums)
    }

    /// Measures `map` as `config` says. `groups` are sizes of groups of consecutive channels;
    /// none given is one group.
    pub fn measure(
        &mut self,
        map: &FeatureMapView<'_>,
        groups: &[usize],
        config: &ProposalConfig,
        workers: &Workers,
    ) {
        let (cells, channels) = (map.cells(), map.channels);
        self.channels = channels;
        let mean = sized(&mut self.mean, channels);
        let factor = sized(&mut self.factor, channels);
        mean.fill(0.0);
        factor.fill(1.0);
        // Distances do not change with the origin, and around the mean they round best.
        let centred = config.center == Center::Image || config.affinity == Affinity::Rbf;
        if !centred && config.scale == Scale::None {
            return;
        }
        let sums = sized(&mut self.sums, cells.div_ceil(ROWS_BLOCK) * channels);
        workers.for_each_piece(sums, channels, |block, part| {
            part.fill([0.0; 2]);
            for cell in block * ROWS_BLOCK..cells.min((block + 1) * ROWS_BLOCK) {
                for (sum, &value) in part.iter_mut().zip(map.cell(cell)) {
                    let value = f64::from(value);
                    sum[0] += value;
                    sum[1] += value * value;
                }
            }
        });
        let whole = [channels];
        let groups = if groups.is_empty() { &whole } else { groups };
        let sizes = groups.iter().flat_map(|&size| std::iter::repeat_n(size, size));
        for (channel, size) in (0..channels).zip(sizes) {
            let column = sums.iter().skip(channel).step_by(channels);
            let total = column.fold([0.0; 2], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
            let (average, square) = (total[0] / cells as f64, total[1] / cells as f64);
            let deviation = (square - average * average).max(0.0).sqrt();
            let constant = deviation <= ZERO_SHARE * square.sqrt();
            if centred {
                mean[channel] = average as f32;
            }
            factor[channel] = match config.scale {
                _ if constant && (centred || config.scale == Scale::Image) => 0.0,
                Scale::Image => (1.0 / (deviation * (size as f64).sqrt())) as f32,
                Scale::None => 1.0,
            };
        }
    }

    /// Standardises one row.
    pub fn apply(&self, row: &[f32], result: &mut [f32]) {
        let channels = self.mean.iter().zip(&self.factor);
        for ((value, x), (mean, factor)) in result.iter_mut().zip(row).zip(channels) {
            *value = (x - mean) * factor;
        }
    }
}

/// Memory of [`Features::prepare`].
#[derive(Debug, Default)]
pub struct FeatureScratch {
    rows: Vec<f32>,
    lengths: Vec<f32>,
}

impl FeatureScratch {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.rows) + bytes_of(&self.lengths)
    }
}

/// The rows that are compared, `[cells, columns]`.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    pub rows: &'a [f32],
    pub cells: usize,
    pub columns: usize,
    /// Mean squared length of the rows before they were made unit vectors.
    pub square: f64,
}

impl Features<'_> {
    /// One row.
    pub fn row(&self, cell: usize) -> &[f32] {
        &self.rows[cell * self.columns..(cell + 1) * self.columns]
    }

    /// Standardises a map and makes its rows unit vectors (not for `rbf`). `level` numbers the
    /// map in errors.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::InvalidArgument`] where squares overflow f32.
    pub fn prepare<'a>(
        map: &FeatureMapView<'_>,
        level: usize,
        standardisation: &Standardisation,
        config: &ProposalConfig,
        scratch: &'a mut FeatureScratch,
        workers: &Workers,
    ) -> Result<Features<'a>> {
        let (cells, channels) = (map.cells(), map.channels);
        // One column more than channels, used only if a cell turns out to have no direction.
        let rows = sized(&mut scratch.rows, cells * (channels + 1));
        let lengths = sized(&mut scratch.lengths, cells);
        let pieces =
            [(&mut rows[..cells * channels], ROWS_BLOCK * channels), (&mut *lengths, ROWS_BLOCK)];
        workers.for_each_pieces(pieces, |block, [rows, lengths]| {
            let targets = rows.chunks_exact_mut(channels).zip(lengths);
            for (offset, (target, length)) in targets.enumerate() {
                standardisation.apply(map.cell(block * ROWS_BLOCK + offset), target);
                *length = dot(target, target).sqrt();
            }
        });
        check_finite(map, level, lengths)?;
        let square = lengths.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / cells as f64;
        if config.affinity == Affinity::Rbf {
            return Ok(Features { rows, cells, columns: channels, square });
        }
        let longest = lengths.iter().fold(0.0f32, |most, length| most.max(*length));
        let shortest = ZERO_SHARE as f32 * longest;
        let marked = lengths.iter().any(|length| *length <= shortest);
        let lengths = &*lengths;
        let piece = ROWS_BLOCK * channels;
        workers.for_each_piece(&mut rows[..cells * channels], piece, |block, part| {
            let lengths = &lengths[block * ROWS_BLOCK..];
            for (row, length) in part.chunks_exact_mut(channels).zip(lengths) {
                scale(row, if *length <= shortest { 0.0 } else { 1.0 / length });
            }
        });
        let columns = channels + usize::from(marked);
        if marked {
            for cell in (0..cells).rev() {
                rows.copy_within(cell * channels..(cell + 1) * channels, cell * columns);
                let direction = lengths[cell] > shortest;
                rows[cell * columns + channels] = if direction { 0.0 } else { 1.0 };
            }
        }
        Ok(Features { rows: &rows[..cells * columns], cells, columns, square })
    }
}

fn check_finite(map: &FeatureMapView<'_>, level: usize, lengths: &[f32]) -> Result<()> {
    let Some(cell) = lengths.iter().position(|length| !length.is_finite()) else {
        return Ok(());
    };
    let name = format!("map {level}");
    match map.values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NonFinite { name, index, value: map.values[index] }),
        None => Err(Error::invalid(name, format!("the length of cell {cell} overflows f32"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(
        values: &[f32],
        channels: usize,
        groups: &[usize],
        config: &ProposalConfig,
    ) -> Vec<f32> {
        let (cells, workers) = (values.len() / channels, Workers::caller());
        let map = FeatureMapView { values, height: 1, width: cells, channels };
        let mut standardisation = Standardisation::default();
        standardisation.measure(&map, groups, config, &workers);
        let mut scratch = FeatureScratch::default();
        Features::prepare(&map, 0, &standardisation, config, &mut scratch, &workers)
            .unwrap()
            .rows
            .to_vec()
    }

    #[test]
    fn channels_and_groups_weigh_the_same() {
        // Channel 0 has a hundred times the spread of channel 1; both then have deviation 1 / 1.
        let rows = prepare(&[100.0, 2.0, -100.0, 4.0], 2, &[1, 1], &ProposalConfig::default());
        let half = 0.5f32.sqrt();
        for (value, wanted) in rows.iter().zip([half, -half, -half, half]) {
            assert!((value - wanted).abs() < 1e-6);
        }
        // Two equal channels in one group count as much as the one of the other group.
        let values = [1.0, 1.0, 5.0, -1.0, -1.0, 7.0];
        let rows = prepare(&values, 3, &[2, 1], &ProposalConfig::default());
        assert!((rows[0] - 0.5).abs() < 1e-6 && (rows[2] + half).abs() < 1e-6);
    }

    #[test]
    fn a_constant_channel_counts_nothing() {
        let rows = prepare(&[0.3, 1.0, 0.3, 2.0], 2, &[], &ProposalConfig::default());
        assert_eq!([rows[0], rows[2]], [0.0, 0.0]);
    }

    #[test]
    fn a_flat_map_gets_a_common_direction() {
        assert_eq!(
            prepare(&[0.7; 6], 2, &[], &ProposalConfig::default()),
            [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]
        );
        let config = ProposalConfig { scale: Scale::None, ..ProposalConfig::default() };
        assert_eq!(prepare(&[0.7; 4], 2, &[], &config), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let config = ProposalConfig::default();
        let map =
            FeatureMapView { values: &[1.0, 2.0, f32::NAN, 4.0], height: 2, width: 2, channels: 1 };
        let mut standardisation = Standardisation::default();
        standardisation.measure(&map, &[], &config, &Workers::caller());
        let mut scratch = FeatureScratch::default();
        let error =
            Features::prepare(&map, 1, &standardisation, &config, &mut scratch, &Workers::caller())
                .unwrap_err();
        assert!(matches!(error, Error::NonFinite { index: 2, .. }), "{error}");
    }
}
