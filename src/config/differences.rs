//! In which keys two documents differ, for the one message that refuses another run.

use crate::error::Difference;

/// What a document says of a key that it does not hold.
const ABSENT: &str = "absent";

/// Every key, in order, whose value differs between what a folder holds and what is asked for.
pub fn differences(found: &toml::Table, wanted: &toml::Table) -> Vec<Difference> {
    let mut answer = Vec::new();
    gather(found, wanted, "", &mut answer);
    answer
}

/// The same of two documents as text. Texts that differ and are not both TOML with keys differ as a
/// whole, under the name `whole`.
pub fn text_differences(whole: &str, found: &str, wanted: &str) -> Vec<Difference> {
    if found == wanted {
        return Vec::new();
    }
    let table = |text: &str| toml::from_str::<toml::Table>(text).ok().filter(|it| !it.is_empty());
    let keys = match (table(found), table(wanted)) {
        (Some(found), Some(wanted)) => differences(&found, &wanted),
        _ => Vec::new(),
    };
    match keys.is_empty() {
        true => vec![Difference::new(whole, found, wanted)],
        false => keys,
    }
}

fn gather(found: &toml::Table, wanted: &toml::Table, prefix: &str, answer: &mut Vec<Difference>) {
    let keys: std::collections::BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for key in keys {
        let path = format!("{prefix}{key}");
        match (found.get(key), wanted.get(key)) {
            (Some(toml::Value::Table(found)), Some(toml::Value::Table(wanted))) => {
                gather(found, wanted, &format!("{path}."), answer);
            }
            (found, wanted) if found != wanted => {
                let text = |value: Option<&toml::Value>| {
                    value.map_or_else(|| ABSENT.to_string(), toml::Value::to_string)
                };
                answer.push(Difference::new(path, &text(found), &text(wanted)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_differs_is_listed_and_no_other() {
        let (found, wanted) = ("a = 1\n[t]\nb = 2\nc = 3\n", "a = 1\n[t]\nb = 4\n");
        let texts: Vec<String> =
            text_differences("x", found, wanted).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["`t.b` is 2 there, 4 here", "`t.c` is 3 there, absent here"]);
        assert_eq!(text_differences("x", found, found), []);
    }

    #[test]
    fn texts_without_keys_differ_as_a_whole() {
        for (found, wanted) in [("a", "b"), ("", "b = 1"), ("default:1:2", "c = 3")] {
            let differences = text_differences("fingerprint", found, wanted);
            assert_eq!(differences.len(), 1);
            assert_eq!(differences[0].key, "fingerprint");
        }
    }
}
