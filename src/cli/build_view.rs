//! A build as it is seen: which steps run, how long they took, and what a failing one printed.

use std::collections::{BTreeMap, VecDeque};

use super::output::{clean, count};
use super::progress::{Progress, Spinner};
use super::timespan;
use crate::domain::{BuildEvent, BuildStep};

/// Renders the events of one build. Events told twice, as after a reconnect, are shown once.
pub struct BuildView<'a> {
    progress: &'a Progress<'a>,
    steps: BTreeMap<String, Step>,
    waiting: Option<Spinner>,
    ahead: Option<usize>,
    builder_told: bool,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Built { image: String, cached: bool },
    Failed { step: Option<String>, reason: String },
    Cancelled,
}

struct Step {
    number: usize,
    name: String,
    state: State,
    spinner: Spinner,
    /// The newest lines it printed.
    tail: VecDeque<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Finished,
    /// Its lines have been shown.
    Failed,
}

impl<'a> BuildView<'a> {
    const TAIL: usize = 40;
    /// Characters of a step's name that leave room for its newest line.
    const NAME_BESIDE_OUTPUT: usize = 36;

    pub fn new(progress: &'a Progress<'a>) -> Self {
        Self { progress, steps: BTreeMap::new(), waiting: None, ahead: None, builder_told: false }
    }

    /// Shows one event; gives the outcome when it was the last.
    pub fn show(&mut self, event: BuildEvent) -> Option<Outcome> {
        if !matches!(event, BuildEvent::Queued { .. }) {
            self.waiting = None;
        }
        match event {
            BuildEvent::Queued { ahead } => self.queued(ahead),
            BuildEvent::Builder { name, note } => self.builder(&name, note.as_deref()),
            BuildEvent::Started { step, .. } => self.started(&step),
            BuildEvent::Finished { step, cached, elapsed_ms, error } => {
                self.finished(&step, cached, elapsed_ms, error.as_deref());
            }
            BuildEvent::Output { step, line } => self.output(&step, &line),
            BuildEvent::Done { image, cached } => {
                self.leave();
                return Some(Outcome::Built { image, cached });
            }
            BuildEvent::Failed { step, reason } => {
                return Some(Outcome::Failed { step: self.failed(step), reason });
            }
            BuildEvent::Cancelled => {
                self.leave();
                return Some(Outcome::Cancelled);
            }
        }
        None
    }

    fn queued(&mut self, ahead: usize) {
        if self.ahead.replace(ahead) == Some(ahead) {
            return;
        }
        let text = match ahead {
            0 => "queued".to_owned(),
            _ => format!("waiting for a free build slot, {} ahead", count(ahead, "build")),
        };
        match &self.waiting {
            Some(spinner) if self.progress.is_live() => spinner.say(&text),
            _ => self.waiting = Some(self.progress.spinner(&text)),
        }
    }

    fn builder(&mut self, name: &str, note: Option<&str>) {
        if std::mem::replace(&mut self.builder_told, true) {
            return;
        }
        if let Some(note) = note {
            self.progress.note(&clean(&format!("builder: {name} ({note})")));
        }
    }

    fn started(&mut self, step: &BuildStep) {
        if self.steps.contains_key(&step.id) {
            return;
        }
        let number = self.steps.len() + 1;
        let name = clean(&step.name).into_owned();
        if !self.progress.is_live() && !is_internal(&name) {
            self.progress.note(&format!("#{number} {name}"));
        }
        let spinner = self.progress.silent_spinner(&name);
        let step_shown = Step { number, name, state: State::Running, spinner, tail: VecDeque::new() };
        self.steps.insert(step.id.clone(), step_shown);
    }

    fn finished(&mut self, step: &BuildStep, cached: bool, elapsed_ms: u64, error: Option<&str>) {
        self.started(step);
        let live = self.progress.is_live();
        let Some(shown) = self.steps.get_mut(&step.id) else { return };
        if shown.state != State::Running {
            return;
        }
        shown.state = State::Finished;
        shown.spinner = Spinner::gone();
        let took = match (error, cached) {
            (Some(error), _) => format!("failed: {}", clean(error)),
            (None, true) => "cached".to_owned(),
            (None, false) => timespan::elapsed(elapsed_ms),
        };
        if error.is_none() && is_internal(&shown.name) {
            return;
        }
        let mark = if error.is_some() { "✗" } else { "✓" };
        match live {
            true => self.progress.note(&format!("{mark} {}  {took}", shown.name)),
            false => self.progress.note(&format!("#{} {took}", shown.number)),
        }
        if error.is_some() {
            self.show_tail(&step.id.clone());
        }
    }

