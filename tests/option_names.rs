//! Fields of the C option structs and keys of the configuration document have the same names.

use serde::Serialize;
use simdetr::clustering::ClusterConfig;
use simdetr::criterion::CriterionConfig;
use simdetr::data::image::{ImageLimits, ResizeRule};
use simdetr::data::store::StoreConfig;
use simdetr::encoder::source::EncoderOptions;
use simdetr::evaluation::EvaluationOptions;
use simdetr::matching::MatcherConfig;
use simdetr::proposals::ProposalConfig;
use simdetr::proposals::selective_search::SelectiveSearchOptions;
use std::collections::BTreeSet;

/// The fields of a struct as the header declares them.
fn fields(name: &str) -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/include/simdetr.h");
    let header = std::fs::read_to_string(path).unwrap();
    let start = header.find(&format!("typedef struct {name} {{")).expect(name);
    let body = header[start..].split_once('{').unwrap().1.split_once('}').unwrap().0;
    let declarations = body.split("*/").skip(1).map(|part| part.split(';').next().unwrap());
    declarations
        .map(|declaration| {
            let before_array = declaration.split('[').next().unwrap().trim_end();
            before_array.rsplit([' ', '*']).next().unwrap().to_string()
        })
        .collect()
}

fn keys<T: Default + Serialize>() -> BTreeSet<String> {
    toml::Table::try_from(T::default()).unwrap().keys().cloned().collect()
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
