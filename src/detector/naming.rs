//! Who names the parameters of a detector's file: below the detector's folder, which knows both, and
//! those who read and write files.

/// Who names the parameters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The detector's official code.
    Official,
    /// `transformers`.
    HuggingFace,
}
