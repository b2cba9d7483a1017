//! A bar that shows how far a measurement is, and Ctrl-C.

use crate::style;
use hz3_lab::compare::Watch;
use hz3_project::Error;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Stderr, a progress bar, and Ctrl-C.
pub struct Bar {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Bar {
    /// Takes over Ctrl-C: the first ends the comparison with what it has, the second ends the program.
    pub fn new() -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|e| Error::unfit(format!("cannot catch Ctrl-C: {e}")))?;
        let bar = ProgressBar::new(1000);
        bar.set_style(
            ProgressStyle::with_template("{elapsed:>5} {bar:30} {wide_msg}").expect("the template is a constant"),
        );
        bar.enable_steady_tick(Duration::from_millis(500));
        Ok(Self { bar, stop })
    }
    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Bar {
    fn say(&mut self, text: &str) {
        let text = match text.strip_prefix("warning: ") {
            Some(rest) => format!("{}: {rest}", style::warning("warning")),
            None => text.to_owned(),
        };
        self.bar.suspend(|| eprintln!("{text}"));
    }
    fn progress(&mut self, share: f64, text: &str) {
        self.bar.set_position((share * 1000.0) as u64);
        self.bar.set_message(text.to_owned());
    }
    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
