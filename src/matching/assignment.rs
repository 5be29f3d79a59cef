//! Exact assignment of a rectangular cost matrix at least total cost.
//!
//! Shortest augmenting paths in the form of Crouse, "On implementing 2D rectangular assignment
//! algorithms" (IEEE TAES 52(4), 2016), after two passes of the row reductions of Jonker and
//! Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
//! problems" (Computing 38, 1987), which settle most rows without any search. The shorter side
//! becomes the rows: of DETR's problems the targets, so that a search looks at a row of all
//! queries at once with vector instructions.
//!
//! Prices of columns are at most 0, and 0 for columns that nobody has: that keeps the answer
//! optimal where columns are left over.

use super::transpose::transpose;
use crate::kernels::simd::Level;
use crate::kernels::simd::assignment::{
    CHUNK, Frontier, Nearest, TwoSmallest, relax, two_smallest, two_smallest_of_rows,
};
use crate::kernels::simd::finite::all_finite;
use crate::{Error, Result, memory};

/// Stands for "no partner" where there are fewer columns than rows.
pub const UNASSIGNED: u32 = u32::MAX;

/// Passes of row reductions; what is left over costs less by searching.
const REDUCTION_PASSES: usize = 2;

/// Solves assignment problems of any sizes, one after the other, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Assigner {
    /// Costs that cannot be worked on as they were given: with the shorter side as rows, and rows
    /// of at least [`CHUNK`] columns, the last of them infinite where there are fewer.
    matrix: Vec<f32>,
    /// Of each row, before there are prices.
    cheapest: Vec<TwoSmallest>,
    prices: Vec<f64>,
    distances: Vec<f64>,
    parents: Vec<u64>,
    rows_of_columns: Vec<u32>,
    columns_of_rows: Vec<u32>,
    /// Columns that the search at hand has reached for good, with their distances and prices.
    settled: Vec<Settled>,
    free: Vec<u32>,
    /// Rows that a pass of row reductions could not place.
    left_over: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Settled {
    column: u32,
    distance: f64,
    price: f64,
}

impl Assigner {
    /// An assigner that holds no memory yet.
    pub fn new() -> Assigner {
        Assigner::default()
    }

    /// Writes the column of each row, or [`UNASSIGNED`] for the rows that find none, so that as
    /// many pairs as the shorter side has are made at the least sum of `costs` `[rows, columns]`.
    /// Of several optima the same one is found every time.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with row and column; [`Error::Shape`] when `costs` or `partners`
    /// (one for each row) have another length.
    pub fn assign(
        &mut self,
        costs: &[f32],
        rows: usize,
        columns: usize,
        partners: &mut [u32],
    ) -> Result<()> {
        if rows.checked_mul(columns) != Some(costs.len()) {
            let got = format!("{} values", costs.len());
            return Err(Error::shape("costs", format!("[{rows}, {columns}]"), got));
        }
        if partners.len() != rows {
            return Err(Error::shape("partners", format!("[{rows}]"), partners.len()));
        }
        check_finite(costs, columns)?;
        // A copy of the costs, and a few numbers for each row and column.
        memory::probe(memory::bytes_of::<f32>(costs.len()), "a copy of the costs")?;
        if costs.is_empty() {
            partners.fill(UNASSIGNED);
        } else if rows > columns {
            self.copy_transposed(costs, rows, columns);
            self.solve_copied(columns);
            partners.copy_from_slice(&self.rows_of_columns[..rows]);
        } else if columns < CHUNK {
            self.copy_padded(costs, columns);
            self.solve_copied(rows);
            partners.copy_from_slice(&self.columns_of_rows[..rows]);
        } else {
            self.solve(costs, rows);
            partners.copy_from_slice(&self.columns_of_rows[..rows]);
        }
        Ok(())
    }

    /// Bytes held between calls.
    pub fn memory_bytes(&self) -> usize {
        self.matrix.capacity() * size_of::<f32>()
            + (self.prices.capacity() + self.distances.capacity()) * size_of::<f64>()
            + self.cheapest.capacity() * size_of::<TwoSmallest>()
            + self.parents.capacity() * size_of::<u64>()
            + (self.rows_of_columns.capacity() + self.columns_of_rows.capacity()) * size_of::<u32>()
            + self.settled.capacity() * size_of::<Settled>()
            + (self.free.capacity() + self.left_over.capacity()) * size_of::<u32>()
    }

