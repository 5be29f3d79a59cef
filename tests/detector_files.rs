//! A detector's files in other programs' hands: `transformers` opens ours and saves its own. Both give
//! our logits and boxes.

#[path = "support/formula.rs"]
mod formula;
#[path = "support/peer_case.rs"]
mod peer_case;

use peer_case::{Case, config, python, run};
use safetensors::SafeTensors;
use serde_json::Value;
use simdetr::data::image::ResizeRule;
use simdetr::detector::hugging_face::hugging_face_config;
use simdetr::detector::naming::Naming;
use simdetr::detector::network::BatchShape;
use simdetr::detector::whole_detector::Detector;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const NAMES: &str = include_str!("golden/detector/names.json");
const SHAPE: BatchShape = BatchShape { images: 2, height: 64, width: 96 };

fn detector(box_refinement: bool) -> Detector {
    peer_case::detector(config(box_refinement), ResizeRule::default())
}

fn has_transformers() -> bool {
    let found = python().args(["-c", "import torch, transformers"]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Names and shapes of a safetensors file.
fn tensors(path: &Path) -> BTreeMap<String, Vec<usize>> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect()
}

#[test]
fn our_files_have_every_name_that_transformers_saves() {
    let golden: Value = serde_json::from_str(NAMES).unwrap();
    for (name, box_refinement) in [("plain", false), ("refining", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        detector(box_refinement).save(&path, Naming::HuggingFace).unwrap();
        let ours = tensors(&path);
        let theirs: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(golden[name].clone()).unwrap();
        for (tensor, shape) in &theirs {
            assert_eq!(ours.get(tensor), Some(shape), "{name}: {tensor}");
        }
        // What is more are heads, which it stores once where layers share them.
        let more = ours.keys().filter(|tensor| !theirs.contains_key(*tensor));
        for tensor in more {
            assert!(
                tensor.starts_with("class_embed.") || tensor.starts_with("bbox_embed."),
                "{tensor}"
            );
        }
    }
}

#[test]
fn transformers_opens_our_files_and_we_open_its() {
    if !has_transformers() {
        println!("skipped: no Python with torch and transformers (SIMDETR_PYTHON)");
        return;
    }
    for (name, box_refinement) in [("plain", false), ("refining", true)] {
        let detector = detector(box_refinement);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let case = Case::write(folder, &detector, SHAPE);
        detector.save(&folder.join("model.safetensors"), Naming::HuggingFace).unwrap();
        let document = hugging_face_config(&detector).unwrap();
        fs::write(folder.join("config.json"), document).unwrap();
        run("hugging_face.py", folder, &[SHAPE.height, SHAPE.width].map(|side| side.to_string()));
        case.compare(name, 1e-4);
        let saved = folder.join("saved/model.safetensors");
        let opened = Detector::open(&saved, Some(detector.description())).unwrap();
        let same = |name: &str| {
            let range = detector.table().get(name).unwrap().range.clone();
            detector.parameters()[range.clone()] == opened.parameters()[range]
        };
        let other: Vec<&str> = detector
            .table()
            .iter()
            .map(|one| one.name.as_str())
            .filter(|name| !same(name))
            .collect();
        assert!(other.is_empty(), "{name}: {other:?}");
    }
}
