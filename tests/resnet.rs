//! ResNets against torchvision: maps of large networks whose weights come from a formula, a
//! checkpoint that torch saved, and files that must be refused.

#[path = "support/formula.rs"]
mod formula;

use formula::uniform;
use serde_json::Value;
use simdetr::Error;
use simdetr::backbone::architecture::Architecture;
use simdetr::backbone::resnet::ResNet;
use simdetr::backbone::resnet_weights::ResNetWeights;
use simdetr::control::{CancelToken, Control};
use simdetr::kernels::simd::{LEVEL_VARIABLE, Level};
use simdetr::nn::network::Memory;
use simdetr::workers::Workers;
use std::process::Command;

const MAPS: &str = include_str!("golden/resnet/maps.json");
const CONTRASTIVE: &[u8] = include_bytes!("golden/resnet/contrastive.safetensors");

/// The formula of `make_golden.py`.
fn parameter(name: &str, shape: &[usize]) -> Vec<f32> {
    let values = uniform(name, shape.iter().product());
    let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    if shape.len() == 4 {
        values.map(|value| ((2.0 * value - 1.0) * bound) as f32).collect()
    } else if name.ends_with("weight") || name.ends_with("running_var") {
        values.map(|value| (0.5 + value) as f32).collect()
    } else {
        values.map(|value| (value - 0.5) as f32).collect()
    }
}

fn weights(depth: usize, width: usize) -> ResNetWeights {
    let architecture = Architecture::with_depth(depth, width).unwrap();
    ResNetWeights::from_values(architecture, parameter).unwrap()
}

fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().unwrap() as usize
}

/// The maps of the four stages of one golden case, images one after another.
fn run(case: &Value, network: &ResNet, threads: usize) -> Vec<Vec<f32>> {
    let (images, height) = (number(case, "images"), number(case, "height"));
    let width = number(case, "width_pixels");
    let name = format!("input {}", case["name"].as_str().unwrap());
    let pixels: Vec<f32> = uniform(&name, images * height * width * 3)
        .map(|value| (value * 4.0 - 2.0) as f32)
        .collect();
    let workers = Workers::with_threads(threads).unwrap();
    // Twice, because a second run finds the memory as the first one left it.
    let mut memory = Memory::default();
    let size = [images, height, width];
    maps_of(network, size, &pixels, &mut memory, &workers);
    maps_of(network, size, &pixels, &mut memory, &workers)
}

/// The maps of the four stages, images one after another.
fn maps_of(
    network: &ResNet,
    size: [usize; 3],
    pixels: &[f32],
    memory: &mut Memory<f32>,
    workers: &Workers,
) -> Vec<Vec<f32>> {
    let plan = network.plan(size, &[0, 1, 2, 3], workers).unwrap();
    plan.images_mut(memory).unwrap().copy_from_slice(pixels);
    network.forward(&plan, memory, (workers, &Control::default())).unwrap();
    (0..4).map(|stage| plan.values(memory, stage).to_vec()).collect()
}