    fn copy_padded(&mut self, costs: &[f32], columns: usize) {
        restart(&mut self.matrix, costs.len() / columns * CHUNK, f32::INFINITY);
        for (padded, row) in self.matrix.chunks_exact_mut(CHUNK).zip(costs.chunks_exact(columns)) {
            padded[..columns].copy_from_slice(row);
        }
    }

    fn copy_transposed(&mut self, costs: &[f32], rows: usize, columns: usize) {
        let stride = rows.max(CHUNK);
        self.matrix.resize(columns * stride, 0.0);
        self.matrix.chunks_exact_mut(stride).for_each(|row| row[rows..].fill(f32::INFINITY));
        transpose(costs, columns, &mut self.matrix, stride);
    }

    /// Solves `matrix`.
    fn solve_copied(&mut self, rows: usize) {
        let matrix = std::mem::take(&mut self.matrix);
        self.solve(&matrix, rows);
        self.matrix = matrix;
    }

    /// Solves `costs`, which have as many columns as rows or more, and at least [`CHUNK`].
    fn solve(&mut self, costs: &[f32], rows: usize) {
        let columns = costs.len() / rows;
        let level = Level::best();
        restart(&mut self.prices, columns, 0.0);
        restart(&mut self.rows_of_columns, columns, UNASSIGNED);
        restart(&mut self.columns_of_rows, rows, UNASSIGNED);
        self.distances.resize(columns, 0.0);
        self.parents.resize(columns, 0);
        self.free.clear();
        self.place_rows(level, costs, rows);
        for _ in 0..REDUCTION_PASSES {
            self.reduce_rows(level, costs);
        }
        while let Some(row) = self.free.pop() {
            self.augment(level, costs, row);
        }
    }

    /// Gives each row its cheapest column where nobody has it yet, at a price by which the second
    /// cheapest would do as well; the other rows are free, the first of them last.
    ///
    /// Prices are at most 0, so the two smallest costs are the two smallest reduced costs as long
    /// as the cheapest column is free. The second may be more by now: the price is then higher than
    /// it could be, which is no harm.
    fn place_rows(&mut self, level: Level, costs: &[f32], rows: usize) {
        let none = TwoSmallest { first: 0.0, second: 0.0, column: 0 };
        self.cheapest.resize(rows, none);
        two_smallest_of_rows(level, costs, costs.len() / rows, &mut self.cheapest);
        for (row, two) in self.cheapest.iter().enumerate() {
            let owner = &mut self.rows_of_columns[two.column];
            if *owner != UNASSIGNED {
                self.free.push(row as u32);
                continue;
            }
            *owner = row as u32;
            self.columns_of_rows[row] = two.column as u32;
            if two.second.is_finite() {
                self.prices[two.column] = two.first - two.second;
            }
        }
        self.free.reverse();
    }

    /// Gives each free row its cheapest column and lowers that column's price until the second
    /// cheapest would do as well; a row that loses its column is free again and goes next. Every
    /// turn uses up the budget or leaves a row over for good, so there are at most three times as
    /// many turns as free rows.
    fn reduce_rows(&mut self, level: Level, all_costs: &[f32]) {
        let columns = self.prices.len();
        // Rows that outbid each other by little could go on for long; a search ends it.
        let mut budget = 2 * self.free.len();
        self.left_over.clear();
        while let Some(row) = self.free.pop() {
            let costs = &all_costs[row as usize * columns..][..columns];
            let two = two_smallest(level, costs, &self.prices);
            let mut column = two.column;
            if two.first >= two.second && self.rows_of_columns[column] != UNASSIGNED {
                let reduced = costs.iter().zip(&self.prices).map(|(c, p)| f64::from(*c) - p);
                column = self.free_column(reduced, two.first).unwrap_or(column);
            }
            let loser = self.rows_of_columns[column];
            // A tie with a column that is taken is for the search to decide.
            if budget == 0 || (loser != UNASSIGNED && two.first >= two.second) {
                self.left_over.push(row);
                continue;
            }
            budget -= 1;
            if two.second.is_finite() {
                self.prices[column] -= two.second - two.first;
            }
            self.rows_of_columns[column] = row;
            self.columns_of_rows[row as usize] = column as u32;
            if loser != UNASSIGNED {
                self.columns_of_rows[loser as usize] = UNASSIGNED;
                self.free.push(loser);
            }
        }
        std::mem::swap(&mut self.free, &mut self.left_over);
    }

