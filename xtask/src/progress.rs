//! Saying what is being done: a spinner on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One piece of work that may take a while.
pub(crate) struct Progress {
    what: String,
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Announces the work.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner().with_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        if bar.is_none() {
            eprintln!("{what} ...");
        }
        Self { what, start: Instant::now(), bar }
    }

    /// Says that the work is done and how long it took.
    pub(crate) fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: {}", self.what, seconds(self.start.elapsed()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // An error message must not share its line with a spinner.
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration in seconds, one decimal.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