/// Largest difference from a golden map, divided by the map's largest magnitude.
fn relative_error(golden: &Value, map: &[f32]) -> f64 {
    let shape: Vec<usize> = golden["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|side| side.as_u64().unwrap() as usize)
        .collect();
    assert_eq!(map.len(), shape.iter().product::<usize>());
    let largest = golden["largest"].as_f64().unwrap();
    let found = map.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let mean = map.iter().map(|value| f64::from(*value)).sum::<f64>() / map.len() as f64;
    let wanted = golden["values"].as_array().unwrap();
    let mut error = (f64::from(found) - largest).abs();
    error = error.max((mean - golden["mean"].as_f64().unwrap()).abs());
    for (index, value) in wanted.iter().enumerate() {
        let at = index * (map.len() - 1) / (wanted.len() - 1);
        error = error.max((f64::from(map[at]) - value.as_f64().unwrap()).abs());
    }
    error / largest
}

#[test]
fn maps_equal_torchvisions_within_1e_4() {
    let golden: Value = serde_json::from_str(MAPS).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let weights = weights(number(case, "depth"), number(case, "width"));
        let network = ResNet::new(weights);
        let maps = run(case, &network, 2);
        for (stage, map) in maps.iter().enumerate() {
            let error = relative_error(&case["maps"][stage], map);
            println!("{} layer{}: {error:.1e}", case["name"], stage + 1);
            assert!(error < 1e-4, "{} layer{}: {error}", case["name"], stage + 1);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let golden: Value = serde_json::from_str(MAPS).unwrap();
    let case = &golden["cases"][0];
    let network = ResNet::new(weights(number(case, "depth"), number(case, "width")));
    let maps = run(case, &network, 1);
    assert!([2, 3, 7].into_iter().all(|threads| run(case, &network, threads) == maps));
}

/// Levels are chosen for a whole process, so that each has its own.
#[test]
fn every_level_agrees() {
    for level in Level::available() {
        for name in ["maps_equal_torchvisions_within_1e_4", "threads_change_no_bit"] {
            let this = std::env::current_exe().unwrap();
            let output = Command::new(this)
                .args(["--exact", name])
                .env(LEVEL_VARIABLE, level.name())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}: {text}", level.name());
            assert!(text.contains("1 passed"), "{text}");
        }
    }
}

/// An image's maps must not depend on the images beside it.
#[test]
fn a_batch_gives_the_bits_of_single_images() {
    let network = ResNet::new(weights(18, 16));
    let workers = Workers::with_threads(2).unwrap();
    let (height, width) = (61, 83);
    let length = height * width * 3;
    let pixels: Vec<f32> = uniform("batch", 3 * length).map(|x| x as f32).collect();
    let run = |images: std::ops::Range<usize>| {
        let pixels = &pixels[images.start * length..images.end * length];
        let size = [images.len(), height, width];
        maps_of(&network, size, pixels, &mut Memory::default(), &workers)
    };
    let together = run(0..3);
    for image in 0..3 {
        for (map, alone) in together.iter().zip(run(image..image + 1)) {
            let length = map.len() / 3;
            assert_eq!(map[image * length..(image + 1) * length], alone);
        }
    }
}

#[test]
fn a_checkpoint_saved_by_torch_loads_from_under_its_wrapper() {
    let found = ResNetWeights::from_safetensors(CONTRASTIVE, "contrastive.safetensors").unwrap();
    assert_eq!((found.architecture().depth(), found.architecture().width), (18, 2));
    for (of, values) in found.iter() {
        let (name, formula) = (&of.name, parameter(&of.name, &of.shape));
        let halves: Vec<f32> =
            formula.into_iter().map(|value| half::f16::from_f32(value).to_f32()).collect();
        assert_eq!(values, halves, "{name}");
    }
}

/// A file with `tensors`: name, type, shape and bytes.
fn file(tensors: &[(String, safetensors::Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// A small ResNet-18 with names changed by `rename`; those for which it answers nothing are left
/// out.
fn renamed(
    dtype: safetensors::Dtype,
    rename: impl Fn(&str) -> Option<String>,
) -> Vec<(String, safetensors::Dtype, Vec<usize>, Vec<u8>)> {
    let weights = weights(18, 2);
    let tensors = weights.iter().filter_map(|(of, values)| {
        let values = values.iter();
        let bytes = match dtype {
            safetensors::Dtype::BF16 => {
                values.flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect()
            }
            safetensors::Dtype::F64 => {
                values.flat_map(|&value| f64::from(value).to_le_bytes()).collect()
            }
            _ => values.flat_map(|value| value.to_le_bytes()).collect(),
        };
        Some((rename(&of.name)?, dtype, of.shape.clone(), bytes))
    });
    tensors.collect()
}

#[test]
fn prefixes_of_public_checkpoints_are_found_and_types_converted() {
    use safetensors::Dtype;
    let plain = weights(18, 2);
    for prefix in [
        "",
        "module.",
        "encoder.",
        "encoder_q.",
        "backbone.",
        "model.",
        "base_encoder.",
        "module.encoder_q.",
        "backbone.0.body.",
        "state_dict.module.online_network.encoder.",
    ] {
        let bytes = file(&renamed(Dtype::F32, |name| Some(format!("{prefix}{name}"))));
        assert_eq!(ResNetWeights::from_safetensors(&bytes, "file").unwrap(), plain, "{prefix}");
    }
    let bytes = file(&renamed(Dtype::BF16, |name| Some(name.into())));
    let rounded = ResNetWeights::from_safetensors(&bytes, "file").unwrap();
    for (of, values) in plain.iter() {
        let pairs = values.iter().zip(rounded.values(&of.name));
        assert!(
            pairs.into_iter().all(|(exact, found)| (exact - found).abs() <= exact.abs() / 256.0)
        );
    }
}

#[test]
fn files_that_do_not_hold_the_whole_network_are_refused_with_names() {
    use safetensors::Dtype::{F32, F64};
    let refused =
        |bytes: &[u8]| ResNetWeights::from_safetensors(bytes, "w.safetensors").unwrap_err();
    let keep = |name: &str| Some(name.to_string());

    let error = refused(&file(&renamed(F32, |name| Some(format!("features.{}", name.len())))[..1]));
    assert!(matches!(&error, Error::WeightNames { names, .. } if names.contains("features.")));

    let error = refused(&file(&renamed(F32, |name| {
        keep(name).filter(|name| !name.starts_with("layer4.1.") && name != "bn1.bias")
    })));
    let Error::WeightNames { file: source, reason, names } = &error else { panic!("{error}") };
    assert_eq!(source, "w.safetensors");
    assert!(reason.contains("ResNet-18 needs 100 names and 89 of them are there"), "{reason}");
    assert!(names.contains("bn1.bias") && names.contains("layer4.1.conv2.weight"), "{names}");

    let mut extra = renamed(F32, keep);
    extra.push(("layer1.0.se.fc.weight".into(), F32, vec![1], vec![0; 4]));
    assert!(refused(&file(&extra)).to_string().contains("layer1.0.se.fc.weight"));

    let mut twice = renamed(F32, |name| Some(format!("left.{name}")));
    twice.extend(renamed(F32, |name| Some(format!("right.{name}"))));
    assert!(refused(&file(&twice)).to_string().contains("several networks"));

    let mut wrong = renamed(F32, keep);
    let index = wrong.iter().position(|tensor| tensor.0 == "layer2.0.conv1.weight").unwrap();
    wrong[index].2 = vec![2, 4, 3, 3];
    assert!(
        matches!(refused(&file(&wrong)), Error::Shape { name, .. } if name.contains("layer2.0.conv1"))
    );

    let mut broken = renamed(F32, keep);
    broken[0].3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(refused(&file(&broken)), Error::NonFinite { index: 0, .. }));

    assert!(matches!(refused(&file(&renamed(F64, keep))), Error::ElementType { .. }));
    let whole = file(&renamed(F32, keep));
    assert!(matches!(refused(&whole[..whole.len() - 1]), Error::Format { .. }));
    assert!(matches!(refused(b"not weights"), Error::Format { .. }));
}

#[test]
fn sizes_and_stages_that_make_no_sense_are_refused() {
    let network = ResNet::new(weights(18, 2));
    let workers = Workers::caller();
    assert!(network.plan([1, 0, 32], &[3], &workers).is_err());
    assert!(network.plan([1, 32, 32], &[], &workers).is_err());
    assert!(network.plan([1, 32, 32], &[4], &workers).is_err());
    let plan = network.plan([1, 1, 1], &[3], &workers).unwrap();
    let mut memory = Memory::default();
    plan.images_mut(&mut memory).unwrap().fill(1.0);
    network.forward(&plan, &mut memory, (&workers, &Control::default())).unwrap();
    let map = plan.map(0);
    assert_eq!((map.height, map.width, map.channels), (1, 1, 16));
    assert_eq!(plan.values(&memory, 0).len(), 16);
}

#[test]
fn a_cancelled_run_ends() {
    let network = ResNet::new(weights(18, 2));
    let (workers, token) = (Workers::caller(), CancelToken::default());
    let plan = network.plan([1, 32, 32], &[3], &workers).unwrap();
    let mut memory = Memory::default();
    plan.images_mut(&mut memory).unwrap().fill(1.0);
    token.cancel();
    let control = Control { cancel: Some(&token), progress: None };
    let ended = network.forward(&plan, &mut memory, (&workers, &control));
    assert!(matches!(ended, Err(Error::Cancelled)));
}
