//! Reads a detector's parameters from a safetensors file of either naming, wherever in it they lie.
//!
//! A file in which a parameter is missing, of another shape or unknown is refused with the list of names
//! and with the sizes in which it differs.

use super::config::{DetectorConfig, WEIGHTS_KEY};
use super::kind::{DetectorKind, KINDS};
use super::naming::Naming;
use crate::backbone::checkpoint::Checkpoint;
use crate::backbone::networks;
use crate::nn::parameters::{Parameter, ParameterTable, Role};
use crate::{Error, Result, memory};
use std::collections::BTreeSet;

/// How names end that a file has beside a detector's own: counters of batch norms.
const COUNTER: &str = "num_batches_tracked";
/// How names begin that a checkpoint of training has beside a detector's own.
const OPTIMISER_PREFIX: &str = "optimiser.";

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
    let at_the_top = |kind: &&dyn DetectorKind| file.shape(kind.class_bias()).is_some();
    KINDS.iter().any(at_the_top) || !networks_of(file).is_empty()
}

fn networks_of<'f>(file: &'f Checkpoint<'_>) -> BTreeSet<&'f str> {
    let of_kind = |kind: &&dyn DetectorKind| {
        let marks = kind.marks();
        let whole = move |prefix: &&str| {
            marks.iter().any(|mark| file.shape(&format!("{prefix}{mark}")).is_some())
        };
        file.prefixes(&[kind.class_bias()]).into_iter().filter(whole).collect::<Vec<_>>()
    };
    KINDS.iter().flat_map(of_kind).collect()
}

/// Groups of `queries_count` queries in a file of the detector of `table`. A checkpoint of training alone
/// has several: another file with more queries holds another detector.
pub fn query_groups_of(
    file: &Checkpoint<'_>,
    table: &ParameterTable,
    queries_count: usize,
) -> usize {
    let queries = table.iter().find(|parameter| parameter.role == Role::Queries);
    let shape = queries.and_then(|parameter| file.shape(&parameter.name));
    let rows = shape.and_then(|shape| shape.first().copied()).unwrap_or(0);
    match is_of_training(file) && rows > 0 && rows.is_multiple_of(queries_count) {
        true => rows / queries_count,
        false => 1,
    }
}

/// Whether a file is a checkpoint of training.
pub fn is_of_training(file: &Checkpoint<'_>) -> bool {
    file.names().any(|name| name.starts_with(OPTIMISER_PREFIX))
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
    let kind = config.kind;
    let (mut known, mut missing, mut found) = (BTreeSet::new(), Vec::new(), Vec::new());
    for parameter in table.iter() {
        for repeat in kind.repeated(config, &parameter.name).iter().chain([&parameter.name]) {
            known.extend(kind.places(config, repeat, naming).into_iter().flatten());
            known.extend(kind.written(repeat, naming));
        }
        let mut places = kind.places(config, &parameter.name, naming);
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
        let sizes = kind.differences(file, config, naming);
        let reason = if sizes.is_empty() { reason.into() } else { format!("{reason} ({sizes})") };
        Err(file.names_error(&reason, names.into_iter()))
    };
    if !missing.is_empty() {
        let names = missing.iter().map(String::as_str).collect();
        return refuse(&format!("a {} of this size needs more", kind.title()), names);
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
        false => {
            let title = kind.title();
            refuse(&format!("a {title} of this size does not have these names"), unknown)
        }
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
    let name = match config.kind.differences(file, config, naming) {
        sizes if sizes.is_empty() => file.source().to_string(),
        sizes => format!("{}: {sizes}; {} tensors", file.source(), other.len()),
    };
    let (expected, got): (Vec<String>, Vec<String>) = other.into_iter().take(SHAPES_LISTED).unzip();
    Err(Error::shape(name, expected.join(", "), got.join(", ")))
}
/// The shape of one of `count` tensors that make up a parameter, by its rows.
pub(super) fn part_shape(parameter: &Parameter, count: usize) -> Vec<usize> {
    let mut shape = parameter.shape.clone();
    if let Some(rows) = shape.first_mut() {
        *rows /= count;
    }
    shape
}
