//! Files of a folder that are skipped, and why: what listings and reports say.

use std::fmt;

/// A file that is no readable image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenImage {
    /// Below the folder.
    pub path: String,
    pub reason: String,
}

/// Why a file is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// Its name, or that of a folder on the way, begins with a dot.
    Hidden,
    /// Its path is not UTF-8, which ids and COCO files need.
    UnreadableName,
    /// An image of a format that is known but not read.
    UnsupportedFormat {
        /// For people: "HEIC".
        format: &'static str,
    },
}

impl LeftOutReason {
    /// Every name that [`LeftOutReason::name`] answers, in the order in which reports list them.
    pub const NAMES: [&str; 3] = ["hidden", "unreadable_name", "unsupported_format"];

    /// A name that stays as it is, for machines.
    pub fn name(self) -> &'static str {
        match self {
            LeftOutReason::Hidden => Self::NAMES[0],
            LeftOutReason::UnreadableName => Self::NAMES[1],
            LeftOutReason::UnsupportedFormat { .. } => Self::NAMES[2],
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOutReason::Hidden => write!(formatter, "hidden by a dot"),
            LeftOutReason::UnreadableName => write!(formatter, "the name is not UTF-8"),
            LeftOutReason::UnsupportedFormat { format } => {
                write!(formatter, "the image format {format} is not supported")
            }
        }
    }
}

/// A file that looks like an image and is not listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Path below the folder, parts joined by `/`; what is not UTF-8 is replaced by U+FFFD.
    pub path: String,
    pub reason: LeftOutReason,
}

/// How many files were left out, for each reason that there is, by the reason's name.
pub fn count_by_reason(left_out: &[LeftOut]) -> Vec<(&'static str, u64)> {
    let count = |name| left_out.iter().filter(|file| file.reason.name() == name).count() as u64;
    let counts = LeftOutReason::NAMES.iter().map(|name| (*name, count(*name)));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_by_their_names() {
        let file = |reason| LeftOut { path: "x".into(), reason };
        let heic = LeftOutReason::UnsupportedFormat { format: "HEIC" };
        let files = [heic, LeftOutReason::Hidden, heic].map(file);
        assert_eq!(count_by_reason(&files), [("hidden", 1), ("unsupported_format", 2)]);
        assert!(count_by_reason(&[]).is_empty());
    }
}