    fn output(&mut self, step: &str, line: &str) {
        let Some(shown) = self.steps.get_mut(step) else { return };
        if shown.state != State::Running {
            return;
        }
        let line = clean(line).into_owned();
        if !line.trim().is_empty() {
            let name: String = shown.name.chars().take(Self::NAME_BESIDE_OUTPUT).collect();
            shown.spinner.say(&format!("{name} │ {}", line.trim()));
        }
        if shown.tail.len() == Self::TAIL {
            shown.tail.pop_front();
        }
        shown.tail.push_back(line);
    }

    /// Shows what the failing step printed, unless it has been; gives the step's name.
    fn failed(&mut self, step: Option<String>) -> Option<String> {
        let found = step.as_ref().and_then(|step| {
            let mut steps = self.steps.iter();
            steps.find(|(id, shown)| *id == step || shown.name == *step).map(|(id, _)| id.clone())
        });
        if let Some(id) = &found {
            self.show_tail(id);
        }
        let name = found.and_then(|id| self.steps.get(&id).map(|shown| shown.name.clone())).or(step);
        self.leave();
        name
    }

    fn show_tail(&mut self, id: &str) {
        let Some(shown) = self.steps.get_mut(id) else { return };
        if shown.state == State::Failed {
            return;
        }
        shown.state = State::Failed;
        for line in std::mem::take(&mut shown.tail) {
            self.progress.note(&format!("   │ {line}"));
        }
    }

    fn leave(&mut self) {
        for step in self.steps.values_mut() {
            step.spinner = Spinner::gone();
        }
    }
}

/// Steps of the builder's own, of interest only when they fail.
fn is_internal(name: &str) -> bool {
    name.starts_with("[internal]")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::testing::captured;

    /// Shows events as they come over the wire; gives what was printed and the outcome.
    fn shown(events: &[Value]) -> (String, Option<Outcome>) {
        let (console, _, err) = captured(false);
        let progress = Progress::new(&console);
        let mut view = BuildView::new(&progress);
        let mut outcome = None;
        for event in events {
            outcome = view.show(serde_json::from_value(event.clone()).expect("a build event"));
        }
        (err.text(), outcome)
    }

    fn step(id: &str) -> Value {
        json!({"id": id, "name": format!("[{id}] RUN x\u{1b}[2J")})
    }

    fn started(id: &str) -> Value {
        json!({"type": "started", "step": step(id), "at": "2026-01-31T12:00:00Z"})
    }

    fn finished(id: &str, cached: bool, error: Option<&str>) -> Value {
        json!({"type": "finished", "step": step(id), "cached": cached, "elapsedMs": 3200, "error": error})
    }

    #[test]
    fn steps_are_numbered_and_told_once() {
        let (text, outcome) = shown(&[
            json!({"type": "queued", "ahead": 2}),
            json!({"type": "builder", "name": "classic", "note": "no BuildKit here"}),
            started("1/2"),
            finished("1/2", true, None),
            started("1/2"),
            finished("1/2", true, None),
            started("2/2"),
            json!({"type": "output", "step": "2/2", "line": "quiet"}),
            finished("2/2", false, None),
            json!({"type": "done", "image": "previewd/x:1", "cached": false}),
        ]);
        assert_eq!(
            text,
            "waiting for a free build slot, 2 builds ahead\nbuilder: classic (no BuildKit here)\n\
             #1 [1/2] RUN x\n#1 cached\n#2 [2/2] RUN x\n#2 3.2s\n"
        );
        assert_eq!(outcome, Some(Outcome::Built { image: "previewd/x:1".into(), cached: false }));
    }

    #[test]
    fn a_failing_step_shows_its_last_lines_once() {
        let mut events = vec![started("2/2")];
        events.extend((0..50).map(|n| json!({"type": "output", "step": "2/2", "line": format!("line {n}")})));
        events.push(finished("2/2", false, Some("exit code: 1")));
        events.push(json!({"type": "failed", "step": "2/2", "reason": "exit code: 1"}));
        let (text, outcome) = shown(&events);
        assert!(!text.contains("line 9\n") && text.contains("   │ line 10\n"), "{text}");
        assert_eq!(text.matches("line 49").count(), 1, "{text}");
        let named = Outcome::Failed { step: Some("[2/2] RUN x".into()), reason: "exit code: 1".into() };
        assert_eq!(outcome, Some(named));
    }

    #[test]
    fn a_failure_without_a_finished_step_still_shows_the_lines() {
        let (text, _) = shown(&[
            started("2/2"),
            json!({"type": "output", "step": "2/2", "line": "no such package"}),
            json!({"type": "failed", "step": "[2/2] RUN x", "reason": "timed out"}),
        ]);
        assert!(text.contains("   │ no such package\n"), "{text}");
    }
}
