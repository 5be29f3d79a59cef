//! Progress bars on standard error; none with `--json` or where standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use simdetr::control::Progress;
use std::sync::Mutex;

/// One bar that follows the step it is told about.
pub struct Bars {
    visible: bool,
    current: Mutex<Option<(String, ProgressBar)>>,
}

impl Bars {
    /// `visible` false draws nothing.
    pub fn new(visible: bool) -> Bars {
        Bars { visible, current: Mutex::new(None) }
    }

    /// The progress callback of a call: never stops it.
    pub fn show(&self, progress: Progress<'_>) -> i32 {
        // A poisoned lock means that drawing panicked; the bar is no reason to stop the work.
        let Ok(mut current) = self.current.lock() else { return 0 };
        if current.as_ref().is_none_or(|(step, _)| step != progress.step) {
            if let Some((_, bar)) = current.take() {
                bar.finish();
            }
            *current = Some((progress.step.to_string(), self.bar(progress)));
        }
        if let Some((_, bar)) = current.as_ref() {
            bar.set_position(progress.done);
        }
        0
    }

    fn bar(&self, progress: Progress<'_>) -> ProgressBar {
        let target = match self.visible {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(progress.total), target);
        let style = ProgressStyle::with_template("{msg:>10} [{bar:40}] {pos}/{len} {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.with_style(style).with_message(progress.step.to_string())
    }

    /// Leaves the last bar as it stands.
    pub fn finish(&self) {
        if let Ok(mut current) = self.current.lock()
            && let Some((_, bar)) = current.take()
        {
            bar.finish();
        }
    }
}
