//! A COCO file in a run's folder that says in its description what it is of, so that it is used again
//! as long as that has not changed, and as a whole appears with it.

use crate::data::fingerprint;
use crate::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// A file of boxes that are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub path: PathBuf,
    pub description: String,
}

impl Kept {
    /// The file `path` of `what`, which depends on nothing but `identity`.
    pub fn new(path: PathBuf, what: &str, identity: &str) -> Kept {
        let description = format!("{what}; {:032x}", fingerprint::of_bytes(identity.as_bytes()));
        Kept { path, description }
    }

    /// Whether it is there, and of the same.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn is_there(&self) -> Result<bool> {
        let io = |error| Error::io(&self.path, error);
        let expected = format!("{{\"info\": {{\"description\":\"{}\"", self.description);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(error)),
        };
        let mut found = Vec::new();
        file.take(expected.len() as u64).read_to_end(&mut found).map_err(io)?;
        Ok(found == expected.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::coco::write::write_dataset;

    #[test]
    fn a_file_is_known_by_what_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |identity| Kept::new(folder.path().join("a.json"), "boxes", identity);
        assert!(!kept("weights 1").is_there().unwrap());
        let this = kept("weights 1");
        write_dataset(&this.path, &this.description, [], &[], []).unwrap();
        assert!(this.is_there().unwrap() && !kept("weights 2").is_there().unwrap());
    }
}