    /// The first column that nobody has and whose `lengths` is `wanted`.
    fn free_column(&self, lengths: impl Iterator<Item = f64>, wanted: f64) -> Option<usize> {
        let mut columns = lengths.zip(&self.rows_of_columns);
        columns.position(|(length, owner)| length == wanted && *owner == UNASSIGNED)
    }

    /// Finds the shortest way from a free row to a free column (Dijkstra over reduced costs) and
    /// hands every column on it to the row before.
    ///
    /// Costs are finite and there are at least as many true columns as rows, so a free column is
    /// always within reach. Each turn of the search before that settles another column that a row
    /// has: a settled one costs infinity from then on. So there are fewer turns than rows, whatever
    /// the costs are, and the way back is no longer.
    fn augment(&mut self, level: Level, all_costs: &[f32], free_row: u32) {
        let columns = self.prices.len();
        self.distances.fill(f64::INFINITY);
        self.settled.clear();
        let (mut row, mut offset) = (free_row, 0.0);
        let (mut end, length) = loop {
            let costs = &all_costs[row as usize * columns..][..columns];
            let mut frontier = Frontier {
                prices: &self.prices,
                distances: &mut self.distances,
                parents: &mut self.parents,
            };
            let Nearest { distance, column } =
                relax(level, costs, u64::from(row), offset, &mut frontier);
            let owner = self.rows_of_columns[column];
            if owner == UNASSIGNED {
                break (column, distance);
            }
            // Among equals a free one ends the search.
            if let Some(free) = self.free_column(self.distances.iter().copied(), distance) {
                break (free, distance);
            }
            let price = self.prices[column];
            self.settled.push(Settled { column: column as u32, distance, price });
            let cost = all_costs[owner as usize * columns + column];
            offset = f64::from(cost) - price - distance;
            row = owner;
            self.distances[column] = f64::INFINITY;
            self.prices[column] = f64::NEG_INFINITY;
        };
        for settled in &self.settled {
            self.prices[settled.column as usize] = settled.price + settled.distance - length;
        }
        loop {
            let row = self.parents[end] as u32;
            self.rows_of_columns[end] = row;
            let before = std::mem::replace(&mut self.columns_of_rows[row as usize], end as u32);
            if row == free_row {
                break;
            }
            end = before as usize;
        }
    }
}

fn restart<T: Clone>(values: &mut Vec<T>, length: usize, value: T) {
    values.clear();
    values.resize(length, value);
}

/// # Errors
/// [`Error::NonFinite`] for the first cost that is NaN or infinite.
fn check_finite(costs: &[f32], columns: usize) -> Result<()> {
    let Some(index) = first_non_finite(costs) else { return Ok(()) };
    let name = format!("costs, row {}, column {}", index / columns, index % columns);
    Err(Error::NonFinite { name, index, value: costs[index] })
}

