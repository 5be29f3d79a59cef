//! Checkpoints of a host's detector: a file that the host writes as it likes, and a position file
//! of the library that says what it is.
//!
//! The host's file is complete under its name before the position file appears, and a checkpoint
//! exists only by its position file. A kill between the two leaves a file that nobody reads and that
//! the next attempt replaces, so that the state of one step never meets the position of another.

use super::checkpoint::Position;
use super::checks::Check;
use super::host_model::HostModel;
use crate::data::atomic_file;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Endings of the position file and of the host's.
pub const EXTENSIONS: &[&str] = &["toml", "host"];

/// Version of the position file.
const VERSION: u32 = 1;

/// The position file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    /// [`HostModel::name`].
    host: String,
    stage: u16,
    step: usize,
    /// Length of the host's file.
    bytes: u64,
    settings: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// The host's file beside a position file.
fn host_file(position: &Path) -> PathBuf {
    position.with_extension(EXTENSIONS[1])
}

/// Lets the host write its file, then commits it by the position file at `path`.
///
/// # Errors
/// The host's; [`Error::Io`]. Earlier checkpoints stay whole.
pub fn save(path: &Path, position: &Position, model: &mut dyn HostModel) -> Result<()> {
    let file = host_file(path);
    atomic_file::write_by(&file, |partial| model.save(partial))?;
    let bytes = std::fs::metadata(&file).map_err(|error| Error::io(&file, error))?.len();
    let Position { stage, step, settings, checks } = position.clone();
    let host = model.name().to_string();
    let header = Header { version: VERSION, host, stage, step, bytes, settings, checks };
    let text = crate::config::to_text(&header, "checkpoint")?;
    atomic_file::write(path, text.as_bytes())
}

/// Lets the host read the checkpoint whose position file is `path`.
///
/// # Errors
/// The host's; [`Error::Io`]; [`Error::Format`] for a damaged position file, one that is named after
/// another position, or a host's file of another length; [`Error::RunMismatch`] for other settings and for another host's file. The host
/// is asked to read nothing then.
pub fn load(path: &Path, settings: &str, model: &mut dyn HostModel) -> Result<Position> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let header: Header =
        crate::config::read_record(&text).map_err(|error| Error::format(path, error.message()))?;
    if header.version != VERSION {
        let version = header.version;
        let reason = format!("checkpoint of version {version}; this library reads {VERSION}");
        return Err(Error::format(path, reason));
    }
    if header.host != model.name() {
        return Err(Error::mismatch(path, "host", &header.host, model.name()));
    }
    let differences = crate::config::text_differences("settings", &header.settings, settings);
    if !differences.is_empty() {
        return Err(Error::RunMismatch { path: path.into(), differences });
    }
    let (stage, step, checks) = (header.stage, header.step, header.checks);
    let position = Position { stage, step, settings: settings.into(), checks };
    position.check_name(path)?;
    let file = host_file(path);
    let bytes = std::fs::metadata(&file).map_err(|error| Error::io(&file, error))?.len();
    if bytes != header.bytes {
        let reason = format!("{bytes} bytes; {} were written", header.bytes);
        return Err(Error::format(&file, reason));
    }
    model.load(&file)?;
    Ok(position)
}
