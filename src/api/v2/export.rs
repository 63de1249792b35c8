//! A preview's log as a file. However long it is, a page of it is in memory.

use std::io::Write as _;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde::Deserialize;

use super::logs::{filter, opened};
use crate::api::auth::Caller;
use crate::api::extract::{Path, Query};
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned};
use crate::domain::{LogLevel, PreviewId, text};
use crate::streams::{ArchiveError, LogFilter, LogHub, StreamLine};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// `json` (default), `csv` or `gzip`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// This level and worse.
    #[param(value_type = Option<LogLevel>, inline)]
    level: Option<String>,
    /// Any of app, system, build, startup, request, database, error, with commas.
    #[param(value_type = Option<text::Sources>, inline)]
    source: Option<String>,
    /// Text within the message, in any case.
    #[param(max_length = 1000)]
    search: Option<String>,
    /// Lines from this time on, RFC 3339.
    since: Option<DateTime<Utc>>,
    /// Lines before this time, RFC 3339.
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// An array of lines.
    #[default]
    Json,
    /// With a head line: seq, timestamp, level, source, message, metadata, traceId.
    Csv,
    /// The JSON, compressed.
    Gzip,
}

/// The log as a file to keep.
#[utoipa::path(get, path = "/generations/{gid}/preview/logs/export", operation_id = "exportLogs", tag = "previews",
    params(("gid" = String, Path), ExportQuery),
    responses((status = 200, content_type = "application/octet-stream", description = "JSON, CSV or gzip"),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let filter = filter(query.level.as_deref(), query.source.as_deref(), query.search.as_deref())?;
    let filter = LogFilter { since: query.since, until: query.until, ..filter };
    let preview = owned::preview(&state, &caller, &gid).await?;
    opened(&state, &preview).await?;
    let export = Export {
        // What is printed from now on is for the next export: this one has an end.
        to: state.logs.last(preview.id),
        logs: state.logs,
        preview: preview.id,
        filter,
        after: 0,
        file: FileWriter::new(query.format),
        stage: Stage::Begin,
    };
    let (kind, ending) = match query.format {
        Format::Json => ("application/json", "json"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Gzip => ("application/gzip", "json.gz"),
    };
    let name = format!("attachment; filename=\"{}-logs.{ending}\"", preview.generation_id);
    let pieces = stream::try_unfold(export, Export::next);
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, &name), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// A file on its way.
struct Export {
    logs: LogHub,
    preview: PreviewId,
    filter: LogFilter,
    /// Number of the last line written, or passed over.
    after: u64,
    /// Number of the last line there was when it began.
    to: u64,
    file: FileWriter,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Lines,
    Over,
}

impl Export {
    /// The next piece of the file. An archive that fails in the middle cuts the file off, which
    /// the client sees: it is sent in chunks, and the last one is missing.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ArchiveError> {
        loop {
            match self.stage {
                Stage::Begin => {
                    self.file.begin();
                    self.stage = Stage::Lines;
                }
                Stage::Lines => self.lines().await?,
                Stage::Over => return Ok(None),
            }
            let piece = self.file.take();
            if !piece.is_empty() {
                return Ok(Some((piece, self)));
            }
        }
    }

    async fn lines(&mut self) -> Result<(), ArchiveError> {
        let page = match self.after < self.to {
            true => self.logs.page_after(self.preview, &self.filter, self.after).await?,
            false => None,
        };
        match page {
            Some((lines, last)) => {
                let wanted = lines.iter().filter(|line| line.seq <= self.to);
                wanted.for_each(|line| self.file.line(line));
                self.after = last;
            }
            None => {
                self.file.end();
                self.stage = Stage::Over;
            }
        }
        Ok(())
    }
}

/// Words a file of one format into memory, from which it is taken piece by piece.
struct FileWriter {
    format: Format,
    plain: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    is_first: bool,
}

impl FileWriter {
    fn new(format: Format) -> Self {
        let gzip = (format == Format::Gzip).then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Self { format, plain: Vec::new(), gzip, is_first: true }
    }

