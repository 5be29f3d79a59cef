//! The command's log: one line a message on standard error, as `-v`, `-q` or `RUST_LOG` say.
//!
//! `RUST_LOG` is a list of `LEVEL` and `TARGET=LEVEL` as other programs read it; the longest target
//! wins. `-v` and `-q` win over it. With `--json`, where errors are read by programs, nothing is
//! logged unless one of them asks for it.

use super::arguments::Common;
use super::printing;
use super::progress::Bars;
use log::{LevelFilter, Log, Metadata, Record};
use std::sync::Arc;

/// How much is said, by the beginning of a target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    everything: Option<LevelFilter>,
    targets: Vec<(String, LevelFilter)>,
    /// Parts that are no level.
    unknown: Vec<String>,
}

impl Filter {
    fn parse(text: &str) -> Filter {
        let mut filter = Filter::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (target, level) = part.split_once('=').map_or((None, part), |(t, l)| (Some(t), l));
            match (target, level.trim().parse()) {
                (None, Ok(level)) => filter.everything = Some(level),
                (Some(target), Ok(level)) => filter.targets.push((target.trim().into(), level)),
                (_, Err(_)) => filter.unknown.push(part.into()),
            }
        }
        filter
    }

    fn level(&self, target: &str, default: LevelFilter) -> LevelFilter {
        let covers = |prefix: &str| {
            target
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let found = self.targets.iter().filter(|(prefix, _)| covers(prefix));
        let longest = found.max_by_key(|(prefix, _)| prefix.len()).map(|(_, level)| *level);
        longest.or(self.everything).unwrap_or(default)
    }

    fn max(&self, default: LevelFilter) -> LevelFilter {
        let targets = self.targets.iter().map(|(_, level)| *level).max();
        targets.unwrap_or(LevelFilter::Off).max(self.everything.unwrap_or(default))
    }
}

struct Logger {
    filter: Filter,
    default: LevelFilter,
    bars: Arc<Bars>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.filter.level(metadata.target(), self.default)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            let text = format!("simdetr: {level}: {}", record.args()).replace('\n', " ");
            self.bars.above(|| printing::line(&text));
        }
    }

    fn flush(&self) {}
}

/// Installs the log of this process.
pub fn install(common: &Common, bars: &Arc<Bars>) {
    let asked = match (common.quiet, common.verbose) {
        (true, _) => Some(LevelFilter::Error),
        (false, 0) => None,
        (false, 1) => Some(LevelFilter::Info),
        (false, 2) => Some(LevelFilter::Debug),
        (false, _) => Some(LevelFilter::Trace),
    };
    let filter = match asked {
        Some(level) => Filter { everything: Some(level), ..Filter::default() },
        None => Filter::parse(&std::env::var("RUST_LOG").unwrap_or_default()),
    };
    let default = if common.json { LevelFilter::Off } else { LevelFilter::Warn };
    if !common.json {
        for part in &filter.unknown {
            printing::line(&format!("simdetr: warn: RUST_LOG: `{part}` names no level; ignored"));
        }
    }
    let max = filter.max(default);
    // It lives as long as the process, in which nobody else installs one.
    let logger = Box::leak(Box::new(Logger { filter, default, bars: bars.clone() }));
    if log::set_logger(logger).is_ok() {
        log::set_max_level(max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LevelFilter::{Debug, Info, Off, Trace, Warn};

    #[test]
    fn the_longest_target_wins() {
        let filter = Filter::parse("info, simdetr::data=trace,simdetr=off,loud");
        assert_eq!(filter.unknown, ["loud"]);
        for (target, level) in [
            ("other", Info),
            ("simdetr", Off),
            ("simdetr::pipeline", Off),
            ("simdetr::data::store", Trace),
            ("simdetr_other", Info),
        ] {
            assert_eq!(filter.level(target, Warn), level, "{target}");
        }
        assert_eq!(filter.max(Warn), Trace);
        assert_eq!(Filter::parse("").level("simdetr", Warn), Warn);
        assert_eq!(Filter::parse("x=DEBUG").max(Warn), Debug);
    }
}
