//! What a Hugging Face folder says of the detector in it: `config.json` and `preprocessor_config.json`
//! of DeformableDetrForObjectDetection.
//!
//! `transformers` writes only what differs from its defaults, so what is absent has its default. What
//! this library's network does not compute (two stages, other activations, other backbones) is refused by
//! name and never read as something else.

use crate::backbone::architecture::{Architecture, Block, STAGES};
use crate::data::coco::CocoCategory;
use crate::data::image::{Normalisation, ResizeRule};
use crate::detector::config::DetectorConfig;
use crate::detector::description::DetectorDescription;
use crate::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const MODEL_TYPE: &str = "deformable_detr";
/// Sides of `transformers`' image processor where the folder says none.
const SIDES: (u32, u32) = (800, 1333);

/// The description that the documents in `folder` give of a file that has heads for as many classes as
/// `classes_of_file` answers; `None` where there is no `config.json`. What a missing
/// `preprocessor_config.json` would say comes from `plain`.
///
/// # Errors
/// [`Error::Format`] naming the document and the key; [`Error::Shape`] for another number of classes;
/// those of `classes_of_file`.
pub fn description(
    folder: &Path,
    classes_of_file: &dyn Fn() -> Result<usize>,
    plain: Option<&DetectorDescription>,
) -> Result<Option<DetectorDescription>> {
    let Some(document) = Document::read(folder.join(CONFIG))? else { return Ok(None) };
    check_supported(&document)?;
    let classes_count = classes_of_file()?;
    let mut config = sizes(&document, classes_count)?;
    if let Some(plain) = plain {
        config.frozen = plain.config.frozen;
    }
    let categories = categories(&document, classes_count)?;
    let side_multiple =
        plain.map_or(ResizeRule::default().side_multiple, |plain| plain.resize.side_multiple);
    let (normalisation, resize) = match (Document::read(folder.join(PREPROCESSOR))?, plain) {
        (Some(document), _) => (normalisation(&document)?, resize(&document, side_multiple)?),
        (None, Some(plain)) => (plain.normalisation.clone(), plain.resize.clone()),
        (None, None) => (Normalisation::default(), rule(SIDES, side_multiple)),
    };
    let description = DetectorDescription { config, normalisation, resize, categories };
    description.validate().map_err(|error| Error::format(&document.path, error))?;
    Ok(Some(description))
}

/// A JSON object with its path for errors.
struct Document {
    path: PathBuf,
    value: Value,
}

impl Document {
    fn read(path: PathBuf) -> Result<Option<Document>> {
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let value = serde_json::from_str(&text)
            .map_err(|error| Error::format(&path, format!("not a JSON document: {error}")))?;
        Ok(Some(Document { path, value }))
    }

    fn refuse<T>(&self, reason: String) -> Result<T> {
        Err(Error::format(&self.path, reason))
    }

    /// The value of a key, a path with dots; `None` where it is absent or null.
    fn get(&self, key: &str) -> Option<&Value> {
        let found = key.split('.').try_fold(&self.value, |value, part| value.get(part))?;
        (!found.is_null()).then_some(found)
    }

    fn count(&self, key: &str, default: usize) -> Result<usize> {
        let Some(value) = self.get(key) else { return Ok(default) };
        match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => self.refuse(format!("`{key}` is {value}, not a count")),
        }
    }

    /// A size that encoder and decoder must share.
    fn shared(&self, keys: [&str; 2], default: usize) -> Result<usize> {
        let [first, second] = [self.count(keys[0], default)?, self.count(keys[1], default)?];
        if first == second {
            return Ok(first);
        }
        let [a, b] = keys;
        self.refuse(format!(
            "`{a}` is {first} and `{b}` {second}; only one number for both is read"
        ))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().map_or_else(|| self.refuse(format!("`{key}` is {value}, not a number")), Ok)
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().map_or_else(|| self.refuse(format!("`{key}` is {value}, not a flag")), Ok)
    }

    fn counts(&self, key: &str, default: [usize; STAGES]) -> Result<[usize; STAGES]> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<usize> =
            list.iter().filter_map(Value::as_u64).map(|number| number as usize).collect();
        numbers
            .try_into()
            .or_else(|_| self.refuse(format!("`{key}` is {value}, not {STAGES} counts")))
    }
}

