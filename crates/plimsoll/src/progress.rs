//! Progress on a terminal, for what takes longer than a second.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_postgres::{Phase, Progress};

/// How long a visit may take before anything is shown.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// A line on standard error that says where a visit has come to; nothing where that is no terminal.
pub(crate) struct Spinner {
    bar: ProgressBar,
    /// Dropped with the spinner, which ends the thread that waits to show it.
    _shown: mpsc::Sender<()>,
}

impl Spinner {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let (shown, ended) = mpsc::channel::<()>();
        if io::stderr().is_terminal() {
            let bar = bar.clone();
            thread::spawn(move || {
                if ended.recv_timeout(QUIET_FOR) == Err(mpsc::RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                }
            });
        }
        Self { bar, _shown: shown }
    }
}

impl Progress for Spinner {
    fn at(&self, phase: Phase) {
        self.bar.set_message(match phase {
            Phase::Connecting => "connecting".to_owned(),
            Phase::Catalog => "reading the catalog".to_owned(),
            Phase::Sizing(done, all) => format!("sizing: {done} of {all} relations"),
            Phase::Facts => "reading the rest of the server's disk".to_owned(),
        });
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// As [`Spinner`], for rows, pages and bytes that pass by.
#[derive(Clone)]
pub(crate) struct Counter {
    spinner: Arc<Spinner>,
}

impl Counter {
    pub(crate) fn new() -> Self {
        Self {
            spinner: Arc::new(Spinner::new()),
        }
    }

    pub(crate) fn at(&self, text: &str) {
        self.spinner.bar.set_message(text.to_owned());
    }
}
