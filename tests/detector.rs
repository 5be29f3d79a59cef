//! Deformable DETR against Hugging Face's: outputs of every decoder layer with padding in the batch,
//! matches, the whole loss and its gradient for every parameter, on networks whose weights come from
//! a formula.

#[path = "support/formula.rs"]
mod formula;

use formula::uniform;
use serde_json::Value;
use simdetr::control::Control;
use simdetr::criterion::{Criterion, CriterionConfig, Gradients};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::network::{BatchShape, DetectorNetwork};
use simdetr::detector::parameters::parameter_table;
use simdetr::kernels::matrix_product::Update;
use simdetr::matching::{Predictions, Targets};
use simdetr::nn::network::{Memory, Purpose};
use simdetr::nn::operation::StepKey;
use simdetr::nn::parameter_values::ParameterValues;
use simdetr::nn::parameters::{Parameter, ParameterTable};
use simdetr::workers::Workers;

const GOLDEN: &str = include_str!("golden/detector/detector.json");
const STEP: StepKey = StepKey { seed: 0, stage: 0, step: 0, part: 0, training: true };

fn case(name: &str) -> Value {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    cases.iter().find(|case| case["name"] == name).unwrap().clone()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn config(case: &Value) -> DetectorConfig {
    DetectorConfig {
        backbone_depth: number(&case["depth"]),
        backbone_width: number(&case["width"]),
        levels_count: number(&case["levels"]),
        hidden_size: number(&case["hidden"]),
        heads_count: 8,
        points_count: number(&case["points"]),
        encoder_layers_count: number(&case["layers"][0]),
        decoder_layers_count: number(&case["layers"][1]),
        feedforward_size: number(&case["feedforward"]),
        queries_count: number(&case["queries"]),
        classes_count: number(&case["classes"]),
        dropout: 0.0,
        box_refinement: case["refine"].as_bool().unwrap(),
        look_forward_twice: case["twice"].as_bool().unwrap_or(false),
        ..DetectorConfig::default()
    }
}

/// The formula of `make.py`. Its peer ties the class heads of all layers.
fn values(parameter: &Parameter) -> Vec<f32> {
    let (name, shape) = (parameter.name.as_str(), &parameter.shape);
    let tied = match name.split_once('.') {
        Some(("class_embed", rest)) => format!("class_embed.0.{}", &rest[2..]),
        _ => name.to_string(),
    };
    let scale: Box<dyn Fn(f64) -> f64> = if shape.len() == 4 {
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        Box::new(move |u| (2.0 * u - 1.0) * bound)
    } else if name.contains("query_embed") || name.contains("level_embed") {
        Box::new(|u| 2.0 * u - 1.0)
    } else if shape.len() == 2 {
        let bound = (3.0 / shape[1] as f64).sqrt();
        Box::new(move |u| (2.0 * u - 1.0) * bound)
    } else if name.ends_with("sampling_offsets.bias") {
        Box::new(|u| 4.0 * u - 2.0)
    } else if name.ends_with("running_var") {
        Box::new(|u| 0.5 + u)
    } else if name.ends_with("weight") && name.contains("backbone") {
        Box::new(|u| 0.3 + 0.4 * u)
    } else if name.ends_with("weight") {
        Box::new(|u| 0.75 + 0.5 * u)
    } else {
        Box::new(|u| 0.2 * u - 0.1)
    };
    uniform(&tied, parameter.range.len()).map(|u| scale(u) as f32).collect()
}

struct Run {
    table: ParameterTable,
    network: DetectorNetwork,
    parameters: Vec<f32>,
    memory: Memory<f32>,
    layers: usize,
}

fn forward(case: &Value, purpose: Purpose, workers: &Workers) -> Run {
    let config = config(case);
    let table = parameter_table(&config).unwrap();
    let mut parameters = vec![0.0; table.length()];
    for parameter in table.iter() {
        parameters[parameter.range.clone()].copy_from_slice(&values(parameter));
    }
    let (height, width) = (number(&case["padded"][0]), number(&case["padded"][1]));
    let sizes: Vec<[u32; 2]> = case["sizes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|size| [number(&size[0]) as u32, number(&size[1]) as u32])
        .collect();
    let shape = BatchShape { images: sizes.len(), height, width };
    let network = DetectorNetwork::new(&config, &table, shape, purpose, workers.count()).unwrap();
    let mut memory = Memory::default();
    let name = format!("images {}", case["name"].as_str().unwrap());
    // Twice: a second step finds the memory as the first one left it.
    for _ in 0..2 {
        let target = network.images_mut(&mut memory);
        for (index, (target, u)) in
            target.iter_mut().zip(uniform(&name, usize::MAX >> 32)).enumerate()
        {
            let (image, pixel) = (index / (height * width * 3), index / 3 % (height * width));
            let [rows, columns] = sizes[image].map(|side| side as usize);
            let inside = pixel / width < rows && pixel % width < columns;
            *target = if inside { (4.0 * u - 2.0) as f32 } else { 0.0 };
        }
        if purpose == Purpose::Prediction {
            let parameters = ParameterValues::new(parameters.clone());
            let constants = network.constants(&parameters, Some(&sizes), workers).unwrap();
            let runners = (workers, &Control::default());
            network.network().predict(&mut memory, &parameters, &constants, runners).unwrap();
            continue;
        }
        network.set_sizes(&mut memory, &sizes);
        network.network().forward(&mut memory, &parameters, &STEP, workers);
    }
    let layers = config.decoder_layers_count;
    Run { table, network, parameters, memory, layers }
}

/// Largest difference from a golden tensor's slice, divided by the tensor's largest magnitude.
fn difference(found: &[f32], golden: &Value) -> f64 {
    let values = golden["values"].as_array().unwrap();
    let last = values.len() - 1;
    let differences = values.iter().enumerate().map(|(index, value)| {
        let at = index * (found.len() - 1) / last;
        (f64::from(found[at]) - value.as_f64().unwrap()).abs()
    });
    differences.fold(0.0, f64::max) / golden["largest"].as_f64().unwrap().max(1.0)
}

#[test]
fn outputs_of_every_layer_agree_with_the_peer() {
    let workers = Workers::with_threads(2).unwrap();
    for name in ["small", "refining", "looking forward twice", "deep", "full"] {
        let case = case(name);
        let run = forward(&case, Purpose::Training { recompute: false }, &workers);
        let predicting = forward(&case, Purpose::Prediction, &workers);
        assert_eq!(predicting.network.predictions().layers, 1);
        // The last layer twice: as in training, and as prediction has it alone.
        for layer in 0..=run.layers {
            let (run, at) = if layer < run.layers { (&run, layer) } else { (&predicting, 0) };
            let layer = layer.min(run.layers - 1);
            let logits = run.network.logits(&run.memory, at);
            let boxes = run.network.boxes(&run.memory, at);
            let of_logits = difference(logits, &case["logits"][layer]);
            let of_boxes = difference(boxes, &case["boxes"][layer]);
            println!("{name}, layer {layer}: logits {of_logits:.1e}, boxes {of_boxes:.1e}");
            assert!(of_logits < 1e-4 && of_boxes < 1e-4, "{name} {layer}: {of_logits} {of_boxes}");
        }
    }
}

/// Boxes of the two images of `make.py`.
const TARGETS: [u32; 2] = [6, 3];

/// The targets of `make.py`.
fn targets(case: &Value) -> (Vec<u32>, Vec<[f32; 4]>) {
    let classes = number(&case["classes"]) as f64;
    let count = TARGETS.iter().sum::<u32>() as usize;
    let name = format!("targets {}", case["name"].as_str().unwrap());
    let drawn: Vec<f64> = uniform(&name, 5 * count).collect();
    let (rows, _) = drawn.as_chunks::<5>();
    let side = |u: f64| (0.1 + 0.4 * u) as f32;
    let centre = |u: f64| (0.3 + 0.4 * u) as f32;
    let boxes = rows.iter().map(|u| [centre(u[1]), centre(u[2]), side(u[3]), side(u[4])]).collect();
    (rows.iter().map(|u| (u[0] * classes) as u32).collect(), boxes)
}

/// What `make.py` asks its peer for: the whole loss and its gradient.
struct Learned {
    table: ParameterTable,
    gradients: Vec<f32>,
    loss: f64,
    /// The query of each target, layer by layer.
    matches: Vec<Vec<u32>>,
}

fn learn(case: &Value, workers: &Workers) -> Learned {
    let mut run = forward(case, Purpose::Training { recompute: false }, workers);
    let shape = run.network.predictions();
    let outputs = run.network.outputs(&mut run.memory);
    let predictions = Predictions::new(outputs.logits, outputs.boxes, shape).unwrap();
    let (classes, boxes) = targets(case);
    let targets = Targets::new(&TARGETS, &classes, &boxes, shape.classes).unwrap();
    let mut criterion = Criterion::new(CriterionConfig::default()).unwrap();
    let (logits, boxes) = (outputs.logits_gradient, outputs.boxes_gradient);
    let mut gradients = Gradients { logits, boxes };
    let loss =
        criterion.evaluate(&predictions, &targets, None, &mut gradients, workers).unwrap().total;
    let units = criterion.matches().units().chunks_exact(TARGETS.len());
    let matches = units.map(|images| images.iter().flat_map(|unit| unit.queries.clone()).collect());
    let matches = matches.collect();
    let mut gradients = vec![f32::NAN; run.table.trained_length()];
    run.network.network().backward(
        &mut run.memory,
        &run.parameters,
        &mut gradients,
        Update::Overwrite,
        &STEP,
        workers,
    );
    Learned { table: run.table, gradients, loss, matches }
}

#[test]
fn matches_and_the_whole_loss_agree_with_the_peer() {
    let workers = Workers::with_threads(2).unwrap();
    for name in ["small", "refining", "looking forward twice", "deep"] {
        let case = case(name);
        let learned = learn(&case, &workers);
        assert_eq!(serde_json::to_value(&learned.matches).unwrap(), case["matches"], "{name}");
        let wanted = case["loss"].as_f64().unwrap();
        let relative = (learned.loss - wanted).abs() / wanted;
        println!("{name}: loss {}, relative difference {relative:.1e}", learned.loss);
        assert!(relative < 1e-5, "{name}: {} instead of {wanted}", learned.loss);
    }
}

/// Norms under this are rounding: a group norm of one channel a group has no gradient.
const NORM_MIN: f64 = 1e-4;

#[test]
fn gradients_of_every_parameter_agree_with_the_peer() {
    let workers = Workers::with_threads(2).unwrap();
    for name in ["small", "refining", "looking forward twice", "deep"] {
        let case = case(name);
        let Learned { table, gradients, .. } = learn(&case, &workers);
        let (mut compared, mut worst) = (0, 0.0f64);
        for (parameter, golden) in case["gradients"].as_object().unwrap() {
            let Some(entry) = table.get(parameter).filter(|entry| entry.trained) else { continue };
            let norm = golden["norm"].as_f64().unwrap();
            if norm < NORM_MIN {
                continue;
            }
            let mut gradient: Vec<f64> =
                gradients[entry.range.clone()].iter().map(|&value| value.into()).collect();
            if let Some(("class_embed", rest)) = parameter.split_once('.') {
                // Tied in the peer: its gradient is the sum over the layers.
                let others = 1..table
                    .iter()
                    .filter(|p| p.name.ends_with(&rest[1..]) && p.name.starts_with("class_embed"))
                    .count();
                for layer in others {
                    let other = table.get(&format!("class_embed.{layer}{}", &rest[1..])).unwrap();
                    let other = &gradients[other.range.clone()];
                    gradient.iter_mut().zip(other).for_each(|(sum, x)| *sum += f64::from(*x));
                }
            }
            let products = golden["products"].as_array().unwrap();
            let squares = products.iter().enumerate().map(|(index, wanted)| {
                let signs = uniform(&format!("{parameter} projection {index}"), gradient.len());
                let found: f64 =
                    gradient.iter().zip(signs).map(|(g, u)| if u < 0.5 { -g } else { *g }).sum();
                (found - wanted.as_f64().unwrap()).powi(2)
            });
            let relative = (squares.sum::<f64>() / products.len() as f64).sqrt() / norm;
            assert!(relative < 1e-3, "{name}: {parameter}: {relative:.1e} of {norm}");
            (compared, worst) = (compared + 1, worst.max(relative));
        }
        println!("{name}: {compared} parameters, largest relative difference {worst:.1e}");
        assert!(compared > 80, "{compared}");
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let case = case("small");
    let run = |threads: usize| learn(&case, &Workers::with_threads(threads).unwrap()).gradients;
    let alone = run(1);
    assert!(alone.iter().all(|value| value.is_finite()));
    for threads in [2, 3, 7] {
        let same = run(threads).iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{threads} threads");
    }
}
