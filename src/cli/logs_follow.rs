//! Following a log: the newest lines, then live ones, without gap or repeat across reconnects.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::client::{Call, Client, ClientError};
use super::context::Context;
use super::logs::Line;
use super::preview::{self, Glance};
use super::sse::SseEvent;
use crate::domain::GenerationId;

/// What is asked for, as the API spells it, and how it is printed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub level: Option<&'static str>,
    pub source: Option<String>,
    pub search: Option<String>,
    pub since: Option<String>,
    pub timestamps: bool,
    /// Leave out lines of the build, which have been seen.
    pub hide_build: bool,
}

#[derive(Debug, Deserialize)]
struct Page {
    logs: Vec<Value>,
}

/// The newest lines that pass, at most `most`, oldest first.
pub async fn newest(
    client: &Client,
    generation: &GenerationId,
    filter: &Filter,
    most: usize,
) -> anyhow::Result<Vec<Line>> {
    /// As many as one answer may hold.
    const PAGE: usize = 1000;
    let mut pages: Vec<Vec<Line>> = Vec::new();
    let (mut left, mut before) = (most, None);
    while left > 0 {
        let wanted = left.min(PAGE);
        let call = client.call(Method::GET, preview::path(generation, "/logs"));
        let call =
            filter.apply(call.query("limit", wanted.to_string())).query_opt("before", before.as_deref());
        let page: Page = call.json().await?;
        let mut lines = page.logs.into_iter().map(Line::parse).collect::<Result<Vec<_>, _>>()?;
        lines.sort_by_key(|line| line.seq);
        left -= lines.len().min(wanted);
        before = lines.first().and_then(|line| line.seq).filter(|seq| *seq > 1).map(|seq| seq.to_string());
        let is_last = lines.len() < wanted || before.is_none();
        pages.push(lines);
        if is_last {
            break;
        }
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

/// Prints the newest `tail` lines and then what comes, until the preview is over. A daemon that
/// is away for a while is waited for.
pub async fn follow(
    context: &Context,
    generation: &GenerationId,
    filter: &Filter,
    tail: usize,
) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let mut follower = Follower { context, generation, filter, last: 0, heard: Instant::now(), told: false };
    follower.begin(tail).await?;
    let mut pause = Duration::from_millis(100);
    loop {
        let before = follower.heard;
        let ended = match follower.stream().await {
            Ok(()) => follower.is_over().await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                let transient = error.downcast_ref().is_some_and(ClientError::is_transient);
                if !transient || follower.heard.elapsed() > PATIENCE {
                    return Err(error);
                }
                follower.tell_lost();
            }
        }
        pause = match follower.heard > before {
            true => Duration::from_millis(100),
            false => (pause * 2).min(Duration::from_secs(3)),
        };
        sleep(pause).await;
    }
}

struct Follower<'a> {
    context: &'a Context,
    generation: &'a GenerationId,
    filter: &'a Filter,
    /// The newest line known; the stream goes on behind it.
    last: u64,
    /// When the daemon last answered.
    heard: Instant,
    /// The user knows that the connection is lost.
    told: bool,
}

