//! What is going on, on stderr: spinners on a terminal, plain lines elsewhere, nothing with
//! `--json` when nobody watches.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output::{Console, clean};

pub struct Progress<'a> {
    console: &'a Console,
    bars: Option<MultiProgress>,
}

/// One thing under way. It leaves the screen when dropped.
pub struct Spinner {
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub fn new(console: &'a Console) -> Self {
        Self { console, bars: console.err_terminal.then(MultiProgress::new) }
    }

    /// Spinners are drawn, so a running step needs no line of its own.
    pub fn is_live(&self) -> bool {
        self.bars.is_some()
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        match &self.bars {
            // Above the spinners. A terminal that is gone is no reason to stop.
            Some(bars) => bars.suspend(|| self.console.note(text)),
            None if self.console.json => {}
            None => self.console.note(text),
        }
    }

    /// Shows `text` with the time it takes; elsewhere than on a terminal one plain line.
    pub fn spinner(&self, text: &str) -> Spinner {
        let spinner = self.silent_spinner(text);
        if !self.is_live() {
            self.note(text);
        }
        spinner
    }

    /// Shows `text` on a terminal, and nothing elsewhere.
    pub fn silent_spinner(&self, text: &str) -> Spinner {
        let Some(bars) = &self.bars else { return Spinner { bar: None } };
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:>4}") {
            bar.set_style(style);
        }
        bar.set_message(clean(text).into_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner { bar: Some(bar) }
    }
}

impl Spinner {
    /// None at all, to put in the place of one that is done.
    pub const fn gone() -> Self {
        Self { bar: None }
    }

    pub fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(clean(text).into_owned());
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
