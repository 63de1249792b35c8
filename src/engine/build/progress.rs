//! The steps of one build: what they print, which one fails, and telling it to whoever watches.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::{BuildEvent, BuildStep, Failure};

/// Longest line told, characters.
const LINE_MAX: usize = 2000;
/// A line without an end is cut here, bytes.
const PARTIAL_MAX: usize = 8 * 1024;
/// How long one full channel may hold the build up, once.
const PATIENCE: Duration = Duration::from_millis(250);

pub(super) struct Progress<'a> {
    events: &'a mpsc::Sender<BuildEvent>,
    /// The reader let us wait once; from then on events that do not fit are lost.
    impatient: bool,
    steps: BTreeMap<String, Step>,
    last_started: Option<String>,
    /// Of the step that failed first: id and error.
    failed: Option<(String, String)>,
}

struct Step {
    step: BuildStep,
    /// Whether anybody is told of it; builders have housekeeping steps.
    shown: bool,
    started: Option<DateTime<Utc>>,
    finished: bool,
    tail: VecDeque<String>,
    partial: Vec<u8>,
}

/// The step that made the build fail.
#[derive(Debug, PartialEq)]
pub(super) struct FailedStep {
    pub name: String,
    pub error: String,
    pub tail: Vec<String>,
}

impl<'a> Progress<'a> {
    pub fn new(events: &'a mpsc::Sender<BuildEvent>) -> Self {
        Self { events, impatient: false, steps: BTreeMap::new(), last_started: None, failed: None }
    }

    pub async fn builder(&mut self, name: &str, note: Option<String>) {
        self.tell(BuildEvent::Builder { name: name.to_owned(), note }).await;
    }

    /// Whether a step of the Dockerfile has begun.
    pub fn any_step(&self) -> bool {
        self.steps.values().any(|step| step.shown)
    }

    /// Only the first call for a step counts.
    pub async fn start(&mut self, id: &str, name: &str, shown: bool, at: DateTime<Utc>) {
        // Continued lines of a Dockerfile come with their indentation.
        let words: Vec<&str> = name.split_whitespace().collect();
        let step = BuildStep { id: id.to_owned(), name: cut(&words.join(" ")) };
        let entry = self.steps.entry(id.to_owned()).or_insert_with(|| Step::new(step.clone(), shown));
        if entry.started.is_none() {
            entry.started = Some(at);
            self.last_started = Some(id.to_owned());
            if shown {
                self.tell(BuildEvent::Started { step, at }).await;
            }
        }
    }

    /// Only the first call for a step counts.
    pub async fn finish(&mut self, id: &str, cached: bool, at: DateTime<Utc>, error: Option<String>) {
        let Some(entry) = self.steps.get_mut(id) else { return };
        if std::mem::replace(&mut entry.finished, true) {
            return;
        }
        let rest = std::mem::take(&mut entry.partial);
        let (step, shown) = (entry.step.clone(), entry.shown);
        let elapsed = entry.started.map_or(0, |started| (at - started).num_milliseconds());
        if !rest.is_empty() {
            self.line(id, &rest).await;
        }
        if let (None, Some(error)) = (&self.failed, &error) {
            self.failed = Some((id.to_owned(), error.clone()));
        }
        if shown || error.is_some() {
            let elapsed_ms = u64::try_from(elapsed).unwrap_or(0);
            let error = error.map(|error| cut(&error));
            self.tell(BuildEvent::Finished { step, cached, elapsed_ms, error }).await;
        }
    }

