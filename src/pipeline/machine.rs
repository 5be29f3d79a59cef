//! What the machine offers to a run: processors and memory, as far as this process may use them.

use std::fmt;
use std::path::{Path, PathBuf};

/// A machine, or the part of it that a container or a scheduler gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// At least 1.
    pub processors: usize,
    /// In all, used or not; `None` where the operating system does not say.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// The one that this process runs on.
    pub fn here() -> Machine {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let installed = read("/proc/meminfo").and_then(|text| installed_bytes(&text));
        let limits = control_group_limits().into_iter();
        Machine { processors, memory_bytes: limits.chain(installed).min() }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.processors == 1 { "" } else { "s" };
        write!(formatter, "{} processor{plural}", self.processors)?;
        match self.memory_bytes {
            Some(bytes) => {
                write!(formatter, " and {:.1} GiB of memory", bytes as f64 / (1_u64 << 30) as f64)
            }
            None => Ok(()),
        }
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB.
fn installed_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// Limits of this process's control group and of those around it, of either version.
fn control_group_limits() -> Vec<u64> {
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let mut limits = Vec::new();
    for (controllers, group) in groups.lines().filter_map(group_of_line) {
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // Inside a container the group's path may be that outside; its own limit is at the root.
        let folder = PathBuf::from(root).join(group.trim_start_matches('/'));
        let around = folder.ancestors().take_while(|folder| folder.starts_with(root));
        let texts = around.filter_map(|folder| read(folder.join(file)));
        limits.extend(texts.filter_map(|text| text.trim().parse::<u64>().ok()));
    }
    limits
}

/// Controllers and path of a line `NUMBER:CONTROLLERS:PATH`.
fn group_of_line(line: &str) -> Option<(&str, &str)> {
    line.split_once(':')?.1.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_system_writes_it() {
        assert_eq!(installed_bytes("MemFree: 1 kB\nMemTotal:    2048 kB\n"), Some(2 << 20));
        assert_eq!(installed_bytes("MemTotal: many\n"), None);
        assert_eq!(group_of_line("0::/user.slice/a"), Some(("", "/user.slice/a")));
        assert_eq!(group_of_line("4:cpu,memory:/b"), Some(("cpu,memory", "/b")));
        let here = Machine::here();
        assert!(here.processors > 0 && here.memory_bytes.is_none_or(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_machine_is_said_in_words() {
        let machine = Machine { processors: 1, memory_bytes: Some(3 << 29) };
        assert_eq!(machine.to_string(), "1 processor and 1.5 GiB of memory");
    }
}
