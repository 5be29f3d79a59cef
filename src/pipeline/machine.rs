//! What the machine offers to a run: processors and memory, as far as this process may use them.

use crate::{byte_count, memory};
use std::fmt;

/// A machine, or the part of it that a container or a scheduler gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// At least 1.
    pub processors: usize,
    /// Bytes that are free; `None` where the operating system does not say.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// The one that this process runs on, as it is now.
    pub fn here() -> Machine {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Machine { processors, memory_bytes: memory::available_bytes() }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.processors == 1 { "" } else { "s" };
        write!(formatter, "{} processor{plural}", self.processors)?;
        match self.memory_bytes {
            Some(bytes) => write!(formatter, " and {} of free memory", byte_count::text(bytes)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_said_in_words() {
        let machine = Machine { processors: 1, memory_bytes: Some(1_500_000_000) };
        assert_eq!(machine.to_string(), "1 processor and 1.5 GB of free memory");
        let here = Machine::here();
        assert!(here.processors > 0 && here.memory_bytes.is_none_or(|bytes| bytes > 1 << 20));
    }
}
