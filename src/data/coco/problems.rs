//! What is wrong with the entries of a file: the first ten in words, all of them counted, so that
//! one message is enough to mend a file and a file of a million faults does not fill the memory.

/// How many are put into words.
const DESCRIBED_MAX: usize = 10;

/// Problems in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Problems {
    count: usize,
    described: Vec<String>,
}

impl Problems {
    /// Counts one; `describe` is called for the first ten.
    pub fn add(&mut self, describe: impl FnOnce() -> String) {
        self.count += 1;
        if self.described.len() < DESCRIBED_MAX {
            self.described.push(describe());
        }
    }

    /// Adds those of `others`, each described as one of `owner`.
    pub fn append(&mut self, others: &Problems, owner: &str) {
        let room = DESCRIBED_MAX - self.described.len();
        let described = others.described.iter().take(room);
        self.described.extend(described.map(|one| format!("{owner}, {one}")));
        self.count += others.count;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first ten in words.
    pub fn described(&self) -> &[String] {
        &self.described
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.described.join("; "))?;
        match self.count - self.described.len() {
            0 => Ok(()),
            others => write!(formatter, "; and {others} more"),
        }
    }
}