    fn begin(&mut self) {
        match self.format {
            Format::Csv => self.put(b"seq,timestamp,level,source,message,metadata,traceId\r\n"),
            Format::Json | Format::Gzip => self.put(b"["),
        }
    }

    fn line(&mut self, line: &StreamLine) {
        if self.format == Format::Csv {
            return self.put(csv_row(line).as_bytes());
        }
        self.put(if self.is_first { b"\n" } else { b",\n" });
        self.put(line.json().as_bytes());
        self.is_first = false;
    }

    fn end(&mut self) {
        if self.format != Format::Csv {
            self.put(b"\n]\n");
        }
        // Writing to memory does not fail.
        if let Some(Ok(rest)) = self.gzip.take().map(GzEncoder::finish) {
            self.plain = rest;
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        match &mut self.gzip {
            Some(gzip) => {
                let _ = gzip.write_all(bytes);
            }
            None => self.plain.extend_from_slice(bytes),
        }
    }

    fn take(&mut self) -> Bytes {
        let written = self.gzip.as_mut().map_or(&mut self.plain, GzEncoder::get_mut);
        std::mem::take(written).into()
    }
}

/// RFC 4180: quoted where it must be, quotes doubled.
fn csv_row(line: &StreamLine) -> String {
    let metadata = line.metadata.as_ref().and_then(|data| serde_json::to_string(data).ok());
    let seq = line.seq.to_string();
    let fields = [
        seq.as_str(),
        &line.timestamp.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        line.level.as_str(),
        line.source.as_str(),
        &line.message,
        metadata.as_deref().unwrap_or_default(),
        line.trace_id.as_deref().unwrap_or_default(),
    ];
    let mut row = fields.map(csv_field).join(",");
    row.push_str("\r\n");
    row
}

fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::domain::{LogEntry, LogSource};

    async fn exported(format: Format, messages: &[&str]) -> Vec<u8> {
        let (logs, preview) = (LogHub::new(crate::streams::Config::default()), PreviewId::new());
        let at = "2026-01-02T03:04:05Z".parse().expect("a time");
        let entry = |message: &&str| LogEntry::new(at, LogLevel::Info, LogSource::App, (*message).to_owned());
        logs.append_all(preview, messages.iter().map(entry).collect(), None);
        let filter = LogFilter::default();
        let (to, file) = (logs.last(preview), FileWriter::new(format));
        let mut export = Export { logs, preview, filter, after: 0, to, file, stage: Stage::Begin };
        let mut all = Vec::new();
        while let Some((piece, rest)) = export.next().await.expect("memory") {
            all.extend_from_slice(&piece);
            export = rest;
        }
        all
    }

    #[tokio::test]
    async fn each_format_can_be_read_again() {
        let messages = ["plain", "a \"quoted\", line\nof two", ""];
        let csv = String::from_utf8(exported(Format::Csv, &messages).await).expect("UTF-8");
        assert_eq!(
            csv,
            "seq,timestamp,level,source,message,metadata,traceId\r\n\
             1,2026-01-02T03:04:05Z,INFO,app,plain,,\r\n\
             2,2026-01-02T03:04:05Z,INFO,app,\"a \"\"quoted\"\", line\nof two\",,\r\n\
             3,2026-01-02T03:04:05Z,INFO,app,,,\r\n"
        );
        let json = exported(Format::Json, &messages).await;
        let lines: Vec<crate::domain::LogLine> = serde_json::from_slice(&json).expect("an array");
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), messages);
        let mut unpacked = Vec::new();
        let packed = exported(Format::Gzip, &messages).await;
        GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, json);
    }

    #[tokio::test]
    async fn an_empty_log_is_a_whole_file_too() {
        assert_eq!(exported(Format::Json, &[]).await, b"[\n]\n");
        let mut unpacked = String::new();
        let packed = exported(Format::Gzip, &[]).await;
        GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, "[\n]\n");
    }
}
