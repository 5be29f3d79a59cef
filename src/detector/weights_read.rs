//! Reads a detector's parameters from a safetensors file of either naming, wherever in it they lie.
//!
//! A file in which a parameter is missing, of another shape or unknown is refused with the list of names
//! and with the sizes in which it differs.

use super::config::{DetectorConfig, WEIGHTS_KEY};
use super::deformable_detr::file_sizes::differences;
use super::deformable_detr::names::{hugging_face, repeated};
use super::weights::{Naming, part_shape, places};
use crate::backbone::checkpoint::Checkpoint;
use crate::backbone::networks;
use crate::nn::parameters::{Parameter, ParameterTable};
use crate::{Error, Result, memory};
use std::collections::BTreeSet;

/// How names end that a file has beside a detector's own: counters of batch norms.
const COUNTER: &str = "num_batches_tracked";
/// How names begin that a checkpoint of training has beside a detector's own.
pub const OPTIMISER_PREFIX: &str = "optimiser.";

/// The biases of the first class head: as many as there are classes, under either naming.
pub const CLASS_BIAS: &str = "class_embed.0.bias";
/// Beside a class head, what tells a detector's own from those that it repeats elsewhere.
const MARKS: [&str; 2] = ["transformer.level_embed", "model.level_embed"];

/// The detector in a safetensors file, under whatever prefix it lies. `wanted` chooses among several
/// where it is not empty; else the one that was trained is taken, and the log says so.
///
/// # Errors
/// [`Error::Format`]; [`Error::WeightNames`] when several remain or `wanted` names none.
pub fn open<'a>(file: Checkpoint<'a>, wanted: &str) -> Result<Checkpoint<'a>> {
    let choice = {
        let found = networks_of(&file);
        // Without one, reading names what is missing.
        if found.is_empty() && wanted.is_empty() {
            None
        } else {
            Some(networks::choose(&file, &found, wanted, WEIGHTS_KEY)?)
        }
    };
    let Some(choice) = choice else { return Ok(file) };
    networks::log_choice(file.source(), &choice, WEIGHTS_KEY);
    Ok(file.under(&choice))
}

/// Whether a file has a detector's heads, as opposed to those of a backbone alone.
pub fn has_heads(file: &Checkpoint<'_>) -> bool {
    file.shape(CLASS_BIAS).is_some() || !networks_of(file).is_empty()
}

fn networks_of<'f>(file: &'f Checkpoint<'_>) -> BTreeSet<&'f str> {
    let whole =
        |prefix: &&str| MARKS.iter().any(|mark| file.shape(&format!("{prefix}{mark}")).is_some());
    file.prefixes(&[CLASS_BIAS]).into_iter().filter(whole).collect()
}

/// Who named the parameters of a file.
pub fn naming_of(file: &Checkpoint<'_>) -> Naming {
    let theirs = file.names().any(|name| name.starts_with("model."));
    if theirs { Naming::HuggingFace } else { Naming::Official }
}

/// Reads every parameter of `table` from `bytes`, a safetensors file of either naming, into
/// `parameters`. `source` names the file in errors.
///
/// # Errors
/// Those of [`open`] and [`read_network`]. `parameters` are then as they were.
pub fn read(
    bytes: &[u8],
    source: &str,
    config: &DetectorConfig,
    table: &ParameterTable,
    parameters: &mut [f32],
) -> Result<()> {
    let file = open(Checkpoint::read(bytes, source)?, &config.weights_prefix)?;
    parameters.copy_from_slice(&read_network(&file, config, table)?);
    Ok(())
}

