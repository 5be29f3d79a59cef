//! Which of the networks in a checkpoint is read.
//!
//! Self-supervised training keeps a second network beside the one that it trains, which follows it
//! slowly: MoCo's `encoder_k` and `momentum_encoder`, BYOL's `target`, DINO's `teacher`, `*_ema`. They
//! are told apart by the words in what stands before the parameters' names. What no word tells apart is
//! refused with the names, and a key of the configuration chooses.

use super::checkpoint::Checkpoint;
use super::choice::{Choice, shown};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Words that mark a slowly moving copy, however they go on (`momentum_encoder`, `targetnet`).
const COPY_STARTS: [&str; 6] = ["momentum", "ema", "target", "teacher", "averag", "shadow"];
/// Words that mark one when they stand alone (`encoder_k`, `key_encoder`, `swa_model`).
const COPY_WORDS: [&str; 7] = ["k", "key", "slow", "swa", "avg", "moving", "polyak"];
/// A letter that marks one at the end of a longer name alone (`visual_encoder_m`).
const COPY_ENDING: &str = "m";
/// How the configuration says that nothing stands before the names.
const ROOT: &str = ".";

impl Checkpoint<'_> {
    /// The network that has `marks` among its names (names that only the wanted network has), one of
    /// them at least; momentum copies are left aside where there is another. `wanted` chooses by
    /// prefix where it is not empty; `key` names it in errors and in the log.
    ///
    /// # Errors
    /// [`Error::WeightNames`] when no name ends in one of `marks`, or several networks remain.
    pub fn choose(&self, marks: &[&str], wanted: &str, key: &str) -> Result<Choice> {
        let found = self.prefixes(marks);
        if found.is_empty() {
            return Err(none_found(self, marks));
        }
        choose(self, &found, wanted, key)
    }
}

/// Chooses among the networks of `file` under `found`. `wanted`, where it is not empty, is the
/// configuration's word: a prefix or its beginning, or `.` for none. `key` names it in errors.
///
/// # Errors
/// [`Error::WeightNames`] with the candidates when none or several remain.
pub fn choose(
    file: &Checkpoint<'_>,
    found: &BTreeSet<&str>,
    wanted: &str,
    key: &str,
) -> Result<Choice> {
    let all: Vec<&str> = found.iter().copied().collect();
    let asked: Vec<&str> = all.iter().copied().filter(|prefix| is_asked(prefix, wanted)).collect();
    let refuse = |reason: String, candidates: &[&str]| {
        let listed: Vec<String> = candidates.iter().map(|prefix| shown(prefix)).collect();
        Err(file.names_error(&reason, listed.iter().map(String::as_str)))
    };
    if asked.is_empty() {
        return refuse(format!("`{key}` is `{wanted}`, but its networks are"), &all);
    }
    let exact: Vec<&str> = asked.iter().copied().filter(|prefix| names(prefix, wanted)).collect();
    let remaining = match exact.is_empty() {
        true => without_copies(&asked),
        false => exact,
    };
    let [prefix] = remaining[..] else {
        let reason = format!("holds several networks, of which `{key}` chooses one; they are");
        return refuse(reason, &remaining);
    };
    let others = all.into_iter().filter(|other| *other != prefix).map(String::from).collect();
    Ok(Choice { prefix: prefix.into(), others })
}

/// Whether `wanted` names exactly this prefix.
fn names(prefix: &str, wanted: &str) -> bool {
    match wanted {
        "" => false,
        ROOT => prefix.is_empty(),
        wanted => prefix.trim_end_matches('.') == wanted.trim_end_matches('.'),
    }
}

/// Whether `wanted` names this prefix or begins it.
fn is_asked(prefix: &str, wanted: &str) -> bool {
    let stem = wanted.trim_end_matches('.');
    wanted.is_empty()
        || names(prefix, wanted)
        || (!stem.is_empty() && prefix.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')))
}

/// The prefixes that no word marks as copies; all where every one is marked. Words that all share say
/// nothing.
fn without_copies<'p>(prefixes: &[&'p str]) -> Vec<&'p str> {
    let parts: Vec<Vec<&str>> = prefixes.iter().map(|one| one.split('.').collect()).collect();
    let shared = (0..).take_while(|&place| {
        let first = parts.first().and_then(|one| one.get(place));
        prefixes.len() > 1 && first.is_some() && parts.iter().all(|one| one.get(place) == first)
    });
    let shared = shared.count();
    let trained: Vec<&str> = prefixes
        .iter()
        .zip(&parts)
        .filter(|(_, parts)| !parts.iter().skip(shared).any(|part| is_copy(part)))
        .map(|(prefix, _)| *prefix)
        .collect();
    if trained.is_empty() { prefixes.to_vec() } else { trained }
}