fn sizes(document: &Document, classes_count: usize) -> Result<DetectorConfig> {
    let backbone = backbone(document)?;
    Ok(DetectorConfig {
        backbone_depth: backbone.depth(),
        backbone_width: backbone.width,
        levels_count: document.count("num_feature_levels", 4)?,
        hidden_size: document.count("d_model", 256)?,
        heads_count: document.shared(["encoder_attention_heads", "decoder_attention_heads"], 8)?,
        points_count: document.shared(["encoder_n_points", "decoder_n_points"], 4)?,
        encoder_layers_count: document.count("encoder_layers", 6)?,
        decoder_layers_count: document.count("decoder_layers", 6)?,
        feedforward_size: document.shared(["encoder_ffn_dim", "decoder_ffn_dim"], 1024)?,
        queries_count: document.count("num_queries", 300)?,
        classes_count,
        dropout: document.number("dropout", 0.1)? as f32,
        box_refinement: document.flag("with_box_refine", false)?,
        ..DetectorConfig::default()
    })
}

/// Refuses what the network of this library does not compute.
fn check_supported(document: &Document) -> Result<()> {
    let texts = [
        ("model_type", MODEL_TYPE, ""),
        ("activation_function", "relu", "relu"),
        ("position_embedding_type", "sine", "sine"),
    ];
    for (key, wanted, default) in texts {
        let found = document.get(key).map_or(default, |value| value.as_str().unwrap_or_default());
        if found != wanted {
            return document.refuse(format!("`{key}` is `{found}`; only `{wanted}` is read"));
        }
    }
    for key in [
        "two_stage",
        "dilation",
        "backbone_config.downsample_in_first_stage",
        "backbone_config.downsample_in_bottleneck",
    ] {
        if document.flag(key, false)? {
            return document.refuse(format!("`{key}` is set, which this library does not compute"));
        }
    }
    Ok(())
}

/// `timm`'s network by its name, or `transformers`' own ResNet by its sizes.
fn backbone(document: &Document) -> Result<Architecture> {
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let kind = text("backbone_config.model_type");
    if document.get("backbone_config").is_some() && kind != Some("timm_backbone") {
        return match kind {
            Some("resnet") | None => own_resnet(document),
            Some(other) => document.refuse(format!(
                "`backbone_config.model_type` is `{other}`; `resnet` and `timm_backbone` are read"
            )),
        };
    }
    let name = text("backbone_config.backbone").or_else(|| text("backbone")).unwrap_or("resnet50");
    // "resnet50", with timm's tag of its weights or the hub's owner around it.
    let last = name.rsplit('/').next().unwrap_or(name);
    let plain = last.split('.').next().unwrap_or(last);
    let depth = plain.strip_prefix("resnet").map(|rest| rest.trim_start_matches('-'));
    let found = depth.and_then(|depth| Architecture::with_depth(depth.parse().ok()?, WIDTH));
    match found {
        Some(architecture) => Ok(architecture),
        None => document
            .refuse(format!("`backbone` is `{name}`; resnet18, resnet34 and resnet50 are read")),
    }
}

/// Channels of the stem of every ResNet that has a name.
const WIDTH: usize = 64;

