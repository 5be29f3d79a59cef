//! Local clustering end to end, on maps whose parts are known.

use simdetr::Error;
use simdetr::control::Control;
use simdetr::data::feature_map::{FeatureMap, FeatureMapView};
use simdetr::data::proposal_set::ProposalSet;
use simdetr::geometry::intersection_over_union;
use simdetr::proposals::config::{Affinity, Center, LocalMethod, Scale};
use simdetr::proposals::{
    ExtractCounts, Extractor, ImageGeometry, ImageMaps, LevelMap, ProposalConfig, Scratch,
};
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::workers::Workers;

const GEOMETRY: ImageGeometry = ImageGeometry {
    original_width: 800,
    original_height: 640,
    resized_width: 640,
    resized_height: 512,
};

/// A background and objects on it (boxes in shares of the image), each with its own direction.
fn scene(height: usize, width: usize, channels: usize, objects: &[[f64; 4]]) -> FeatureMap {
    let mut random = Random::new(StreamKey::new(11, Purpose::Sampling));
    let kinds = objects.len() + 1;
    let centres: Vec<f64> = (0..kinds * channels).map(|_| random.normal().abs()).collect();
    let mut values = Vec::new();
    for cell in 0..height * width {
        let x = ((cell % width) as f64 + 0.5) / width as f64;
        let y = ((cell / width) as f64 + 0.5) / height as f64;
        let kind = objects
            .iter()
            .position(|o| o[0] <= x && x < o[2] && o[1] <= y && y < o[3])
            .map_or(0, |object| object + 1);
        for channel in 0..channels {
            let noise = 0.05 * random.normal();
            values.push((centres[kind * channels + channel] + noise).max(0.0) as f32);
        }
    }
    FeatureMap { values, height, width, channels }
}

fn extract(
    maps: &[FeatureMap],
    config: &ProposalConfig,
    workers: &Workers,
    scratch: &mut Scratch,
) -> Result<(ProposalSet, ExtractCounts), Error> {
    let strides = [32, 16];
    let levels: Vec<LevelMap<'_>> = maps
        .iter()
        .zip(strides)
        .map(|(map, stride)| LevelMap { map: map.view(), stride, groups: &[] })
        .collect();
    let mut out = ProposalSet::default();
    let image = ImageMaps { maps: &levels, geometry: GEOMETRY, image_id: 3 };
    let runners = (workers, &Control::default());
    let counts = Extractor::new(config.clone())?.extract(&image, 5, runners, scratch, &mut out)?;
    Ok((out, counts))
}

fn both_maps(objects: &[[f64; 4]]) -> [FeatureMap; 2] {
    [scene(16, 20, 32, objects), scene(32, 40, 16, objects)]
}

const OBJECTS: [[f64; 4]; 2] = [[0.1, 0.125, 0.4, 0.5], [0.5, 0.5, 0.9, 0.875]];

fn finds_the_objects(out: &ProposalSet, name: &str) {
    for object in OBJECTS {
        let wanted = [object[0] * 800.0, object[1] * 640.0, object[2] * 800.0, object[3] * 640.0]
            .map(|side| side as f32);
        let best = out
            .boxes
            .iter()
            .map(|found| intersection_over_union(found, &wanted))
            .fold(0.0, f64::max);
        assert!(best > 0.95, "{name}: {best} for {wanted:?} among {:?}", out.boxes);
    }
    assert!(out.vectors.iter().chain(&out.norms).all(|value| value.is_finite()));
}

#[test]
fn every_affinity_and_method_finds_the_objects() {
    let maps = both_maps(&OBJECTS);
    for affinity in [
        Affinity::Cosine,
        Affinity::CosineShifted,
        Affinity::CosineExp,
        Affinity::CosineMinmax,
        Affinity::CosineClamped,
        Affinity::Rbf,
        Affinity::Binary,
    ] {
        // Objects fill whole cells.
        let mut config = ProposalConfig { affinity, box_margin: 0.0, ..ProposalConfig::default() };
        if affinity == Affinity::Cosine {
            (config.center, config.scale) = (Center::None, Scale::None);
        }
        let workers = Workers::caller();
        let (out, counts) = extract(&maps, &config, &workers, &mut Scratch::default()).unwrap();
        assert_eq!((counts.clusterings, counts.clusterings_skipped), (5, 0));
        finds_the_objects(&out, &format!("{affinity:?}"));
        config.local_method = LocalMethod::Kmeans;
        let (out, _) = extract(&maps, &config, &workers, &mut Scratch::default()).unwrap();
        finds_the_objects(&out, &format!("k-means, {affinity:?}"));
    }
}

