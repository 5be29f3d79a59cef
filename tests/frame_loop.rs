//! Frame loops (issue, "The C ABI"): once warm, extraction on feature maps of the host makes no
//! heap allocation and starts no thread. Its own binary, because it replaces the allocator.

use simdetr::control::Control;
use simdetr::data::proposal_set::ProposalSet;
use simdetr::proposals::config::{LocalMethod, OverlapMerge, SemanticMerge};
use simdetr::proposals::{Extractor, ImageGeometry, ImageMaps, LevelMap, ProposalConfig, Scratch};
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::workers::Workers;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what the current thread asks of the system's allocator.
struct Counting;

fn count() {
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks of random features with noise.
fn random_map(height: usize, width: usize, channels: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
    let centres: Vec<f64> = (0..6 * channels).map(|_| random.normal()).collect();
    let mut values = Vec::new();
    for cell in 0..height * width {
        let block = (cell / width * 2 / height) * 3 + cell % width * 3 / width;
        for channel in 0..channels {
            values.push((centres[block * channels + channel] + 0.7 * random.normal()) as f32);
        }
    }
    values
}

fn threads_of_this_process() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

fn allocations_of_100_calls(config: ProposalConfig) -> (u64, usize) {
    let extractor = Extractor::new(config).unwrap();
    let runners = (&Workers::caller(), &Control::default());
    let frames: Vec<_> = (0..4)
        .map(|seed| (random_map(10, 12, 48, seed), random_map(20, 24, 24, seed + 9)))
        .collect();
    let (mut scratch, mut out) = (Scratch::default(), ProposalSet::default());
    let mut call =
        |frame: usize| {
            let (coarse, fine) = &frames[frame % frames.len()];
            let view = |values, height, width, channels| {
                simdetr::data::feature_map::FeatureMapView { values, height, width, channels }
            };
            let maps = [
                LevelMap { map: view(coarse, 10, 12, 48), stride: 32, groups: &[] },
                LevelMap { map: view(fine, 20, 24, 24), stride: 16, groups: &[] },
            ];
            let geometry = ImageGeometry {
                original_width: 640,
                original_height: 480,
                resized_width: 384,
                resized_height: 320,
            };
            let image =
                ImageMaps { maps: &maps, geometry, image_id: (frame % frames.len()) as u32 };
            extractor.extract(&image, 0, runners, &mut scratch, &mut out).unwrap();
            out.count()
        };
    let found: usize = (0..8).map(&mut call).sum();
    assert!(found >= 16, "the frames must have proposals: {found}");
    let threads = threads_of_this_process();
    let allocations = ALLOCATIONS.get();
    assert!((0..100).map(call).sum::<usize>() >= 200);
    (ALLOCATIONS.get() - allocations, threads_of_this_process() - threads)
}

#[test]
fn a_warm_extractor_allocates_nothing_and_starts_no_thread() {
    let default = ProposalConfig::default();
    let merging = ProposalConfig {
        overlap_merge: OverlapMerge::IouKmeans,
        semantic_merge: SemanticMerge::Union,
        ..default.clone()
    };
    let plain = ProposalConfig { local_method: LocalMethod::Kmeans, ..default.clone() };
    for config in [default, merging, plain] {
        assert_eq!(allocations_of_100_calls(config.clone()), (0, 0), "{config:?}");
    }
}