fn own_resnet(document: &Document) -> Result<Architecture> {
    let layer_type = document.get("backbone_config.layer_type").and_then(Value::as_str);
    let block = match layer_type.unwrap_or("bottleneck") {
        "basic" => Block::Basic,
        "bottleneck" => Block::Bottleneck,
        other => return document.refuse(format!("`backbone_config.layer_type` is `{other}`")),
    };
    let width = document.count("backbone_config.embedding_size", WIDTH)?;
    let blocks = document.counts("backbone_config.depths", [3, 4, 6, 3])?;
    let channels = document.counts("backbone_config.hidden_sizes", [256, 512, 1024, 2048])?;
    let architecture = Architecture { block, blocks, width };
    let own: [usize; STAGES] = std::array::from_fn(|stage| architecture.stage_channels(stage));
    if architecture.depth() == 0 || own != channels {
        return document.refuse(format!(
            "its backbone has {block:?} blocks {blocks:?} of {channels:?} channels on a stem of \
             {width}; ResNet-18, 34 and 50 of any width are read"
        ));
    }
    Ok(architecture)
}

/// Class index to name; the index is the id, as `transformers` has it.
fn categories(document: &Document, classes_count: usize) -> Result<Vec<CocoCategory>> {
    let category = |(id, name): (usize, String)| CocoCategory::new(id as i64, name);
    let Some(labels) = document.get("id2label") else {
        return Ok((0..classes_count).map(|id| category((id, String::new()))).collect());
    };
    let Some(labels) = labels.as_object() else {
        return document.refuse(format!("`id2label` is {labels}, not names by class"));
    };
    if labels.len() != classes_count {
        let expected =
            format!("{classes_count} names in `id2label`, one for each class of the file");
        return Err(Error::shape(document.path.display().to_string(), expected, labels.len()));
    }
    let name = |id: usize| match labels.get(&id.to_string()).map(Value::as_str) {
        Some(Some(name)) => Ok(category((id, name.into()))),
        _ => document.refuse(format!("`id2label` has no name for class {id} of {classes_count}")),
    };
    (0..classes_count).map(name).collect()
}

fn normalisation(document: &Document) -> Result<Normalisation> {
    if !document.flag("do_normalize", true)? {
        return Ok(Normalisation { mean: [0.0; 3], deviation: [1.0; 3] });
    }
    let rescaled = document.flag("do_rescale", true)?;
    let factor = if rescaled { document.number("rescale_factor", 1.0 / 255.0)? } else { 1.0 };
    // Ours divides by 255 first.
    let scale = 255.0 * factor;
    let scale = if (scale - 1.0).abs() < 1e-6 { 1.0 } else { scale };
    let colours = |key: &str, default: [f32; 3]| -> Result<[f32; 3]> {
        let Some(value) = document.get(key) else { return Ok(default) };
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<f32> =
            list.iter().filter_map(Value::as_f64).map(|number| (number / scale) as f32).collect();
        numbers
            .try_into()
            .or_else(|_| document.refuse(format!("`{key}` is {value}, not three numbers")))
    };
    let usual = Normalisation::default();
    let found = Normalisation {
        mean: colours("image_mean", usual.mean)?,
        deviation: colours("image_std", usual.deviation)?,
    };
    found.validate().map_err(|error| Error::format(&document.path, error))?;
    Ok(found)
}

/// The sides in any of the forms that `transformers` has written over time.
fn resize(document: &Document, side_multiple: u32) -> Result<ResizeRule> {
    if !document.flag("do_resize", true)? {
        return document.refuse("`do_resize` is false; this library resizes every image".into());
    }
    let size = document.get("size");
    if size.is_some_and(|size| size.get("shortest_edge").is_none() && size.is_object()) {
        let size = &document.value["size"];
        return document.refuse(format!("`size` is {size}; only `shortest_edge` is read"));
    }
    let (short, long) = match size {
        Some(Value::Object(_)) => ("size.shortest_edge", "size.longest_edge"),
        _ => ("size", "max_size"),
    };
    let sides = [document.count(short, SIDES.0 as usize)?, document.count(long, SIDES.1 as usize)?];
    let sides = sides.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let found = rule((sides[0], sides[1]), side_multiple);
    found.validate().map_err(|error| Error::format(&document.path, error))?;
    Ok(found)
}

