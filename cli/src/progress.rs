//! Saying what takes long: from two seconds on, a spinner on a terminal and plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// Work shorter than this passes without a word.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two lines when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// One piece of work that may take a while. It ends when this is dropped.
pub(crate) struct Progress {
    teller: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// The work `what` begins.
    pub(crate) fn start(output: Output, what: impl Into<String>) -> Self {
        let what = what.into();
        let teller = (!output.quiet).then(|| {
            let (stop, stopped) = channel();
            let work = Work { what, start: Instant::now() };
            (stop, thread::spawn(move || work.tell(&stopped)))
        });
        Self { teller }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, teller)) = self.teller.take() {
            drop(stop);
            // It only prints; a failure there must not hide the result of the work.
            let _ = teller.join();
        }
    }
}

struct Work {
    what: String,
    start: Instant,
}

impl Work {
    fn tell(&self, stopped: &Receiver<()>) {
        let wait = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        if !wait(PATIENCE) {
            return;
        }
        if std::io::stderr().is_terminal() {
            let bar = self.bar();
            while wait(Duration::from_millis(100)) {
                bar.tick();
            }
            bar.finish_and_clear();
            return;
        }
        eprintln!("{} ...", self.what);
        while wait(LINE_EVERY) {
            eprintln!("{}: {} s", self.what, self.start.elapsed().as_secs());
        }
    }

    fn bar(&self) -> ProgressBar {
        let template = "{spinner} {msg} ({elapsed})";
        let bar = ProgressBar::new_spinner().with_message(self.what.clone());
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}
