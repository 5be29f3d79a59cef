//! Progress on standard error: bars on a terminal, otherwise a plain line every few seconds; none
//! with `--json` or `--quiet`.

use super::arguments::Common;
use super::printing;
use indicatif::{ProgressBar, ProgressStyle};
use simdetr::control::Progress;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two lines of one step.
const LINES_APART: Duration = Duration::from_secs(3);

/// Where progress is shown. One step at a time.
pub enum Bars {
    Hidden,
    Drawn(Mutex<Option<(String, ProgressBar)>>),
    Lines(Mutex<Lines>),
}

impl Bars {
    /// As the options and standard error say.
    pub fn new(common: &Common) -> Bars {
        match (common.json || common.quiet, std::io::stderr().is_terminal()) {
            (true, _) => Bars::Hidden,
            (false, true) => Bars::Drawn(Mutex::default()),
            (false, false) => Bars::Lines(Mutex::default()),
        }
    }

    /// The progress callback of a call: never stops it.
    pub fn show(&self, progress: Progress<'_>) -> i32 {
        // A poisoned lock means that drawing panicked; that is no reason to stop the work.
        match self {
            Bars::Hidden => {}
            Bars::Drawn(current) => {
                if let Ok(mut current) = current.lock() {
                    draw(&mut current, progress);
                }
            }
            Bars::Lines(lines) => {
                let text =
                    lines.lock().ok().and_then(|mut lines| lines.at(progress, Instant::now()));
                text.iter().for_each(|text| printing::line(text));
            }
        }
        0
    }

    /// Lets `print` write lines that a bar does not draw over.
    pub fn above(&self, print: impl FnOnce()) {
        if let Bars::Drawn(current) = self
            && let Ok(current) = current.lock()
            && let Some((_, bar)) = current.as_ref()
        {
            return bar.suspend(print);
        }
        print();
    }

    /// Leaves the last bar as it stands.
    pub fn finish(&self) {
        if let Bars::Drawn(current) = self
            && let Ok(mut current) = current.lock()
            && let Some((_, bar)) = current.take()
        {
            bar.finish();
        }
    }
}

fn draw(current: &mut Option<(String, ProgressBar)>, progress: Progress<'_>) {
    if current.as_ref().is_none_or(|(step, _)| step != progress.step) {
        if let Some((_, bar)) = current.take() {
            bar.finish();
        }
        let style = ProgressStyle::with_template("{msg:>10} [{bar:40}] {pos}/{len} {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(progress.total).with_style(style);
        *current = Some((progress.step.to_string(), bar.with_message(progress.step.to_string())));
    }
    if let Some((_, bar)) = current.as_ref() {
        bar.set_position(progress.done);
    }
}

/// What was said last in place of a bar.
#[derive(Debug, Default)]
pub struct Lines {
    step: Option<Told>,
}

#[derive(Debug)]
struct Told {
    name: String,
    at: Instant,
    ended: bool,
}

impl Lines {
    /// The line that `progress` is worth at `now`: one when a while has passed since the last one
    /// or the step's first report, and one when the step is done.
    fn at(&mut self, progress: Progress<'_>, now: Instant) -> Option<String> {
        let Progress { step, done, total } = progress;
        if self.step.as_ref().is_none_or(|told| told.name != step || (told.ended && done < total)) {
            self.step = Some(Told { name: step.into(), at: now, ended: false });
        }
        let told = self.step.as_mut()?;
        let ended = total > 0 && done >= total;
        if told.ended || !ended && now.duration_since(told.at) < LINES_APART {
            return None;
        }
        (told.at, told.ended) = (now, ended);
        Some(match total {
            0 => format!("simdetr: {step}: {done}"),
            _ => format!("simdetr: {step}: {done} of {total}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_every_few_seconds_and_at_the_end_of_a_step() {
        let begin = Instant::now();
        let mut lines = Lines::default();
        let mut told = Vec::new();
        for tenth in 0..=100_u64 {
            let progress = Progress { step: "train", done: tenth, total: 100 };
            told.extend(lines.at(progress, begin + Duration::from_millis(100 * tenth)));
        }
        let text = |done| format!("simdetr: train: {done} of 100");
        assert_eq!(told, [text(30), text(60), text(90), text(100)]);
        let again = Progress { step: "train", done: 100, total: 100 };
        assert_eq!(lines.at(again, begin + Duration::from_secs(60)), None);
        let next = Progress { step: "relabel", done: 7, total: 0 };
        assert_eq!(lines.at(next, begin + Duration::from_secs(60)), None);
        let later = lines.at(next, begin + Duration::from_secs(64)).unwrap();
        assert_eq!(later, "simdetr: relabel: 7");
    }
}
