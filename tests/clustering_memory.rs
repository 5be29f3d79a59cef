//! A memory budget of 64 MiB holds for 1 GiB of vectors, by counting every allocation.
//!
//! The vectors are computed when they are read, so the test needs no disk. This is a test binary
//! of its own because it counts for the whole process.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::{LIVE, PEAK};
use simdetr::Result;
use simdetr::clustering::{ClusterConfig, fit};
use simdetr::control::Control;
use simdetr::data::vectors::VectorSource;
use simdetr::workers::Workers;
use std::sync::atomic::Ordering;

const DIMENSIONS: usize = 256;
const ROWS: u64 = 1 << 20;

/// Sixteen directions, each row one of them and a pattern of its own.
struct Computed;

impl VectorSource for Computed {
    fn rows_count(&self) -> u64 {
        ROWS
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn read(&self, first: u64, rows: &mut [f32]) -> Result<()> {
        for (row, values) in (first..).zip(rows.chunks_exact_mut(DIMENSIONS)) {
            let mut state = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for (dimension, value) in values.iter_mut().enumerate() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let along = if dimension as u64 / 16 == row % 16 { 1.0 } else { 0.0 };
                *value = along + (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
            }
        }
        Ok(())
    }
}

#[test]
fn a_budget_of_64_mib_holds_for_1_gib_of_vectors() {
    let workers = Workers::with_threads(2).unwrap();
    let config = ClusterConfig {
        classes: 128,
        rounds: 1,
        sample_per_class: 1024,
        memory_bytes_max: 64 << 20,
        ..ClusterConfig::default()
    };
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let fit = fit(&Computed, &config, &workers, Control::default()).unwrap();
    let peak = PEAK.load(Ordering::Relaxed) - before;
    assert!(fit.rounds[0].objective > 0.0);
    // The sample alone takes half of the budget, so a test that counts nothing would fail too.
    assert!((30 << 20..64 << 20).contains(&peak), "{peak} bytes");
}
