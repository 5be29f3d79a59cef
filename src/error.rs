//! One error type for the whole library; every message carries the numbers.
//!
//! Conventions: a variant names what went wrong, its fields hold what was expected and what was
//! found, and its text is one line that a user of any binding can act on. `capi::status` maps
//! each variant to a status number of the C ABI.

use crate::byte_count;
use std::path::PathBuf;

/// What every fallible function of the library returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, with the numbers that say how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- arguments and configuration -------------------------------------------------------
    /// An argument has a value that its documentation excludes.
    #[error("{argument}: {reason}")]
    InvalidArgument { argument: String, reason: String },
    /// A pointer that must not be NULL is NULL.
    #[error("{argument}: must not be NULL")]
    NullPointer { argument: String },
    /// `struct_size` of an options struct is shorter or longer than any published layout.
    #[error("{name}: struct_size {got} is outside [{smallest}, {largest}]")]
    StructSize { name: String, got: usize, smallest: usize, largest: usize },
    /// An options struct of a newer library has a non-zero field that this one does not know.
    #[error("{name}: byte {offset} is set, but this library knows only the first {known} bytes")]
    UnknownOption { name: String, offset: usize, known: usize },
    /// A configuration key that does not exist.
    #[error("{document}: unknown key `{key}`; the nearest is `{nearest}`")]
    UnknownKey { document: String, key: String, nearest: String },
    /// A configuration value of the wrong type or outside its range.
    #[error("{document}: `{key}`: {reason}")]
    ConfigValue { document: String, key: String, reason: String },
    /// A configuration document that is not TOML.
    #[error("{document}: not a TOML document: {reason}")]
    ConfigSyntax { document: String, reason: String },
    /// The function exists but its cargo feature was left out of this build.
    #[error("this build lacks the cargo feature `{feature}`")]
    NotCompiled { feature: &'static str },
    /// The caller's array is too short for the answer.
    #[error("{argument}: capacity {capacity} is too small, {needed} needed")]
    BufferTooSmall { argument: String, needed: usize, capacity: usize },

    // --- tensors ---------------------------------------------------------------------------
    /// A tensor or array of the wrong shape.
    #[error("{name}: expected {expected}, got {got}")]
    Shape { name: String, expected: String, got: String },
    /// A tensor of an element type that is not supported there.
    #[error("{name}: expected element type {expected}, got {got}")]
    ElementType { name: String, expected: String, got: String },
    /// A tensor on a device that is not supported there.
    #[error("{name}: expected device {expected}, got {got}")]
    Device { name: String, expected: String, got: String },
    /// A tensor whose strides are not supported there.
    #[error("{name}: expected {expected}, got strides {got}")]
    Strides { name: String, expected: String, got: String },
    /// A read-only tensor was given for output.
    #[error("{name}: is read-only and cannot be written")]
    ReadOnly { name: String },
    /// NaN or infinity where only finite numbers make sense.
    #[error("{name}: value {value} at index {index} is not finite")]
    NonFinite { name: String, index: usize, value: f32 },
    /// A vector without direction cannot be normalised.
    #[error("{name}: vector {index} has norm zero")]
    ZeroVector { name: String, index: usize },
    /// More clusters than points.
    #[error("`classes`: {clusters} asked for, but there are only {points} vectors")]
    TooFewPoints { clusters: usize, points: usize },
    /// An iteration that rounding, or numbers far outside the usual, keep from its end.
    #[error("{what}: not done after {rounds} rounds: {reason}")]
    NotConverged { what: String, rounds: usize, reason: String },

    // --- devices and foreign libraries -----------------------------------------------------
    /// No usable CUDA device or driver.
    #[error("CUDA is not available: {reason}")]
    CudaUnavailable { reason: String },
    /// libonnxruntime was not found or is too old.
    #[error("the ONNX Runtime library was not found or cannot be used; tried {tried}")]
    OnnxLibrary { tried: String },
    /// The model file is not one that ONNX Runtime accepts, or lacks what an encoder needs.
    #[error("ONNX model {model}: {reason}")]
    OnnxModel { model: String, reason: String },
    /// The asked-for execution provider cannot run the whole model.
    #[error("ONNX provider `{provider}` cannot run the whole model: {reason}")]
    OnnxProvider { provider: String, reason: String },

    // --- files -----------------------------------------------------------------------------
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// Bytes that are not a readable image.
    #[error("{image}: {reason}")]
    ImageDecode { image: String, reason: String },
    /// An image over a limit.
    #[error("{image}: {what} {got} is over the limit of {limit}")]
    ImageTooLarge { image: String, what: &'static str, got: u64, limit: u64 },
    /// A folder without a single file that could be an image.
    #[error("{path}: no images in this folder{left_out}", path = path.display())]
    NoImages {
        path: PathBuf,
        /// Empty, or what there is instead, beginning with its own punctuation.
        left_out: String,
    },
    /// A folder in which every image is broken.
    #[error("{path}: none of {files} files is a readable image; the first: {first}", path = path.display())]
    NoReadableImage { path: PathBuf, files: usize, first: String },
    /// Annotations of images that are not there.
    #[error(
        "{annotations}: {missing} of {listed} images are not in {folder}; the first: {first}",
        annotations = annotations.display(),
        folder = folder.display()
    )]
    MissingImages {
        annotations: PathBuf,
        folder: PathBuf,
        missing: usize,
        listed: usize,
        first: String,
    },
    /// The output folder belongs to another run; at least one difference.
    #[error("{path}: holds another run: {list}", path = path.display(), list = listed(differences))]
    RunMismatch { path: PathBuf, differences: Vec<Difference> },
    /// A run folder in which an earlier step has not been done.
    #[error("{path}: step `{step}` has not been done there", path = path.display())]
    RunStep { path: PathBuf, step: &'static str },
    /// A store, annotation, weights or centroids file that is truncated, damaged or of another version.
    #[error("{path}: {reason}", path = path.display())]
    Format { path: PathBuf, reason: String },
    /// A weights file without the parameters that the network needs.
    #[error("{file}: {reason}; names: {names}")]
    WeightNames { file: String, reason: String, names: String },
    /// A path that is not written: a folder, read-only, or what another program wrote.
    #[error("{path}: {reason}", path = path.display())]
    Output { path: PathBuf, reason: String },
    /// An image in a format that is known by name but not read.
    #[error("{image}: the image format {format} is not supported; convert it, to PNG for instance")]
    UnsupportedImage { image: String, format: &'static str },
    /// A file that a listing leaves out, where nothing may be left out.
    #[error("{path}: {reason}; {files} files of {folder} are left out", path = path.display(), folder = folder.display())]
    LeftOut { path: PathBuf, folder: PathBuf, reason: String, files: usize },
    /// Somebody else is writing into a folder.
    #[error("{path}: {holder} is writing there", path = path.display())]
    Locked { path: PathBuf, holder: String },

    // --- training --------------------------------------------------------------------------
    /// A loss or a gradient that is not finite: learning rates too high, or targets that mislead.
    #[error("stage {stage}, step {step}: training diverged (loss {loss}, gradient norm {norm})")]
    Diverged { stage: u16, step: usize, loss: f64, norm: f64 },

    // --- the call itself -------------------------------------------------------------------
    /// A cancel token was set while the call ran.
    #[error("cancelled")]
    Cancelled,
    /// A host callback returned this status.
    #[error("the host's {callback} callback returned {status}")]
    HostCallback { callback: &'static str, status: i32 },
    /// A host callback did what its documentation excludes.
    #[error("the host's {callback} callback broke its contract: {reason}")]
    HostContract { callback: &'static str, reason: String },
    /// An earlier call on this handle panicked.
    #[error("an earlier call on this handle failed inside the library; only destroy works now")]
    Poisoned,
    /// A defect of the library.
    #[error("internal error: {reason}")]
    Internal { reason: String },
    /// Memory that the machine does not have, or that a limit forbids. `advice` says what would take
    /// less, where that is known; `available_bytes` is `None` where the system does not say.
    #[error(
        "out of memory: {what}: {needed} ({needed_bytes} bytes) needed{rest}",
        needed = byte_count::text(*needed_bytes),
        rest = rest_of_message(*available_bytes, advice)
    )]
    OutOfMemory { what: String, needed_bytes: u64, available_bytes: Option<u64>, advice: String },
}

/// The end of the message of [`Error::OutOfMemory`].
fn rest_of_message(available_bytes: Option<u64>, advice: &str) -> String {
    let available = match available_bytes {
        Some(bytes) => format!(", {} ({bytes} bytes) available", byte_count::text(bytes)),
        None => ", which the system refused".into(),
    };
    match advice {
        "" => available,
        advice => format!("{available}; {advice}"),
    }
}

/// One thing in which two runs differ: a key of the configuration, an input or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: String,
    /// What the folder holds.
    pub found: String,
    /// What was asked for.
    pub wanted: String,
}