fn rule((image_short_side, image_long_side_max): (u32, u32), side_multiple: u32) -> ResizeRule {
    ResizeRule { image_short_side, image_long_side_max, side_multiple }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { path: CONFIG.into(), value: serde_json::from_str(text).unwrap() }
    }

    /// What SenseTime/deformable-detr on the hub says, its 91 names aside.
    #[test]
    fn the_published_documents_have_the_sizes_of_the_paper() {
        let published = document(
            r#"{"activation_dropout": 0.0, "activation_function": "relu", "attention_dropout": 0.0,
            "auxiliary_loss": false, "backbone": "resnet50", "d_model": 256, "decoder_attention_heads": 8,
            "decoder_ffn_dim": 1024, "decoder_layers": 6, "decoder_n_points": 4, "dilation": false,
            "dropout": 0.1, "encoder_attention_heads": 8, "encoder_ffn_dim": 1024, "encoder_layers": 6,
            "encoder_n_points": 4, "model_type": "deformable_detr", "num_feature_levels": 4,
            "num_queries": 300, "position_embedding_type": "sine", "two_stage": false,
            "with_box_refine": false}"#,
        );
        let short = document(r#"{"model_type": "deformable_detr"}"#);
        let tagged = r#"{"model_type": "deformable_detr", "backbone_config":
            {"model_type": "timm_backbone", "backbone": "resnet50.a1_in1k"}}"#;
        for document in [published, short, document(tagged)] {
            check_supported(&document).unwrap();
            let expected = DetectorConfig { classes_count: 91, ..DetectorConfig::default() };
            assert_eq!(sizes(&document, 91).unwrap(), expected);
        }
        let other = document(r#"{"backbone": "swin_tiny_patch4_window7_224"}"#);
        assert!(sizes(&other, 91).unwrap_err().to_string().contains("swin_tiny"));
    }

    #[test]
    fn numbers_of_the_image_processor_become_ours() {
        let plain = document(r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 1]}"#);
        let found = normalisation(&plain).unwrap();
        assert_eq!((found.mean, found.deviation), ([0.5; 3], [0.5, 0.25, 1.0]));
        let bytes =
            r#"{"do_rescale": false, "image_mean": [127.5, 0, 255], "image_std": [255, 51, 1]}"#;
        let found = normalisation(&document(bytes)).unwrap();
        assert_eq!(found.mean, [0.5, 0.0, 1.0]);
        assert_eq!(found.deviation, [1.0, 0.2, 1.0 / 255.0]);
        let none = normalisation(&document(r#"{"do_normalize": false}"#)).unwrap();
        assert_eq!((none.mean, none.deviation), ([0.0; 3], [1.0; 3]));
        assert!(normalisation(&document(r#"{"image_std": [0, 1, 1]}"#)).is_err());
        assert_eq!(resize(&document("{}"), 32).unwrap(), rule((800, 1333), 32));
        assert!(resize(&document(r#"{"size": {"height": 640, "width": 640}}"#), 32).is_err());
        assert!(resize(&document(r#"{"size": 20000000000}"#), 32).is_err());
    }

    #[test]
    fn classes_are_named_by_their_index() {
        let named = document(r#"{"id2label": {"1": "person", "0": "N/A"}}"#);
        let found = categories(&named, 2).unwrap();
        assert_eq!((found[1].id, found[1].name.as_str()), (1, "person"));
        assert!(categories(&named, 3).unwrap_err().to_string().contains("3 names"));
        let holes = document(r#"{"id2label": {"0": "a", "2": "b"}}"#);
        assert!(categories(&holes, 2).unwrap_err().to_string().contains("class 1 of 2"));
        assert!(categories(&document("{}"), 2).unwrap().iter().all(|one| one.name.is_empty()));
    }
}