/// What [`read`] reads, from a file that [`open`] opened.
///
/// # Errors
/// [`Error::WeightNames`] with missing or unknown names and [`Error::Shape`] with other shapes, both
/// with the sizes in which the file differs; [`Error::ElementType`], [`Error::NonFinite`],
/// [`Error::Format`] for a negative variance, [`Error::OutOfMemory`].
pub fn read_network(
    file: &Checkpoint<'_>,
    config: &DetectorConfig,
    table: &ParameterTable,
) -> Result<Vec<f32>> {
    let naming = naming_of(file);
    let places = check_names(file, config, table, naming)?;
    check_shapes(file, config, &places, naming)?;
    let mut values = memory::filled(0.0, table.length(), "a detector's parameters")?;
    for (parameter, names) in &places {
        let length = parameter.range.len() / names.len();
        let targets = values[parameter.range.clone()].chunks_exact_mut(length.max(1));
        for (name, target) in names.iter().zip(targets) {
            file.read_tensor(name, &part_shape(parameter, names.len()), target)?;
        }
    }
    Ok(values)
}

/// A parameter and the tensors of a file that make it up.
type Place<'t> = (&'t Parameter, Vec<String>);

/// Where each parameter lies; no name may be missing, and none left over.
fn check_names<'t>(
    file: &Checkpoint<'_>,
    config: &DetectorConfig,
    table: &'t ParameterTable,
    naming: Naming,
) -> Result<Vec<Place<'t>>> {
    let (mut known, mut missing, mut found) = (BTreeSet::new(), Vec::new(), Vec::new());
    for parameter in table.iter() {
        for repeat in repeated(config, &parameter.name).iter().chain([&parameter.name]) {
            known.extend(places(config, repeat, naming).into_iter().flatten());
            known.extend(match naming {
                Naming::Official => vec![repeat.clone()],
                Naming::HuggingFace => hugging_face(repeat),
            });
        }
        let mut places = places(config, &parameter.name, naming);
        let whole = |names: &Vec<String>| names.iter().all(|name| file.shape(name).is_some());
        match places.iter().position(whole) {
            Some(place) => found.push((parameter, places.swap_remove(place))),
            None => {
                let names = places[0].iter().filter(|name| file.shape(name).is_none());
                missing.extend(names.cloned());
            }
        }
    }
    let refuse = |reason: &str, names: Vec<&str>| {
        let sizes = differences(file, config, naming);
        let reason = if sizes.is_empty() { reason.into() } else { format!("{reason} ({sizes})") };
        Err(file.names_error(&reason, names.into_iter()))
    };
    if !missing.is_empty() {
        let names = missing.iter().map(String::as_str).collect();
        return refuse("a Deformable DETR of this size needs more", names);
    }
    let beside = |name: &str| {
        name.ends_with(COUNTER)
            || name.starts_with(OPTIMISER_PREFIX)
            || name.split('.').next().is_some_and(networks::is_copy)
            || networks::is_twin(name, |part| known.contains(part))
    };
    let unknown = |name: &&str| !known.contains(*name) && !beside(name);
    let unknown: Vec<&str> = file.names().filter(unknown).collect();
    match unknown.is_empty() {
        true => Ok(found),
        false => refuse("a Deformable DETR of this size does not have these names", unknown),
    }
}

/// Shapes that a message lists at most.
const SHAPES_LISTED: usize = 6;

/// Every tensor must have its parameter's shape.
fn check_shapes(
    file: &Checkpoint<'_>,
    config: &DetectorConfig,
    places: &[Place<'_>],
    naming: Naming,
) -> Result<()> {
    let mut other = Vec::new();
    for (parameter, names) in places {
        let wanted = part_shape(parameter, names.len());
        let shapes = names.iter().filter_map(|name| Some((name, file.shape(name)?)));
        other.extend(
            shapes
                .filter(|(_, shape)| **shape != wanted[..])
                .map(|(name, shape)| (format!("{name} {wanted:?}"), format!("{shape:?}"))),
        );
    }
    if other.is_empty() {
        return Ok(());
    }
    let name = match differences(file, config, naming) {
        sizes if sizes.is_empty() => file.source().to_string(),
        sizes => format!("{}: {sizes}; {} tensors", file.source(), other.len()),
    };
    let (expected, got): (Vec<String>, Vec<String>) = other.into_iter().take(SHAPES_LISTED).unzip();
    Err(Error::shape(name, expected.join(", "), got.join(", ")))
}