/// The index of the first NaN or infinity.
pub(crate) fn first_non_finite(values: &[f32]) -> Option<usize> {
    if all_finite(Level::best(), values) {
        return None;
    }
    values.iter().position(|value| !value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that Python makes as well (tests/golden/matching/make.py).
    fn hashed(count: usize, seed: u32, levels: u32) -> Vec<f32> {
        (0..count as u32)
            .map(|index| {
                let mixed = (index ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
                let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0xC2B2_AE35);
                ((mixed ^ (mixed >> 13)) % levels) as f32 / levels as f32
            })
            .collect()
    }

    /// The sum of the pairs, after checking that they are pairs and as many as can be.
    fn total(costs: &[f32], rows: usize, columns: usize) -> f64 {
        let mut partners = vec![0; rows];
        Assigner::new().assign(costs, rows, columns, &mut partners).unwrap();
        let mut taken = vec![false; columns];
        let mut sum = 0.0;
        for (row, &column) in partners.iter().enumerate().filter(|pair| *pair.1 != UNASSIGNED) {
            assert!(!std::mem::replace(&mut taken[column as usize], true), "column {column} twice");
            sum += f64::from(costs[row * columns + column as usize]);
        }
        assert_eq!(taken.iter().filter(|taken| **taken).count(), rows.min(columns));
        sum
    }

    /// The least total by trying everything; rows at most columns.
    fn brute_force(costs: &[f32], columns: usize, taken: u32) -> f64 {
        if costs.is_empty() {
            return 0.0;
        }
        let open = (0..columns).filter(|column| taken & (1 << column) == 0);
        open.map(|column| {
            f64::from(costs[column]) + brute_force(&costs[columns..], columns, taken | 1 << column)
        })
        .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn small_problems_cost_what_trying_everything_costs() {
        for seed in 0..200 {
            let (rows, columns) = (1 + seed as usize % 5, 5 + seed as usize % 3);
            let levels = [2, 3, 1 << 20][seed as usize % 3];
            let costs = hashed(rows * columns, seed, levels);
            let wanted = brute_force(&costs, columns, 0);
            assert!((total(&costs, rows, columns) - wanted).abs() < 1e-9, "seed {seed}");
            let turned: Vec<f32> =
                (0..rows * columns).map(|i| costs[i % rows * columns + i / rows]).collect();
            assert!((total(&turned, columns, rows) - wanted).abs() < 1e-9, "turned, seed {seed}");
        }
    }

    #[derive(serde::Deserialize)]
    struct Case {
        rows: usize,
        columns: usize,
        seed: u32,
        levels: u32,
        total: f64,
    }

    #[test]
    fn large_tied_and_rectangular_problems_cost_what_scipy_finds() {
        let text = include_str!("../../tests/golden/matching/assignment.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let costs = hashed(case.rows * case.columns, case.seed, case.levels);
            let found = total(&costs, case.rows, case.columns);
            let what = format!("{}x{} of {} levels", case.rows, case.columns, case.levels);
            assert!((found - case.total).abs() <= 1e-9 * case.total.abs(), "{what}: {found}");
        }
    }

    #[test]
    fn degenerate_problems_end() {
        assert_eq!(total(&[0.5; 100 * 300], 100, 300), 50.0);
        assert_eq!(total(&[-1e30; 20 * 20], 20, 20), 20.0 * f64::from(-1e30f32));
        assert_eq!(total(&[7.0], 1, 1), 7.0);
        // The ends of the range, zeros of both signs and the least number there is, in any shape.
        let ends = [f32::MAX, f32::MIN, 0.0, -0.0, f32::MIN_POSITIVE, 1e-45, -1e30];
        for (rows, columns) in [(30, 40), (40, 30), (33, 33), (3, 5), (5, 3), (1, 9)] {
            for seed in 0..20 {
                let levels = ends.len() as u32;
                let place = |level: f32| (level * levels as f32).round() as usize;
                let costs = hashed(rows * columns, seed, levels);
                let costs: Vec<f32> = costs.into_iter().map(|level| ends[place(level)]).collect();
                assert!(total(&costs, rows, columns).is_finite());
            }
        }
        assert_eq!((total(&[], 0, 5), total(&[], 5, 0)), (0.0, 0.0));
        // A staircase: each row's cheapest column is the one before it would rather keep.
        let stairs: Vec<f32> =
            (0..50 * 50).map(|i| if i % 50 <= i / 50 { 0.0 } else { (i % 50) as f32 }).collect();
        assert_eq!(total(&stairs, 50, 50), 0.0);
    }

    #[test]
    fn costs_that_are_no_numbers_and_wrong_lengths_are_named() {
        let mut costs = vec![0.0; 3 * 40];
        costs[40 + 17] = f32::NAN;
        let mut assigner = Assigner::new();
        let error = assigner.assign(&costs, 3, 40, &mut [0; 3]).unwrap_err();
        assert!(error.to_string().starts_with("costs, row 1, column 17: value NaN"), "{error}");
        costs[40 + 17] = 0.0;
        costs[119] = f32::NEG_INFINITY;
        let error = assigner.assign(&costs, 40, 3, &mut [0; 40]).unwrap_err();
        assert!(error.to_string().starts_with("costs, row 39, column 2: value -inf"), "{error}");
        assert!(matches!(assigner.assign(&costs, 3, 39, &mut [0; 3]), Err(Error::Shape { .. })));
        assert!(matches!(assigner.assign(&costs, 3, 40, &mut [0; 2]), Err(Error::Shape { .. })));
    }
}
