//! The inner loops of exact assignment: one row of costs against the columns' prices.
//!
//! Costs are f32, prices and distances f64, so that a path's length is exact to the last bits of
//! its costs. Rows are [`CHUNK`] columns long or longer; where the last chunk is not whole, it is the
//! last columns of the row, some of which then were seen before.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Columns that are worked on together; no row is shorter.
pub const CHUNK: usize = 16;
/// Lanes that are left at each step of a reduction.
const HALVES: [usize; 4] = [8, 4, 2, 1];

/// The two smallest costs of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSmallest {
    pub first: f64,
    /// As large as `first` where two columns share it; infinite where there is one column.
    pub second: f64,
    /// The first column of the smallest cost.
    pub column: usize,
}

/// Where the chunks of a row start, and how many lanes of each were seen before.
#[inline(always)]
fn chunks(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let whole = columns / CHUNK;
    let last = columns.wrapping_sub(CHUNK);
    let rest = (whole * CHUNK).wrapping_sub(last);
    let tail = !columns.is_multiple_of(CHUNK);
    let starts = (0..whole).map(|chunk| (chunk * CHUNK, 0));
    starts.chain(std::iter::once((last, rest)).take(usize::from(tail)))
}

/// The chunk that starts at `start`.
#[inline(always)]
fn chunk<N>(values: &[N], start: usize) -> &[N; CHUNK] {
    &values[start..].as_chunks().0[0]
}