#[test]
fn proposals_are_ranked_and_describe_themselves() {
    let workers = Workers::caller();
    let config = ProposalConfig::default();
    let (out, counts) =
        extract(&both_maps(&OBJECTS), &config, &workers, &mut Scratch::default()).unwrap();
    assert_eq!(out.count(), counts.proposals);
    assert!(out.count() >= 2 && out.count() <= 25 && out.dimensions == 32);
    assert!(
        out.scores.windows(2).all(|pair| pair[0] >= pair[1]) && out.scores == out.region_shares
    );
    for proposal in 0..out.count() {
        let runs = out.runs(proposal);
        assert_eq!(runs.iter().sum::<u32>(), 32 * 40);
        let set: u32 = runs.iter().skip(1).step_by(2).sum();
        assert!((set as f32 / 1280.0 - out.region_shares[proposal]).abs() < 1e-6);
        assert!((out.vector(proposal).iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!((0..2).contains(&out.levels[proposal]) && out.cluster_counts[proposal] >= 2);
        let [x0, y0, x1, y1] = out.boxes[proposal];
        assert!(0.0 <= x0 && x0 < x1 && x1 <= 800.0 && 0.0 <= y0 && y0 < y1 && y1 <= 640.0);
    }
}

#[test]
fn threads_and_used_memory_change_no_bit() {
    let maps = both_maps(&OBJECTS);
    let config = ProposalConfig::default();
    let mut scratch = Scratch::default();
    let alone = extract(&maps, &config, &Workers::caller(), &mut scratch).unwrap();
    for threads in [2, 3, 7] {
        let workers = Workers::with_threads(threads).unwrap();
        assert_eq!(extract(&maps, &config, &workers, &mut Scratch::default()).unwrap(), alone);
    }
    let larger = [scene(24, 30, 40, &OBJECTS), scene(48, 60, 20, &OBJECTS)];
    extract(&larger, &config, &Workers::caller(), &mut scratch).unwrap();
    let bytes = scratch.memory_bytes();
    assert!(bytes > 48 * 60 * 48 * 60 * 4, "{bytes} cannot hold the affinity");
    assert_eq!(extract(&maps, &config, &Workers::caller(), &mut scratch).unwrap(), alone);
    assert_eq!(scratch.memory_bytes(), bytes);
}

#[test]
fn a_flat_image_is_one_region() {
    let flat = |height, width, channels| FeatureMap {
        values: [0.3, 0.7].repeat(height * width * channels / 2),
        height,
        width,
        channels,
    };
    for (affinity, center) in [
        (Affinity::CosineExp, Center::Image),
        (Affinity::CosineShifted, Center::Image),
        (Affinity::CosineMinmax, Center::Image),
        (Affinity::Rbf, Center::Image),
        (Affinity::Binary, Center::None),
        (Affinity::Cosine, Center::None),
    ] {
        for scale in [Scale::Image, Scale::None] {
            let config = ProposalConfig { affinity, center, scale, ..ProposalConfig::default() };
            let maps = [flat(16, 20, 8), flat(32, 40, 4)];
            let (out, _) =
                extract(&maps, &config, &Workers::caller(), &mut Scratch::default()).unwrap();
            assert_eq!(out.boxes, [[0.0, 0.0, 800.0, 640.0]], "{affinity:?} {scale:?}");
            assert_eq!(out.region_shares, [1.0]);
        }
    }
}

#[test]
fn clusterings_without_enough_cells_are_skipped_and_counted() {
    let maps = [scene(2, 2, 8, &[[0.0, 0.0, 0.5, 1.0]]), scene(3, 3, 8, &[[0.0, 0.0, 0.4, 1.0]])];
    let config = ProposalConfig::default();
    let (out, counts) =
        extract(&maps, &config, &Workers::caller(), &mut Scratch::default()).unwrap();
    // Of K = 2, 4, 8 on four cells only 2; of 8, 16 on nine cells only 8.
    assert_eq!((counts.clusterings, counts.clusterings_skipped), (2, 3));
    assert!(out.count() > 0);
    let one = [scene(1, 1, 8, &[])];
    let (out, counts) =
        extract(&one, &config, &Workers::caller(), &mut Scratch::default()).unwrap();
    assert_eq!((out.count(), counts.clusterings, counts.clusterings_skipped), (0, 0, 4));
}

#[test]
fn bad_maps_are_named_errors() {
    let config = ProposalConfig::default();
    let run = |maps: &[FeatureMap], config: &ProposalConfig| {
        extract(maps, config, &Workers::caller(), &mut Scratch::default()).unwrap_err()
    };
    let mut broken = both_maps(&OBJECTS);
    broken[1].values[77] = f32::NAN;
    assert!(matches!(run(&broken, &config), Error::NonFinite { index: 77, .. }));
    broken[1].values.pop();
    assert!(matches!(run(&broken, &config), Error::Shape { .. }));
    assert!(matches!(run(&[], &config), Error::InvalidArgument { .. }));
    let mut signed = both_maps(&OBJECTS);
    // Two kinds of opposite cells: the fewer ones are unlike most others.
    signed[0].values[..32 * 120].iter_mut().for_each(|value| *value = -*value);
    let cosine = ProposalConfig {
        affinity: Affinity::Cosine,
        center: Center::None,
        scale: Scale::None,
        ..config.clone()
    };
    let message = run(&signed, &cosine).to_string();
    assert!(message.contains("map 0") && message.contains("cosine_shifted"), "{message}");
    let empty = FeatureMapView { values: &[], height: 0, width: 0, channels: 0 };
    let maps = [LevelMap { map: empty, stride: 32, groups: &[] }];
    let image = ImageMaps { maps: &maps, geometry: GEOMETRY, image_id: 1 };
    let (mut scratch, mut out) = (Scratch::default(), ProposalSet::default());
    let extractor = Extractor::new(config).unwrap();
    let runners = (&Workers::caller(), &Control::default());
    let error = extractor.extract(&image, 0, runners, &mut scratch, &mut out);
    assert!(matches!(error, Err(Error::Shape { .. })));
}

/// Two discs of one kind with a bridge between them, on a background: one connected part.
fn touching_discs() -> [[f32; 4]; 2] {
    [[10, 8], [24, 8]].map(|[x, y]| {
        // Cells of 16 pixels of the resized image, which is 4/5 of the original.
        [x - 6, y - 6, x + 7, y + 7].map(|cell| (cell * 20) as f32)
    })
}

#[test]
fn a_reach_parts_objects_of_one_kind_that_touch() {
    let inside = |x: i64, y: i64, cx: i64| (x - cx).pow(2) + (y - 8).pow(2) <= 40;
    let mut values = Vec::new();
    for cell in 0..32 * 40i64 {
        let (x, y) = (cell % 40, cell / 40);
        let object = inside(x, y, 10) || inside(x, y, 24) || (y == 8 && (10..24).contains(&x));
        values.extend(if object { [1.0f32, 0.0] } else { [0.0, 1.0] });
    }
    let map = FeatureMap { values, height: 32, width: 40, channels: 2 };
    let coarse = scene(16, 20, 2, &OBJECTS);
    let best = |affinity_reach: f32| {
        let config = ProposalConfig {
            affinity_reach,
            temperature: 0.3,
            cluster_counts: vec![vec![], vec![6]],
            // Filter (a) would unite what is of one kind again.
            centroid_merge_similarity: 1.0,
            box_margin: 0.0,
            ..ProposalConfig::default()
        };
        let maps = [coarse.clone(), map.clone()];
        let (out, _) =
            extract(&maps, &config, &Workers::caller(), &mut Scratch::default()).unwrap();
        touching_discs().map(|disc| {
            let overlaps = out.boxes.iter().map(|found| intersection_over_union(found, &disc));
            overlaps.fold(0.0, f64::max)
        })
    };
    let (without, with) = (best(0.0), best(0.1));
    assert!(without.iter().all(|overlap| *overlap < 0.6), "{without:?}");
    assert!(with.iter().all(|overlap| *overlap > 0.9), "{with:?}");
}

#[test]
fn what_is_behind_all_objects_is_left_out_where_boxes_are_limited() {
    let workers = Workers::caller();
    let of = |box_share_max: f32| {
        let config = ProposalConfig { box_share_max, box_margin: 0.0, ..ProposalConfig::default() };
        extract(&both_maps(&OBJECTS), &config, &workers, &mut Scratch::default()).unwrap()
    };
    let share =
        |bounds: &[f32; 4]| (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / (800.0 * 640.0);
    let ((all, counts), (limited, fewer)) = (of(1.0), of(0.9));
    assert!(counts.regions_large == 0 && fewer.regions_large > 0);
    assert!(all.boxes.iter().any(|bounds| share(bounds) > 0.9), "nothing is behind the objects");
    assert!(limited.boxes.iter().all(|bounds| share(bounds) <= 0.9));
    finds_the_objects(&limited, "limited");
    assert_eq!(all.count() - limited.count(), fewer.regions_large);
}
