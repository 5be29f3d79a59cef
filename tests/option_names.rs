//! Fields of the C option structs and keys of the configuration document have the same names.

#[path = "support/header_items.rs"]
mod header_items;

use header_items::{described_fields, items, name_of};
use serde::Serialize;
use simdetr::clustering::ClusterConfig;
use simdetr::criterion::CriterionConfig;
use simdetr::data::image::{ImageLimits, ResizeRule};
use simdetr::data::store::StoreConfig;
use simdetr::encoder::options::EncoderOptions;
use simdetr::evaluation::EvaluationOptions;
use simdetr::matching::MatcherConfig;
use simdetr::proposals::ProposalConfig;
use simdetr::proposals::selective_search::SelectiveSearchOptions;
use std::collections::{BTreeMap, BTreeSet};

/// What the header says of each field of a struct.
fn described(name: &str) -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/include/simdetr.h");
    let header = std::fs::read_to_string(path).unwrap();
    let items = items(&header);
    let item = items.iter().find(|item| item.name() == name).expect(name);
    let fields = described_fields(item).into_iter();
    fields.map(|(comment, field)| (name_of(field).to_string(), comment.to_string())).collect()
}

/// The fields of a struct as the header declares them.
fn fields(name: &str) -> BTreeSet<String> {
    described(name).into_keys().collect()
}

fn defaults<T: Default + Serialize>() -> toml::Table {
    toml::Table::try_from(T::default()).unwrap()
}

fn keys<T: Default + Serialize>() -> BTreeSet<String> {
    defaults::<T>().keys().cloned().collect()
}

/// Every key is a field, and what is a field beyond the keys is in `others`.
fn compare(name: &str, keys: BTreeSet<String>, others: &[&str]) {
    let fields = fields(name);
    let unknown: Vec<_> = keys.difference(&fields).collect();
    assert!(unknown.is_empty(), "{name} lacks the keys {unknown:?}");
    let beyond: BTreeSet<&str> = fields.difference(&keys).map(String::as_str).collect();
    let mut expected: BTreeSet<&str> = others.iter().copied().collect();
    expected.extend(["struct_size", "set_mask"]);
    assert_eq!(beyond, expected, "fields of {name} that are no keys");
}

const WORKERS: [&str; 3] = ["threads", "parallel_for", "parallel_for_user_data"];

#[test]
fn option_structs_have_the_names_of_the_keys() {
    compare("simdetr_encoder_options_t", keys::<EncoderOptions>(), &["layers_count"]);
    let lists = ["cluster_counts_lengths", "cluster_counts_maps"];
    compare("simdetr_local_options_t", keys::<ProposalConfig>(), &lists);
    let selective_search = keys::<SelectiveSearchOptions>();
    compare("simdetr_selective_search_options_t", selective_search, &["reserved"]);
    let mut clusterer = WORKERS.to_vec();
    clusterer.push("reserved");
    compare("simdetr_clusterer_options_t", keys::<ClusterConfig>(), &clusterer);
    let mut evaluator = WORKERS.to_vec();
    evaluator.push("detections_max_count");
    compare("simdetr_evaluator_options_t", keys::<EvaluationOptions>(), &evaluator);
    let mut losses = WORKERS.to_vec();
    losses.push("reserved");
    compare("simdetr_matcher_options_t", keys::<MatcherConfig>(), &losses);
    compare("simdetr_criterion_options_t", keys::<CriterionConfig>(), &losses);
    let store = ["fingerprint", "first_image_id", "reserved"];
    compare("simdetr_proposal_store_options_t", keys::<StoreConfig>(), &store);
    compare("simdetr_encode_options_t", keys::<ResizeRule>(), &WORKERS);
    let mut extractor = keys::<ImageLimits>();
    extractor.extend(keys::<ResizeRule>());
    let mut others = WORKERS.to_vec();
    // `seed` and `method` are keys of the document itself, the next two are tables of it.
    others.extend(["seed", "method", "proposals", "selective_search", "reserved"]);
    compare("simdetr_extractor_options_t", extractor, &others);
}

/// The number that a comment says 0 is, if it says one.
fn said(comment: &str) -> Option<f64> {
    let mut words =
        comment.split("0 is ").nth(1)?.split([' ', '\n', ';', '*']).filter(|w| !w.is_empty());
    let number: f64 = words.next()?.trim_end_matches(['.', ',']).parse().ok()?;
    let unit = match words.next().map_or("", |word| word.trim_end_matches('.')) {
        "million" => 1e6,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    Some(number * unit)
}

#[test]
fn zero_is_the_default_that_the_header_says() {
    let mut extractor = defaults::<ImageLimits>();
    extractor.extend(defaults::<ResizeRule>());
    let structs = [
        ("simdetr_selective_search_options_t", defaults::<SelectiveSearchOptions>()),
        ("simdetr_extractor_options_t", extractor),
        ("simdetr_encode_options_t", defaults::<ResizeRule>()),
        ("simdetr_clusterer_options_t", defaults::<ClusterConfig>()),
        ("simdetr_matcher_options_t", defaults::<MatcherConfig>()),
        ("simdetr_criterion_options_t", defaults::<CriterionConfig>()),
        ("simdetr_proposal_store_options_t", defaults::<StoreConfig>()),
    ];
    let mut compared = 0;
    for (name, defaults) in structs {
        for (field, comment) in described(name) {
            let (Some(said), Some(value)) = (said(&comment), defaults.get(&field)) else {
                continue;
            };
            let default =
                value.as_float().or(value.as_integer().map(|value| value as f64)).unwrap();
            assert!(
                (said - default).abs() <= 1e-6 * default.abs(),
                "{name}.{field}: {said}, {default}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
}
