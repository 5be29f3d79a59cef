//! What a command did not use, and why: the same section at the end of every answer.

use serde_json::{Value, json};
use simdetr::data::coco::problems::Problems;
use simdetr::data::folder::{self, BrokenImage};
use simdetr::data::training::set::DroppedBoxes;

/// Examples in the text; JSON has all that were given.
const EXAMPLES_SHOWN: usize = 5;

/// Things that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What they are and why: `broken images`.
    pub reason: String,
    pub count: u64,
    /// Some or all of them, by name; one name may stand for several of them.
    pub examples: Vec<String>,
    /// How many names there are beside the examples.
    pub examples_more: u64,
}

impl LeftOut {
    /// Files of a folder: broken images, then what the listing left out, reason by reason.
    pub fn files(broken: &[BrokenImage], others: &[folder::LeftOut]) -> Vec<LeftOut> {
        let kind = |name: &str| {
            let of_kind: Vec<_> = others.iter().filter(|file| file.reason.name() == name).collect();
            LeftOut {
                reason: format!("files: {}", name.replace('_', " ")),
                count: of_kind.len() as u64,
                examples: of_kind
                    .iter()
                    .map(|file| format!("{}: {}", file.path, file.reason))
                    .collect(),
                examples_more: 0,
            }
        };
        let kinds = folder::LeftOutReason::NAMES.iter().map(|name| kind(name));
        std::iter::once(LeftOut::broken_images(broken)).chain(kinds).collect()
    }

    /// Boxes of a data set that a detector does not learn from.
    pub fn boxes(dropped: &DroppedBoxes, others: &Problems) -> Vec<LeftOut> {
        let boxes = |what: &str, count: usize| LeftOut {
            reason: format!("boxes: {what}"),
            count: count as u64,
            examples: Vec::new(),
            examples_more: 0,
        };
        vec![
            boxes("crowd", dropped.crowd_count),
            boxes("empty", dropped.empty_count),
            boxes("outside their image", dropped.outside_count),
            LeftOut::problems("entries that are no box or have no image", others.count(), others),
        ]
    }

    /// Entries of a COCO file.
    pub fn problems(what: &str, count: usize, problems: &Problems) -> LeftOut {
        let (count, examples) = (count as u64, problems.described().to_vec());
        let examples_more = (problems.count() - examples.len()) as u64;
        LeftOut { reason: what.into(), count, examples, examples_more }
    }

    /// Files that are no readable images.
    pub fn broken_images(broken: &[BrokenImage]) -> LeftOut {
        // Reasons begin with the whole path, which says more than the name in the folder.
        let example = |image: &BrokenImage| match image.reason.contains(&image.path) {
            true => image.reason.clone(),
            false => format!("{}: {}", image.path, image.reason),
        };
        LeftOut {
            reason: "broken images".into(),
            count: broken.len() as u64,
            examples: broken.iter().map(example).collect(),
            examples_more: 0,
        }
    }
}

/// The section as text, empty where nothing was left out.
pub fn text(list: &[LeftOut]) -> String {
    let mut text = String::new();
    for one in list.iter().filter(|one| one.count > 0) {
        text += &format!("left out: {} ({})\n", one.reason, one.count);
        for example in one.examples.iter().take(EXAMPLES_SHOWN) {
            text += &format!("    {example}\n");
        }
        let more = one.examples.len().saturating_sub(EXAMPLES_SHOWN) as u64 + one.examples_more;
        if more > 0 {
            text += &format!("    and {more} more\n");
        }
    }
    text
}

/// The section as JSON.
pub fn value(list: &[LeftOut]) -> Value {
    let entry = |one: &LeftOut| json!({ "reason": one.reason, "count": one.count, "examples": one.examples });
    list.iter().filter(|one| one.count > 0).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_with_counts_and_examples() {
        let examples: Vec<String> = (0..7).map(|index| format!("{index}.jpg")).collect();
        let list = [
            LeftOut { reason: "broken images".into(), count: 7, examples, examples_more: 0 },
            LeftOut {
                reason: "crowd boxes".into(),
                count: 2,
                examples: Vec::new(),
                examples_more: 0,
            },
            LeftOut {
                reason: "empty boxes".into(),
                count: 0,
                examples: Vec::new(),
                examples_more: 0,
            },
        ];
        let text = text(&list);
        assert!(text.starts_with("left out: broken images (7)\n    0.jpg\n"), "{text}");
        assert!(
            text.contains("and 2 more\nleft out: crowd boxes (2)\n") && !text.contains("empty")
        );
        assert_eq!(value(&list).as_array().unwrap().len(), 2);
        assert_eq!(value(&list)[0]["examples"][6], "6.jpg");
    }
}
