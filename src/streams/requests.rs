//! Requests through the proxy as lines of their previews' logs.
//!
//! The proxy must not wait and must not pay for words: it hands over facts, which are worded by a
//! task of their own. Of a preview that gets more requests in a second than anybody reads, the
//! rest of that second is told as one line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::LogHub;
use crate::domain::{LogEntry, LogLevel, LogSource, PreviewId};

/// Requests of one preview in one second that get a line each.
const SHOWN: u32 = 500;
const SECOND: Duration = Duration::from_secs(1);

/// Requests that wait to be worded.
const WAITING: usize = 4096;

/// Characters of a path that are shown.
const LONGEST_PATH: usize = 1000;

/// One request that is over.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    pub preview: PreviewId,
    pub method: String,
    /// Without its query, which may hold secrets.
    pub path: String,
    pub status: u16,
    pub duration: Duration,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Of its `traceparent`.
    pub trace_id: Option<String>,
}

/// Takes requests from the proxy; clones share the queue.
#[derive(Debug, Clone)]
pub struct RequestLog {
    queue: mpsc::Sender<(DateTime<Utc>, SeenRequest)>,
    seconds: Arc<Mutex<HashMap<PreviewId, Second>>>,
}

/// The end of the queue, for [`LineWriter::write`].
#[derive(Debug)]
pub struct LineWriter {
    queue: mpsc::Receiver<(DateTime<Utc>, SeenRequest)>,
    seconds: Arc<Mutex<HashMap<PreviewId, Second>>>,
}

/// What of a preview was shown in the second that began then.
#[derive(Debug)]
struct Second {
    begun: Instant,
    shown: u32,
    hidden: u64,
    hidden_errors: u64,
}

impl RequestLog {
    pub fn new() -> (Self, LineWriter) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let seconds = Arc::<Mutex<HashMap<_, _>>>::default();
        (Self { queue: sender, seconds: Arc::clone(&seconds) }, LineWriter { queue: receiver, seconds })
    }

    /// Whether a request that is over now gets a line; counts it where it gets none.
    pub fn shows(&self, preview: PreviewId, status: u16) -> bool {
        let mut seconds = lock(&self.seconds);
        let second = seconds.entry(preview).or_insert_with(Second::new);
        // The writer tells what is hidden, and begins the next one then.
        if second.begun.elapsed() >= SECOND && second.hidden == 0 {
            *second = Second::new();
        }
        if second.shown < SHOWN && second.begun.elapsed() < SECOND {
            second.shown += 1;
            return true;
        }
        second.hide(status);
        false
    }

    /// Never waits: a request that finds the queue full is counted with those not shown.
    pub fn saw(&self, request: SeenRequest) {
        if let Err(mpsc::error::TrySendError::Full((_, request))) = self.queue.try_send((Utc::now(), request))
        {
            let mut seconds = lock(&self.seconds);
            seconds.entry(request.preview).or_insert_with(Second::new).hide(request.status);
        }
    }
}

impl LineWriter {
    /// Words requests until `stop`.
    pub async fn write(mut self, logs: LogHub, stop: CancellationToken) {
        const TOGETHER: usize = 256;
        let mut requests = Vec::with_capacity(TOGETHER);
        let mut tick = tokio::time::interval(SECOND);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick() => self.tell_hidden(&logs),
                count = self.queue.recv_many(&mut requests, TOGETHER) => {
                    if count == 0 {
                        break;
                    }
                    add(&logs, &mut requests);
                }
            }
        }
        self.queue.close();
        self.queue.recv_many(&mut requests, WAITING).await;
        add(&logs, &mut requests);
        self.tell_hidden(&logs);
    }

    /// One line for the requests of each preview that got none, once their second is over.
    fn tell_hidden(&self, logs: &LogHub) {
        let mut over = Vec::new();
        lock(&self.seconds).retain(|preview, second| {
            let is_over = second.begun.elapsed() >= SECOND;
            if is_over && second.hidden > 0 {
                over.push((*preview, second.hidden, second.hidden_errors));
            }
            !is_over
        });
        for (preview, hidden, errors) in over {
            let message = format!("{hidden} more requests, not shown one by one; {errors} of them failed");
            let level = if errors > 0 { LogLevel::Error } else { LogLevel::Info };
            let data = json!({ "requests": hidden, "errors": errors });
            let mut entry = LogEntry::new(Utc::now(), level, LogSource::Request, message);
            entry.metadata = data.as_object().cloned().map(Box::new);
            if logs.is_open(preview) {
                logs.append_all(preview, vec![entry], None);
            }
        }
    }
}

