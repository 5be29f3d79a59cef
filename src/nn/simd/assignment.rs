//! The two inner loops of exact assignment: one row of costs against the columns' prices.
//!
//! Costs are f32, prices and distances f64, so that a path's length is exact to the last bits of
//! its costs. Rows are padded to whole [`CHUNK`]s with infinite costs, which no minimum picks.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Columns that are worked on together; every slice here is a multiple of it.
pub const CHUNK: usize = 16;
/// Lanes that are left at each step of a reduction.
const HALVES: [usize; 4] = [8, 4, 2, 1];

/// The two smallest reduced costs of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSmallest {
    pub first: f64,
    /// As large as `first` where two columns share it.
    pub second: f64,
}

/// The two smallest `costs[j] - prices[j]`.
///
/// # Panics
/// When the lengths differ or are no multiple of [`CHUNK`].
pub fn two_smallest(level: Level, costs: &[f32], prices: &[f64]) -> TwoSmallest {
    assert!(costs.len() == prices.len() && costs.len().is_multiple_of(CHUNK));
    let mut found = TwoSmallest { first: f64::INFINITY, second: f64::INFINITY };
    let answer = &mut found;
    dispatch!(level, two_smallest_kernel(costs: &[f32], prices: &[f64], answer: &mut TwoSmallest));
    found
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn two_smallest_kernel<L: Lanes>(costs: &[f32], prices: &[f64], answer: &mut TwoSmallest) {
    let (mut firsts, mut seconds) = ([f64::INFINITY; CHUNK], [f64::INFINITY; CHUNK]);
    for (costs, prices) in costs.as_chunks::<CHUNK>().0.iter().zip(prices.as_chunks().0) {
        let prices: &[f64; CHUNK] = prices;
        for lane in 0..CHUNK {
            let reduced = f64::from(costs[lane]) - prices[lane];
            let larger = if reduced > firsts[lane] { reduced } else { firsts[lane] };
            seconds[lane] = if larger < seconds[lane] { larger } else { seconds[lane] };
            firsts[lane] = if reduced < firsts[lane] { reduced } else { firsts[lane] };
        }
    }
    for half in HALVES {
        for lane in 0..half {
            let (a, b) = (firsts[lane], firsts[lane + half]);
            let (c, d) = (seconds[lane], seconds[lane + half]);
            let larger = if a > b { a } else { b };
            let smaller = if c < d { c } else { d };
            firsts[lane] = if a < b { a } else { b };
            seconds[lane] = if larger < smaller { larger } else { smaller };
        }
    }
    *answer = TwoSmallest { first: firsts[0], second: seconds[0] };
}

/// What the columns are known to be away from the free row that a search started from.
#[derive(Debug)]
pub struct Frontier<'a> {
    /// Prices; minus infinity for settled columns, which are then never reached again.
    pub prices: &'a [f64],
    /// Distances; infinite for settled columns and those not reached yet.
    pub distances: &'a mut [f64],
    /// The row before each column on its shortest path.
    pub parents: &'a mut [u64],
}

/// Offers every column the way through `row`, whose costs are given and whose own distance is
/// `-offset`; answers the smallest distance.
///
/// # Panics
/// When the lengths differ or are no multiple of [`CHUNK`].
pub fn relax(
    level: Level,
    costs: &[f32],
    row: u64,
    offset: f64,
    frontier: &mut Frontier<'_>,
) -> f64 {
    let length = costs.len();
    assert!(length.is_multiple_of(CHUNK) && frontier.prices.len() == length);
    assert!(frontier.distances.len() == length && frontier.parents.len() == length);
    let mut smallest = f64::INFINITY;
    let answer = &mut smallest;
    dispatch!(
        level,
        relax_kernel(
            costs: &[f32],
            row: u64,
            offset: f64,
            frontier: &mut Frontier<'_>,
            answer: &mut f64,
        )
    );
    smallest
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn relax_kernel<L: Lanes>(
    costs: &[f32],
    row: u64,
    offset: f64,
    frontier: &mut Frontier<'_>,
    answer: &mut f64,
) {
    let mut smallest = [f64::INFINITY; CHUNK];
    let chunks = costs.as_chunks::<CHUNK>().0.iter().zip(frontier.prices.as_chunks::<CHUNK>().0);
    let distances = frontier.distances.as_chunks_mut::<CHUNK>().0;
    let parents = frontier.parents.as_chunks_mut::<CHUNK>().0;
    for (((costs, prices), distances), parents) in chunks.zip(distances).zip(parents) {
        for lane in 0..CHUNK {
            let distance = f64::from(costs[lane]) - prices[lane] - offset;
            let nearer = distance < distances[lane];
            distances[lane] = if nearer { distance } else { distances[lane] };
            parents[lane] = if nearer { row } else { parents[lane] };
            let known = distances[lane];
            smallest[lane] = if known < smallest[lane] { known } else { smallest[lane] };
        }
    }
    for half in HALVES {
        for lane in 0..half {
            let (a, b) = (smallest[lane], smallest[lane + half]);
            smallest[lane] = if b < a { b } else { a };
        }
    }
    *answer = smallest[0];
}

/// Which row has each column, for choosing among equals.
#[derive(Debug, Clone, Copy)]
pub struct Owners<'a> {
    /// `[columns]`; shorter than the padded rows.
    pub rows: &'a [u32],
    /// What a free column has instead of a row.
    pub none: u32,
}