/// Most characters of a value in a message.
const VALUE_CHARACTERS_MAX: usize = 60;
/// Most differences in a message.
const DIFFERENCES_MAX: usize = 10;

impl Difference {
    /// Long values are cut.
    pub fn new(key: impl Into<String>, found: &str, wanted: &str) -> Difference {
        Difference { key: key.into(), found: shortened(found), wanted: shortened(wanted) }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference { key, found, wanted } = self;
        write!(formatter, "`{key}` is {found} there, {wanted} here")
    }
}

fn shortened(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn listed(differences: &[Difference]) -> String {
    let shown: Vec<String> =
        differences.iter().take(DIFFERENCES_MAX).map(Difference::to_string).collect();
    match differences.len() - shown.len() {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

impl Error {
    /// An [`Error::RunMismatch`] about one key.
    pub fn mismatch(
        path: impl Into<PathBuf>,
        key: impl Into<String>,
        found: &str,
        wanted: &str,
    ) -> Error {
        let differences = vec![Difference::new(key, found, wanted)];
        Error::RunMismatch { path: path.into(), differences }
    }

    /// An [`Error::InvalidArgument`] from anything that prints.
    pub fn invalid(argument: impl Into<String>, reason: impl std::fmt::Display) -> Error {
        Error::InvalidArgument { argument: argument.into(), reason: reason.to_string() }
    }

    /// An [`Error::Shape`] from anything that prints.
    pub fn shape(
        name: impl Into<String>,
        expected: impl std::fmt::Display,
        got: impl std::fmt::Display,
    ) -> Error {
        Error::Shape { name: name.into(), expected: expected.to_string(), got: got.to_string() }
    }

    /// An [`Error::Io`] about `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
        Error::Io { path: path.into(), source }
    }

    /// An [`Error::Format`] about `path`.
    pub fn format(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Error {
        Error::Format { path: path.into(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_every_key_briefly() {
        let difference = |index: usize| Difference::new(format!("key{index}"), "1", "2");
        let differences: Vec<Difference> = (0..12).map(difference).collect();
        let message = Error::RunMismatch { path: "run".into(), differences }.to_string();
        assert!(message.starts_with("run: holds another run: `key0` is 1 there, 2 here; `key1`"));
        assert!(message.ends_with("; and 2 more"), "{message}");
        let long = "a document\nof many lines ".repeat(20);
        let message = Error::mismatch("run", "settings", &long, "é").to_string();
        assert!(message.len() < 150 && !message.contains('\n'), "{message}");
    }
}