impl Follower<'_> {
    async fn begin(&mut self, tail: usize) -> anyhow::Result<()> {
        // Asked first and without the filter: every line that is older and passes it comes with
        // the second answer, every younger one with the stream.
        let client = &self.context.client;
        let newest = newest(client, self.generation, &Filter::default(), 1).await?;
        self.last = newest.iter().filter_map(|line| line.seq).max().unwrap_or(0);
        if tail == 0 {
            return Ok(());
        }
        for line in self::newest(client, self.generation, self.filter, tail).await? {
            self.print(&line)?;
        }
        Ok(())
    }

    /// Prints one stream to its end.
    async fn stream(&mut self) -> anyhow::Result<()> {
        let call = self.context.client.call(Method::GET, preview::path(self.generation, "/logs/stream"));
        let call = self.filter.apply(call);
        let mut stream = call.events(Some(&self.last.to_string())).await?;
        self.heard = Instant::now();
        if std::mem::take(&mut self.told) {
            self.context.console.note("connected again");
        }
        while let Some(event) = stream.next().await? {
            self.heard = Instant::now();
            self.event(&event)?;
        }
        Ok(())
    }

    fn event(&mut self, event: &SseEvent) -> anyhow::Result<()> {
        match event.kind.as_str() {
            "" | "message" | "log" => {}
            "dropped" => {
                let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                let count = data.get("count").map_or_else(|| "some".to_owned(), Value::to_string);
                self.context.console.note(&format!("({count} lines came too fast and were dropped)"));
                return Ok(());
            }
            // State, heartbeats and kinds of the future.
            _ => return Ok(()),
        }
        let mut line = Line::parse(serde_json::from_str(&event.data)?)?;
        line.seq = event.id.as_deref().and_then(|id| id.parse().ok()).or(line.seq);
        if line.seq.is_some_and(|seq| seq <= self.last) {
            return Ok(());
        }
        self.print(&line)
    }

    fn print(&mut self, line: &Line) -> anyhow::Result<()> {
        self.last = self.last.max(line.seq.unwrap_or(0));
        if self.filter.hide_build && line.source == "build" {
            return Ok(());
        }
        Ok(line.print(&self.context.console, self.filter.timestamps)?)
    }

    /// The stream has ended: with the preview, or with the connection?
    async fn is_over(&mut self) -> anyhow::Result<bool> {
        match Glance::of(&self.context.client, self.generation).await {
            Ok(glance) if glance.is_live() => Ok(false),
            Ok(glance) => {
                self.context.console.note(&format!("{} is {}", self.generation, glance.status));
                Ok(true)
            }
            Err(error) if error.status() == Some(404) => {
                self.context.console.note(&format!("{} is gone", self.generation));
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn tell_lost(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.context.console.note("the connection is lost, trying again");
        }
    }
}

impl Filter {
    fn apply<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.query_opt("level", self.level)
            .query_opt("source", self.source.as_deref())
            .query_opt("search", self.search.as_deref())
            .query_opt("since", self.since.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::cli::testing::{broken_sse, context, json_answer, problem, serve, sse};

    fn line(seq: u64) -> Value {
        json!({"seq": seq, "timestamp": "2026-01-31T12:00:00Z", "level": "INFO", "source": "app",
               "message": format!("line {seq}")})
    }

    fn sent(seq: u64) -> String {
        format!("id: {seq}\ndata: {}\n\n", line(seq))
    }

    fn generation() -> GenerationId {
        "g-1".parse().expect("an id")
    }

    #[tokio::test]
    async fn streams_resume_without_gap_or_repeat() {
        let streams = AtomicUsize::new(0);
        let server = serve(move |call| match call.path.rsplit('/').next() {
            Some("logs") if call.query == "limit=1" => json_answer(200, &json!({"logs": [line(3)]})),
            Some("logs") => json_answer(200, &json!({"logs": [line(2), line(3)]})),
            Some("stream") => {
                let last = call.header("last-event-id");
                match streams.fetch_add(1, Ordering::SeqCst) {
                    // Cut in the middle of a line.
                    0 => {
                        assert_eq!(last, "3");
                        broken_sse(&[sent(4).as_str(), "id: 5\ndata: {\"se"])
                    }
                    1 => problem(503, &json!({"detail": "starting"})),
                    2 => {
                        assert_eq!(last, "4");
                        sse(&[
                            sent(4).as_str(),
                            ": beat\n\n",
                            sent(5).as_str(),
                            "event: dropped\ndata: {\"count\":7}\n\n",
                        ])
                    }
                    _ => {
                        assert_eq!(last, "5");
                        sse(&[sent(9).as_str()])
                    }
                }
            }
            _ => {
                let status = if call.seen_before("stream") < 4 { "healthy" } else { "stopped" };
                json_answer(200, &json!({"previewInstanceId": "id", "status": status}))
            }
        })
        .await;
        let (context, out, err) = context(&server, false);
        follow(&context, &generation(), &Filter::default(), 2).await.expect("followed");
        assert_eq!(out.text(), "line 2\nline 3\nline 4\nline 5\nline 9\n");
        assert_eq!(
            err.text(),
            "the connection is lost, trying again\nconnected again\n\
             (7 lines came too fast and were dropped)\ng-1 is stopped\n"
        );
    }

    #[tokio::test]
    async fn a_refusal_ends_it() {
        let server = serve(|call| match call.path.ends_with("/stream") {
            true => problem(403, &json!({"detail": "not yours"})),
            false => json_answer(200, &json!({"logs": []})),
        })
        .await;
        let (context, ..) = context(&server, false);
        let error = follow(&context, &generation(), &Filter::default(), 0).await.expect_err("refused");
        assert_eq!(error.to_string(), "not yours");
        assert_eq!(server.calls()[0].query, "limit=1");
        assert_eq!(server.calls().len(), 2, "no tail was asked for");
    }
}
