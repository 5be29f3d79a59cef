//! What measuring shares with its run: below the files of this folder, which all have a part of it.

use crate::control::Control;
use crate::pipeline::config::RunConfig;
use crate::pipeline::workspace::files::MEASURED;
use crate::workers::Workers;
use std::path::{Path, PathBuf};

/// What measuring shares with its run.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub config: &'a RunConfig,
    /// Folder of the run.
    pub root: &'a Path,
    /// A broken image is an error.
    pub strict: bool,
    pub workers: &'a Workers,
    pub control: &'a Control<'a>,
}

impl Context<'_> {
    /// A file of boxes that are measured.
    pub(super) fn measured(&self, name: &str) -> PathBuf {
        self.root.join(MEASURED).join(name)
    }
}