/// The two smallest costs of each row of `costs` `[found.len(), columns]`.
///
/// # Panics
/// When the lengths do not fit together or rows are shorter than [`CHUNK`].
pub fn two_smallest_of_rows(
    level: Level,
    costs: &[f32],
    columns: usize,
    found: &mut [TwoSmallest],
) {
    assert!(columns >= CHUNK && costs.len() == found.len() * columns);
    dispatch!(
        level,
        of_rows_kernel(costs: &[f32], columns: usize, found: &mut [TwoSmallest])
    );
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn of_rows_kernel<L: Lanes>(costs: &[f32], columns: usize, found: &mut [TwoSmallest]) {
    for (costs, found) in costs.chunks_exact(columns).zip(found) {
        let (mut firsts, mut seconds) = ([f32::INFINITY; CHUNK], [f32::INFINITY; CHUNK]);
        let mut starts = [0u32; CHUNK];
        for (start, seen) in chunks(columns) {
            let costs = chunk(costs, start);
            for lane in 0..CHUNK {
                let cost = if lane < seen { f32::INFINITY } else { costs[lane] };
                let larger = if cost > firsts[lane] { cost } else { firsts[lane] };
                seconds[lane] = if larger < seconds[lane] { larger } else { seconds[lane] };
                starts[lane] = if cost < firsts[lane] { start as u32 } else { starts[lane] };
                firsts[lane] = if cost < firsts[lane] { cost } else { firsts[lane] };
            }
        }
        let lanes = firsts;
        fold(&mut firsts, &mut seconds);
        for lane in 0..CHUNK {
            let column = starts[lane] + lane as u32;
            starts[lane] = if lanes[lane] == firsts[0] { column } else { u32::MAX };
        }
        for half in HALVES {
            for lane in 0..half {
                starts[lane] = starts[lane].min(starts[lane + half]);
            }
        }
        *found = TwoSmallest {
            first: f64::from(firsts[0]),
            second: f64::from(seconds[0]),
            column: starts[0] as usize,
        };
    }
}

/// The two smallest `costs[j] - prices[j]`.
///
/// # Panics
/// When the lengths differ or are less than [`CHUNK`].
pub fn two_smallest(level: Level, costs: &[f32], prices: &[f64]) -> TwoSmallest {
    assert!(costs.len() == prices.len() && costs.len() >= CHUNK);
    let mut found = TwoSmallest { first: f64::INFINITY, second: f64::INFINITY, column: 0 };
    let answer = &mut found;
    dispatch!(level, two_smallest_kernel(costs: &[f32], prices: &[f64], answer: &mut TwoSmallest));
    found
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn two_smallest_kernel<L: Lanes>(costs: &[f32], prices: &[f64], answer: &mut TwoSmallest) {
    let (mut firsts, mut seconds) = ([f64::INFINITY; CHUNK], [f64::INFINITY; CHUNK]);
    let mut starts = [0u64; CHUNK];
    for (start, seen) in chunks(costs.len()) {
        let (costs, prices) = (chunk(costs, start), chunk(prices, start));
        for lane in 0..CHUNK {
            let cost = if lane < seen { f32::INFINITY } else { costs[lane] };
            let reduced = f64::from(cost) - prices[lane];
            let larger = if reduced > firsts[lane] { reduced } else { firsts[lane] };
            seconds[lane] = if larger < seconds[lane] { larger } else { seconds[lane] };
            starts[lane] = if reduced < firsts[lane] { start as u64 } else { starts[lane] };
            firsts[lane] = if reduced < firsts[lane] { reduced } else { firsts[lane] };
        }
    }
    let lanes = firsts;
    fold(&mut firsts, &mut seconds);
    let column = first_column(&lanes, &starts, firsts[0]);
    *answer = TwoSmallest { first: firsts[0], second: seconds[0], column };
}

/// Brings the two smallest of all lanes to the first lane.
#[inline(always)]
fn fold<T: PartialOrd + Copy>(firsts: &mut [T; CHUNK], seconds: &mut [T; CHUNK]) {
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
}

/// The smallest of the columns whose lanes hold `wanted`.
#[inline(always)]
fn first_column(lanes: &[f64; CHUNK], starts: &[u64; CHUNK], wanted: f64) -> usize {
    let mut columns = [u64::MAX; CHUNK];
    for lane in 0..CHUNK {
        let column = starts[lane] + lane as u64;
        columns[lane] = if lanes[lane] == wanted { column } else { u64::MAX };
    }
    for half in HALVES {
        for lane in 0..half {
            columns[lane] = columns[lane].min(columns[lane + half]);
        }
    }
    columns[0] as usize
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

/// The column that is nearest to the free row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    pub distance: f64,
    /// The first at that distance.
    pub column: usize,
}

/// Offers every column the way through `row`, whose costs are given and whose own distance is
/// `-offset`; answers the nearest column.
///
/// # Panics
/// When the lengths differ or are less than [`CHUNK`].
pub fn relax(
    level: Level,
    costs: &[f32],
    row: u64,
    offset: f64,
    frontier: &mut Frontier<'_>,
) -> Nearest {
    let length = costs.len();
    assert!(length >= CHUNK && frontier.prices.len() == length);
    assert!(frontier.distances.len() == length && frontier.parents.len() == length);
    let mut nearest = Nearest { distance: f64::INFINITY, column: 0 };
    let answer = &mut nearest;
    dispatch!(
        level,
        relax_kernel(
            costs: &[f32],
            row: u64,
            offset: f64,
            frontier: &mut Frontier<'_>,
            answer: &mut Nearest,
        )
    );
    nearest
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn relax_kernel<L: Lanes>(
    costs: &[f32],
    row: u64,
    offset: f64,
    frontier: &mut Frontier<'_>,
    answer: &mut Nearest,
) {
    let (mut smallest, mut starts) = ([f64::INFINITY; CHUNK], [0u64; CHUNK]);
    for (start, _) in chunks(costs.len()) {
        let (costs, prices) = (chunk(costs, start), chunk(frontier.prices, start));
        let distances = &mut frontier.distances[start..].as_chunks_mut::<CHUNK>().0[0];
        let parents = &mut frontier.parents[start..].as_chunks_mut::<CHUNK>().0[0];
        for lane in 0..CHUNK {
            let distance = f64::from(costs[lane]) - prices[lane] - offset;
            let nearer = distance < distances[lane];
            distances[lane] = if nearer { distance } else { distances[lane] };
            parents[lane] = if nearer { row } else { parents[lane] };
            let known = distances[lane];
            starts[lane] = if known < smallest[lane] { start as u64 } else { starts[lane] };
            smallest[lane] = if known < smallest[lane] { known } else { smallest[lane] };
        }
    }
    let lanes = smallest;
    for half in HALVES {
        for lane in 0..half {
            let (a, b) = (smallest[lane], smallest[lane + half]);
            smallest[lane] = if b < a { b } else { a };
        }
    }
    let column = first_column(&lanes, &starts, smallest[0]);
    *answer = Nearest { distance: smallest[0], column };
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
            for length in [CHUNK, 21, 3 * CHUNK, 7 * CHUNK - 1] {
                let costs = costs(length);
                for price in [0.0, 0.3] {
                    let prices: Vec<f64> =
                        (0..length).map(|i| ((i * 11) % 7) as f64 * price).collect();
                    let reduced = costs.iter().zip(&prices).map(|(c, p)| f64::from(*c) - p);
                    let mut sorted: Vec<(usize, f64)> = reduced.enumerate().collect();
                    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
                    let [(column, first), (_, second)] = [sorted[0], sorted[1]];
                    let wanted = TwoSmallest { first, second, column };
                    assert_eq!(two_smallest(level, &costs, &prices), wanted, "{level:?} {length}");
                    if price == 0.0 {
                        let (mut found, rows) = ([wanted; 3], costs.repeat(3));
                        found[1].column = usize::MAX;
                        two_smallest_of_rows(level, &rows, length, &mut found);
                        assert_eq!(found, [wanted; 3], "{level:?} {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn relaxing_keeps_the_shorter_way_and_never_reaches_settled_columns() {
        for level in Level::available() {
            for length in [2 * CHUNK, 2 * CHUNK - 5] {
                let costs = costs(length);
                let mut prices = vec![0.5; length];
                prices[3] = f64::NEG_INFINITY;
                let mut distances = vec![4.0; length];
                distances[3] = f64::INFINITY;
                let mut parents = vec![9; length];
                let mut frontier =
                    Frontier { prices: &prices, distances: &mut distances, parents: &mut parents };
                let nearest = relax(level, &costs, 2, 1.0, &mut frontier);
                for column in 0..length {
                    let offered = f64::from(costs[column]) - 1.5;
                    let wanted = match column {
                        3 => (f64::INFINITY, 9),
                        _ if offered < 4.0 => (offered, 2),
                        _ => (4.0, 9),
                    };
                    assert_eq!((distances[column], parents[column]), wanted, "{level:?} {column}");
                }
                let distance = distances.iter().copied().fold(f64::INFINITY, f64::min);
                let column = distances.iter().position(|known| *known == distance).unwrap();
                assert_eq!(nearest, Nearest { distance, column });
            }
        }
    }
}