/// Whether a part of a name marks a slowly moving copy.
pub fn is_copy(part: &str) -> bool {
    let words = words(part);
    let ends = words.len() > 1 && words.last().is_some_and(|last| last == COPY_ENDING);
    ends || words.iter().any(|word| {
        COPY_WORDS.contains(&word.as_str())
            || COPY_STARTS.iter().any(|start| word.starts_with(start))
    })
}

/// Whether `name` is one of `known` with words behind it that mark a copy: `conv1.weight_ema`.
pub fn is_twin(name: &str, known: impl Fn(&str) -> bool) -> bool {
    name.char_indices()
        .filter(|(_, letter)| matches!(letter, '.' | '_'))
        .any(|(place, _)| known(&name[..place]) && name[place + 1..].split('.').any(is_copy))
}

/// `momentum_encoder` and `momentumEncoder` in lower-case words.
fn words(part: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_is_lower = false;
    for letter in part.chars() {
        let begins = !letter.is_alphanumeric() || (letter.is_uppercase() && last_is_lower);
        if begins {
            words.push(String::new());
        }
        last_is_lower = letter.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Says which network of `source` was chosen, where there was a choice.
pub fn log_choice(source: &str, choice: &Choice, key: &str) {
    if let Some(sentence) = choice.sentence() {
        log::warn!("{source}: {sentence}; `{key}` chooses another");
    }
}

/// An [`Error::WeightNames`] when no network is there.
fn none_found(file: &Checkpoint<'_>, marks: &[&str]) -> Error {
    file.names_error(&format!("no name ends in {}; found", marks.join(" or ")), file.names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_copies_are_known_in_any_spelling() {
        for copy in [
            "encoder_k",
            "k_encoder",
            "key_encoder",
            "momentum_encoder",
            "backbone_momentum",
            "backbone_ema",
            "model_ema",
            "emaModel",
            "ema",
            "state_dict_ema",
            "target_network",
            "targetEncoder",
            "targetnet",
            "teacher",
            "mean_teacher",
            "swa_model",
            "averaged_model",
            "visual_encoder_m",
            "netEMA",
        ] {
            assert!(is_copy(copy), "{copy}");
        }
        for trained in [
            "encoder_q",
            "student",
            "online_encoder",
            "backbone",
            "keypoints",
            "m",
            "embed",
            "0",
            "",
        ] {
            assert!(!is_copy(trained), "{trained}");
        }
    }

    #[test]
    fn words_that_all_share_say_nothing() {
        let left = |prefixes: &[&str]| without_copies(prefixes).join(" ");
        let moco = ["momentum_contrast.encoder_k.", "momentum_contrast.encoder_q."];
        assert_eq!(left(&moco), "momentum_contrast.encoder_q.");
        assert_eq!(left(&["", "ema."]), "");
        assert_eq!(left(&["teacher.backbone."]), "teacher.backbone.");
        assert_eq!(left(&["ema.", "teacher."]), "ema. teacher.");
        assert_eq!(left(&["a.", "b.", "b_ema."]), "a. b.");
    }

    #[test]
    fn a_twin_is_a_known_name_with_a_copys_words_behind_it() {
        let known = |name: &str| name == "layer1.0.conv1.weight";
        for twin in ["_ema", ".ema", "_momentum", ".momentum_buffer", ".exp_avg", ".exp_avg_sq"] {
            assert!(is_twin(&format!("layer1.0.conv1.weight{twin}"), known), "{twin}");
        }
        assert!(!is_twin("layer1.0.conv1.weight_scale", known));
        assert!(!is_twin("layer1.0.conv9.weight_ema", known));
    }
}