    /// What a step printed, in pieces as they come.
    pub async fn output(&mut self, id: &str, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(entry) = self.steps.get_mut(id) else { return };
            let room = PARTIAL_MAX.saturating_sub(entry.partial.len());
            entry.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") || entry.partial.len() >= PARTIAL_MAX {
                let line = std::mem::take(&mut entry.partial);
                self.line(id, &line).await;
            }
        }
    }

    async fn line(&mut self, id: &str, bytes: &[u8]) {
        let line = cut(last_drawn(&String::from_utf8_lossy(bytes)));
        let Some(entry) = self.steps.get_mut(id) else { return };
        if entry.tail.len() == Failure::TAIL_LINES {
            entry.tail.pop_front();
        }
        entry.tail.push_back(line.clone());
        // Lines are many and expendable: they never wait.
        self.events.try_send(BuildEvent::Output { step: id.to_owned(), line }).ok();
    }

    /// The step the build is in.
    pub fn running(&self) -> Option<String> {
        let running = |id: &String| self.steps.get(id).filter(|step| !step.finished);
        let any = || self.steps.values().find(|step| step.started.is_some() && !step.finished);
        let step = self.last_started.as_ref().and_then(running).or_else(any)?;
        Some(step.step.name.clone())
    }

    /// Takes the step that failed, once the build has.
    pub fn take_failed(&mut self) -> Option<FailedStep> {
        let (id, error) = self.failed.take()?;
        let step = self.steps.remove(&id)?;
        Some(FailedStep { name: step.step.name, error, tail: step.tail.into() })
    }

    async fn tell(&mut self, event: BuildEvent) {
        if self.impatient {
            self.events.try_send(event).ok();
        } else if let Err(mpsc::error::SendTimeoutError::Timeout(_)) =
            self.events.send_timeout(event, PATIENCE).await
        {
            self.impatient = true;
        }
    }
}

impl Step {
    fn new(step: BuildStep, shown: bool) -> Self {
        let (tail, partial) = (VecDeque::new(), Vec::new());
        Self { step, shown, started: None, finished: false, tail, partial }
    }
}

/// Progress bars redraw a line by carriage returns; the last drawing stands.
fn last_drawn(line: &str) -> &str {
    let line = line.trim_end_matches(['\r', '\n']);
    line.rsplit('\r').find(|drawn| !drawn.is_empty()).unwrap_or_default()
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX - 1) {
        Some((at, last)) if at + last.len_utf8() < line.len() => format!("{}…", &line[..at]),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn started(progress: &mut Progress<'_>) {
        progress.start("1", "RUN x", true, Utc::now()).await;
    }

    #[tokio::test]
    async fn lines_are_whole_bounded_and_kept_for_the_failure() {
        let (events, mut received) = mpsc::channel(1000);
        let mut progress = Progress::new(&events);
        started(&mut progress).await;
        progress.output("1", b"one\ntw").await;
        progress.output("1", b"o\n10%\r20%\r\n").await;
        progress.output("1", "é".repeat(3000).as_bytes()).await;
        progress.finish("1", false, Utc::now(), Some("exit code: 1".into())).await;
        let failed = progress.take_failed().expect("it failed");
        assert_eq!(failed.tail[..3], ["one", "two", "20%"]);
        assert_eq!(failed.tail[3].chars().count(), 2000);
        assert!(failed.tail[3].ends_with('…'));
        let mut lines = 0;
        while let Ok(event) = received.try_recv() {
            lines += usize::from(matches!(event, BuildEvent::Output { .. }));
        }
        assert_eq!(lines, 4);
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let (events, _received) = mpsc::channel(1);
        let mut progress = Progress::new(&events);
        started(&mut progress).await;
        for at in 0..100 {
            progress.output("1", format!("{at}\n").as_bytes()).await;
        }
        progress.finish("1", false, Utc::now(), Some("no".into())).await;
        let tail = progress.take_failed().expect("it failed").tail;
        assert_eq!((tail.len(), tail[0].as_str(), tail[39].as_str()), (40, "60", "99"));
    }

    #[tokio::test]
    async fn a_reader_who_never_reads_costs_one_short_wait() {
        let (events, _received) = mpsc::channel(1);
        let mut progress = Progress::new(&events);
        let before = std::time::Instant::now();
        for id in 0..50 {
            progress.start(&id.to_string(), "RUN x", true, Utc::now()).await;
        }
        assert!(before.elapsed() < PATIENCE * 4, "{:?}", before.elapsed());
    }

    #[tokio::test]
    async fn the_first_failure_is_the_one_reported() {
        let (events, _received) = mpsc::channel(10);
        let mut progress = Progress::new(&events);
        progress.start("1", "RUN x", true, Utc::now()).await;
        progress.start("2", "RUN y", true, Utc::now()).await;
        assert_eq!(progress.running().as_deref(), Some("RUN y"));
        progress.finish("2", false, Utc::now(), Some("exit code: 2".into())).await;
        assert_eq!(progress.running().as_deref(), Some("RUN x"));
        progress.finish("1", false, Utc::now(), Some("late".into())).await;
        assert_eq!(progress.take_failed().map(|step| step.name).as_deref(), Some("RUN y"));
    }
}