impl Owners<'_> {
    /// Looks through the lanes of a chunk that are `equal`: answers the first free column, and
    /// notes the first that is taken.
    fn choose(
        self,
        chunk: usize,
        equal: [bool; CHUNK],
        taken: &mut Option<usize>,
    ) -> Option<usize> {
        for lane in (0..CHUNK).filter(|&lane| equal[lane]) {
            let column = chunk * CHUNK + lane;
            if self.rows[column] == self.none {
                return Some(column);
            }
            taken.get_or_insert(column);
        }
        None
    }
}

/// A column of the reduced cost `wanted`, which is the row's smallest: the first that is free,
/// else the first.
pub fn cheapest(
    level: Level,
    costs: &[f32],
    prices: &[f64],
    wanted: f64,
    owners: Owners<'_>,
) -> usize {
    let mut found = 0;
    let answer = &mut found;
    dispatch!(
        level,
        cheapest_kernel(
            costs: &[f32],
            prices: &[f64],
            wanted: f64,
            owners: Owners<'_>,
            answer: &mut usize,
        )
    );
    found
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn cheapest_kernel<L: Lanes>(
    costs: &[f32],
    prices: &[f64],
    wanted: f64,
    owners: Owners<'_>,
    answer: &mut usize,
) {
    let mut taken = None;
    let chunks = costs.as_chunks::<CHUNK>().0.iter().zip(prices.as_chunks::<CHUNK>().0);
    for (chunk, (costs, prices)) in chunks.enumerate() {
        let mut equal = [false; CHUNK];
        for lane in 0..CHUNK {
            equal[lane] = f64::from(costs[lane]) - prices[lane] == wanted;
        }
        if equal.iter().fold(false, |any, equal| any | equal)
            && let Some(free) = owners.choose(chunk, equal, &mut taken)
        {
            *answer = free;
            return;
        }
    }
    *answer = taken.unwrap_or(0);
}

/// A column at the distance `wanted`, which is the smallest: the first that is free, else the
/// first.
pub fn nearest(level: Level, distances: &[f64], wanted: f64, owners: Owners<'_>) -> usize {
    let mut found = 0;
    let answer = &mut found;
    dispatch!(
        level,
        nearest_kernel(
            distances: &[f64],
            wanted: f64,
            owners: Owners<'_>,
            answer: &mut usize,
        )
    );
    found
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn nearest_kernel<L: Lanes>(
    distances: &[f64],
    wanted: f64,
    owners: Owners<'_>,
    answer: &mut usize,
) {
    let mut taken = None;
    for (chunk, distances) in distances.as_chunks::<CHUNK>().0.iter().enumerate() {
        let equal = distances.map(|distance| distance == wanted);
        if equal.iter().fold(false, |any, equal| any | equal)
            && let Some(free) = owners.choose(chunk, equal, &mut taken)
        {
            *answer = free;
            return;
        }
    }
    *answer = taken.unwrap_or(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(length: usize) -> Vec<f32> {
        (0..length).map(|index| ((index * 37) % 23) as f32 - 5.0).collect()
    }

    #[test]
    fn the_two_smallest_are_those_of_a_sort() {
        for level in Level::available() {
            for length in [CHUNK, 3 * CHUNK, 7 * CHUNK] {
                let costs = costs(length);
                let prices: Vec<f64> = (0..length).map(|i| ((i * 11) % 7) as f64 * 0.3).collect();
                let mut sorted: Vec<f64> =
                    costs.iter().zip(&prices).map(|(c, p)| f64::from(*c) - p).collect();
                sorted.sort_by(f64::total_cmp);
                let wanted = TwoSmallest { first: sorted[0], second: sorted[1] };
                assert_eq!(two_smallest(level, &costs, &prices), wanted, "{level:?} {length}");
            }
        }
    }

    #[test]
    fn relaxing_keeps_the_shorter_way_and_never_reaches_settled_columns() {
        for level in Level::available() {
            let costs = costs(2 * CHUNK);
            let mut prices = vec![0.5; 2 * CHUNK];
            prices[3] = f64::NEG_INFINITY;
            let mut distances = vec![4.0; 2 * CHUNK];
            distances[3] = f64::INFINITY;
            let mut parents = vec![9; 2 * CHUNK];
            let mut frontier =
                Frontier { prices: &prices, distances: &mut distances, parents: &mut parents };
            let smallest = relax(level, &costs, 2, 1.0, &mut frontier);
            for column in 0..2 * CHUNK {
                let offered = f64::from(costs[column]) - 1.5;
                let wanted = match column {
                    3 => (f64::INFINITY, 9),
                    _ if offered < 4.0 => (offered, 2),
                    _ => (4.0, 9),
                };
                assert_eq!((distances[column], parents[column]), wanted, "{level:?} {column}");
            }
            assert_eq!(smallest, distances.iter().copied().fold(f64::INFINITY, f64::min));
        }
    }
}