impl Second {
    fn new() -> Self {
        Self { begun: Instant::now(), shown: 0, hidden: 0, hidden_errors: 0 }
    }

    fn hide(&mut self, status: u16) {
        self.hidden += 1;
        self.hidden_errors += u64::from(status >= 500);
    }
}

/// Adds requests to the logs of their previews, those of one in one go.
fn add(logs: &LogHub, requests: &mut Vec<(DateTime<Utc>, SeenRequest)>) {
    let mut by_preview: HashMap<PreviewId, Vec<LogEntry>> = HashMap::new();
    for (at, request) in requests.drain(..) {
        // The last requests may end after the preview has.
        if logs.is_open(request.preview) {
            let entries = by_preview.entry(request.preview).or_default();
            entries.push(worded(logs, at, request));
        }
    }
    for (preview, entries) in by_preview {
        logs.append_all(preview, entries, None);
    }
}

fn worded(logs: &LogHub, at: DateTime<Utc>, request: SeenRequest) -> LogEntry {
    let SeenRequest { preview, method, path, status, duration, bytes_in, bytes_out, trace_id } = request;
    // Microseconds are as much as anybody can use.
    logs.answers().note(preview, &method, &path, status, duration);
    let ms = duration.as_micros() as f64 / 1000.0;
    let shown: String = path.chars().take(LONGEST_PATH).collect();
    let path = logs.masked(preview, &shown);
    let level = match status {
        500.. => LogLevel::Error,
        400..=499 => LogLevel::Warning,
        _ => LogLevel::Info,
    };
    let message = format!("{method} {path} {status} {ms:.1} ms");
    let data = json!({ "method": method, "path": path, "statusCode": status, "duration": ms,
        "bytesIn": bytes_in, "bytesOut": bytes_out });
    LogEntry {
        metadata: data.as_object().cloned().map(Box::new),
        trace_id,
        ..LogEntry::new(at, level, LogSource::Request, message)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Config;

    fn request(preview: PreviewId, path: &str, status: u16) -> SeenRequest {
        SeenRequest {
            preview,
            method: "GET".into(),
            path: path.into(),
            status,
            duration: Duration::from_micros(1500),
            bytes_in: 0,
            bytes_out: 12,
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        }
    }

    #[tokio::test]
    async fn each_request_is_a_line_and_those_of_a_flood_are_counted() {
        let (logs, preview) = (LogHub::new(Config::default()), PreviewId::new());
        logs.append(preview, Utc::now(), LogLevel::Info, LogSource::System, "there is a log");
        let (log, writer) = RequestLog::new();
        assert!(log.shows(preview, 200));
        log.saw(request(preview, "/a", 200));
        log.saw(request(preview, "/b", 404));
        log.saw(request(PreviewId::new(), "/of-nobody", 200));
        let shown = (0..2000).filter(|at| log.shows(preview, if at % 2 == 0 { 200 } else { 500 })).count();
        assert_eq!(shown, SHOWN as usize - 1);
        tokio::time::sleep(SECOND).await;
        let stop = CancellationToken::new();
        stop.cancel();
        writer.write(logs.clone(), stop).await;
        let lines = logs.tail(preview, 10);
        let told: Vec<_> = lines[1..].iter().map(|line| (line.level, line.message.as_str())).collect();
        assert_eq!(
            told[..2],
            [(LogLevel::Info, "GET /a 200 1.5 ms"), (LogLevel::Warning, "GET /b 404 1.5 ms")]
        );
        assert_eq!(told[2].0, LogLevel::Error);
        assert!(told[2].1.starts_with("1501 more requests"), "{told:?}");
        let data = lines[1].metadata.as_ref().expect("metadata");
        assert_eq!((data["statusCode"].as_u64(), data["path"].as_str()), (Some(200), Some("/a")));
        assert!(lines[1].trace_id.is_some());
    }
}
