//! What the system says this process can still take.
//!
//! On Linux the least of: the memory that is free or can be freed (`MemAvailable`) with free swap; what
//! each control group above the process leaves (version 2 and 1), file caches counted as free; and the
//! process's own limits of address space and data. Elsewhere nothing is said, and nothing is compared.

/// Bytes that can still be taken; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn available_bytes() -> Option<u64> {
    None
}

/// Bytes that can still be taken; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn available_bytes() -> Option<u64> {
    use std::path::Path;
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| linux::machine(&text));
    let groups = read("/proc/self/cgroup")
        .and_then(|text| linux::groups(&text, Path::new("/sys/fs/cgroup")));
    let limits = read("/proc/self/limits")
        .zip(read("/proc/self/status"))
        .and_then(|(limits, status)| linux::limits(&limits, &status));
    [machine, groups, limits].into_iter().flatten().min()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    /// The number of `key` in lines of `key: number kB`, in bytes.
    fn field(text: &str, key: &str) -> Option<u64> {
        let rest = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    }

    /// `/proc/meminfo`.
    pub(super) fn machine(text: &str) -> Option<u64> {
        Some(field(text, "MemAvailable")?.saturating_add(field(text, "SwapFree").unwrap_or(0)))
    }

    /// `/proc/self/limits`, less what `/proc/self/status` says is taken.
    pub(super) fn limits(limits: &str, status: &str) -> Option<u64> {
        let left = |limit: &str, taken: &str| {
            let rest = limits.lines().find_map(|line| line.strip_prefix(limit))?;
            let most = rest.split_whitespace().next()?.parse::<u64>().ok()?;
            Some(most.saturating_sub(field(status, taken)?))
        };
        let pairs = [("Max address space", "VmSize"), ("Max data size", "VmData")];
        pairs.into_iter().filter_map(|(limit, taken)| left(limit, taken)).min()
    }

    /// `/proc/self/cgroup` and the files of the groups that it names under `root`.
    pub(super) fn groups(text: &str, root: &Path) -> Option<u64> {
        let lines = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            Some((controllers, path.trim_start_matches('/')))
        });
        let mut least: Option<u64> = None;
        for (controllers, path) in lines {
            let (root, files) = match controllers {
                "" => (root.to_path_buf(), V2),
                "memory" => (root.join("memory"), V1),
                _ => continue,
            };
            // Inside a container the path may be that of the host, which is not there.
            for group in Path::new(path).ancestors() {
                let left = left_of_group(&root.join(group), files);
                least = [least, left].into_iter().flatten().min();
            }
        }
        least
    }

    /// Names of the files of a group: its limit, its use, and the cached files in `memory.stat`.
    #[derive(Clone, Copy)]
    struct Files {
        limit: &'static str,
        usage: &'static str,
        cached: [&'static str; 2],
    }

    const V2: Files = Files {
        limit: "memory.max",
        usage: "memory.current",
        cached: ["inactive_file", "active_file"],
    };
    const V1: Files = Files {
        limit: "memory.limit_in_bytes",
        usage: "memory.usage_in_bytes",
        cached: ["total_inactive_file", "total_active_file"],
    };

    fn left_of_group(folder: &Path, files: Files) -> Option<u64> {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let (limit, usage) = (number(files.limit)?, number(files.usage)?);
        let statistics = read("memory.stat").unwrap_or_default();
        let cached = |key: &&str| {
            let rest = statistics.lines().find_map(|line| line.strip_prefix(*key))?;
            rest.trim().parse::<u64>().ok()
        };
        let cached: u64 = files.cached.iter().filter_map(cached).sum();
        Some(limit.saturating_sub(usage.saturating_sub(cached)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_machine_has_what_is_available_and_free_swap() {
            let text = "MemTotal:  100 kB\nMemAvailable:   40 kB\nSwapFree: 2 kB\n";
            assert_eq!(machine(text), Some(42 * 1024));
            assert_eq!(machine("MemTotal: 100 kB\n"), None);
        }

        #[test]
        fn limits_count_from_what_is_taken() {
            let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                        Max data size             unlimited            unlimited            bytes\n\
                        Max address space         1048576              unlimited            bytes\n";
            let status = "VmSize:\t 24 kB\nVmData:\t 8 kB\n";
            assert_eq!(limits(text, status), Some(1000 * 1024));
            assert_eq!(limits(text, "VmSize:\t 2048 kB\n"), Some(0));
            assert_eq!(limits("Max address space   unlimited  unlimited  bytes\n", status), None);
        }

        #[test]
        fn the_tightest_group_counts_and_file_caches_are_free() {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            let write = |path: &str, text: &str| {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            };
            write("a/b/memory.max", "max\n");
            write("a/b/memory.current", "700\n");
            write("a/memory.max", "1000\n");
            write("a/memory.current", "900\n");
            write("a/memory.stat", "anon 600\ninactive_file 200\nactive_file 50\n");
            assert_eq!(groups("0::/a/b\n", root), Some(350));
            assert_eq!(groups("0::/elsewhere\n", root), None);
            write("memory/c/memory.limit_in_bytes", "500\n");
            write("memory/c/memory.usage_in_bytes", "450\n");
            assert_eq!(groups("5:cpu:/c\n4:memory:/c\n0::/a/b\n", root), Some(50));
        }
    }
}
