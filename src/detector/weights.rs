//! A detector's parameters as safetensors: official names, or those of Hugging Face files.
//!
//! Reading is [`super::weights_read`]. Writing repeats what the official files repeat (shared heads), so
//! that other programs find every key that they expect.

use super::config::DetectorConfig;
use super::kind::DetectorKind;
use super::naming::Naming;
use super::weights_read::part_shape;
pub use super::weights_read::{has_heads, naming_of, open, query_groups_of, read, read_network};
use crate::data::tensor_file_write::{NamedTensor, little_endian, write_tensors};
use crate::nn::parameters::{Parameter, ParameterTable, Role};
use crate::{Error, Result};
use std::path::Path;

/// Copies the parameters that `taken` says from one detector to another, whatever their order,
/// which `frozen` decides. Where one has more groups of queries the first ones are copied, and the
/// others stay as they are.
///
/// # Errors
/// [`Error::Shape`] when a parameter has another size in the other detector; `parameters` may then
/// have some of the values already.
pub fn take_over(
    from: &ParameterTable,
    values: &[f32],
    to: &ParameterTable,
    parameters: &mut [f32],
    taken: impl Fn(&Parameter) -> bool,
) -> Result<()> {
    for parameter in to.iter().filter(|one| taken(one)) {
        let Some(source) = from.get(&parameter.name) else { continue };
        let (wanted, found) = (parameter.range.len(), source.range.len());
        let (shared, longer) = (wanted.min(found), wanted.max(found));
        let is_whole = match parameter.role == Role::Queries {
            true => longer.is_multiple_of(shared),
            false => shared == longer,
        };
        if !is_whole {
            let (expected, got) = (format!("{:?}", parameter.shape), format!("{:?}", source.shape));
            return Err(Error::shape(&parameter.name, expected, got));
        }
        let target = &mut parameters[parameter.range.clone()][..shared];
        target.copy_from_slice(&values[source.range.clone()][..shared]);
    }
    Ok(())
}

/// Writes every parameter under `naming`, and beside them one entry of text, key and value; what lay
/// there stays whole until the new file is.
///
/// # Errors
/// [`Error::Io`].
pub fn write(
    path: &Path,
    config: &DetectorConfig,
    table: &ParameterTable,
    parameters: &[f32],
    naming: Naming,
    text: Option<(&str, String)>,
) -> Result<()> {
    let mut tensors = Vec::new();
    for parameter in table.iter() {
        let repeats = config.kind.repeated(config, &parameter.name);
        for name in repeats.iter().chain([&parameter.name]) {
            let names = config.kind.written(name, naming);
            push(&mut tensors, parameter, &parameters[parameter.range.clone()], names);
        }
    }
    write_tensors(path, &tensors, text)
}

/// Writes the backbone alone under torchvision's names.
///
/// # Errors
/// [`Error::Io`].
pub fn write_backbone(
    path: &Path,
    kind: &dyn DetectorKind,
    table: &ParameterTable,
    parameters: &[f32],
) -> Result<()> {
    let mut tensors = Vec::new();
    for parameter in table.iter() {
        if let Some(name) = parameter.name.strip_prefix(kind.backbone_prefix()) {
            let values = &parameters[parameter.range.clone()];
            push(&mut tensors, parameter, values, vec![name.to_string()]);
        }
    }
    write_tensors(path, &tensors, None)
}

fn push<'a>(
    tensors: &mut Vec<NamedTensor<'a>>,
    parameter: &Parameter,
    values: &'a [f32],
    names: Vec<String>,
) {
    let shape = part_shape(parameter, names.len());
    let length = (values.len() / names.len()).max(1);
    for (name, part) in names.into_iter().zip(values.chunks_exact(length)) {
        tensors.push((name, shape.clone(), little_endian(part)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::parameters::{initialise, parameter_table};

    fn small(box_refinement: bool) -> DetectorConfig {
        DetectorConfig {
            backbone_depth: 18,
            backbone_width: 8,
            hidden_size: 32,
            encoder_layers_count: 1,
            decoder_layers_count: 2,
            feedforward_size: 16,
            queries_count: 5,
            classes_count: 3,
            box_refinement,
            ..DetectorConfig::default()
        }
    }

    #[test]
    fn both_namings_come_back_to_the_same_values() {
        for box_refinement in [false, true] {
            let config = small(box_refinement);
            let table = parameter_table(&config).unwrap();
            let values = initialise(&table, 1).unwrap();
            let folder = tempfile::tempdir().unwrap();
            for naming in [Naming::Official, Naming::HuggingFace] {
                let path = folder.path().join("weights.safetensors");
                write(&path, &config, &table, &values, naming, None).unwrap();
                let mut found = vec![0.0; values.len()];
                let bytes = std::fs::read(&path).unwrap();
                read(&bytes, "weights", &config, &table, &mut found).unwrap();
                assert_eq!(found, values, "{naming:?}");
            }
        }
    }

    #[test]
    fn another_size_is_refused_and_nothing_changes() {
        let config = small(false);
        let table = parameter_table(&config).unwrap();
        let values = initialise(&table, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        write(&path, &config, &table, &values, Naming::Official, None).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let attempt = |config: &DetectorConfig| {
            let table = parameter_table(config).unwrap();
            let mut found = vec![7.0; table.length()];
            let error = read(&bytes, "weights", config, &table, &mut found).unwrap_err();
            assert!(found.iter().all(|value| *value == 7.0));
            error.to_string()
        };
        let deeper = DetectorConfig { decoder_layers_count: 3, ..config.clone() };
        assert!(attempt(&deeper).contains("transformer.decoder.layers.2"));
        let shallower = DetectorConfig { decoder_layers_count: 1, ..config.clone() };
        assert!(attempt(&shallower).contains("does not have these names"));
        let wider = DetectorConfig { classes_count: 4, ..config.clone() };
        assert!(attempt(&wider).contains("class_embed.0.weight"));
        let more = DetectorConfig { query_groups_count: 2, ..config };
        let expected = "`queries_count x query_groups_count` is 5 in the file and 10 here";
        assert!(attempt(&more).contains(expected));
    }

    #[test]
    fn queries_alone_may_be_fewer_where_values_are_taken_over() {
        let config = small(false);
        let grouped = DetectorConfig { query_groups_count: 3, ..config.clone() };
        let [one, three] = [&config, &grouped].map(|config| parameter_table(config).unwrap());
        let values = initialise(&three, 1).unwrap();
        let mut found = vec![0.0; one.length()];
        take_over(&three, &values, &one, &mut found, |_| true).unwrap();
        for parameter in one.iter() {
            let source = &values[three.get(&parameter.name).unwrap().range.clone()];
            let found = &found[parameter.range.clone()];
            assert_eq!(found, &source[..found.len()], "{}", parameter.name);
        }
        for (other, name) in [
            (DetectorConfig { classes_count: 4, ..config.clone() }, "class_embed.0.weight"),
            // 15 rows are no multiple of 7, so these are no groups.
            (DetectorConfig { queries_count: 7, ..config }, "query_embed.weight"),
        ] {
            let table = parameter_table(&other).unwrap();
            let mut found = vec![0.0; table.length()];
            let error = take_over(&three, &values, &table, &mut found, |_| true).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
