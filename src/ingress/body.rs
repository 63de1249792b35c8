//! Bodies on their way through: never held, only watched.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::direct::DirectBody;
use super::record::Record;
use super::visit::Visit;

/// The body of an answer: the app's, streamed, or a page of our own.
pub struct Body {
    content: Content,
    /// Of our own, behind what the app says.
    tail: Option<Bytes>,
    /// Accounts for the answer when it ends, or when nobody wants the rest.
    record: Option<Box<Record>>,
}

enum Content {
    App(Answered),
    Page(Option<Bytes>),
    /// Of our own, as it comes.
    Stream(UnsyncBoxBody<Bytes, hyper::Error>),
}

/// The body of an app's answer.
pub(super) enum Answered {
    /// Over a connection of the general client.
    General(Incoming),
    /// Straight from the socket.
    Direct(DirectBody),
}

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    General(#[from] hyper::Error),
    #[error(transparent)]
    Direct(#[from] std::io::Error),
}

impl Body {
    pub(super) fn upstream(body: Answered, record: Box<Record>) -> Self {
        let mut body = Self { content: Content::App(body), tail: None, record: Some(record) };
        if body.is_end_stream() {
            body.end();
        }
        body
    }

    pub(super) fn page(text: String) -> Self {
        Self { content: Content::Page(Some(text.into())), tail: None, record: None }
    }

    pub(super) fn empty() -> Self {
        Self { content: Content::Page(None), tail: None, record: None }
    }

    /// Pieces of our own, until there are no more.
    pub(super) fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let body = StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync();
        Self { content: Content::Stream(body), tail: None, record: None }
    }

    /// Adds something behind the last byte. A length that the head says is the caller's concern.
    pub(super) fn follow_with(&mut self, tail: Bytes) {
        self.tail = Some(tail);
    }

    fn end(&mut self) {
        if let Some(mut record) = self.record.take() {
            if let Content::App(Answered::Direct(body)) = &mut self.content
                && let Some((connection, address)) = body.spare()
            {
                record.spare(connection, address);
            }
            record.end();
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let body = match &mut this.content {
            Content::Page(page) => {
                let page = page.take().or_else(|| this.tail.take());
                return Poll::Ready(page.map(|page| Ok(Frame::data(page))));
            }
            Content::Stream(body) => return Pin::new(body).poll_frame(cx).map_err(BodyError::from),
            Content::App(body) => body,
        };
        // It has ended, all but what follows it.
        if this.record.is_none() && this.tail.is_some() && body.is_end_stream() {
            return Poll::Ready(this.tail.take().map(|tail| Ok(Frame::data(tail))));
        }
        let frame = ready!(body.poll_frame(cx));
        let is_last = body.is_end_stream();
        match (&frame, &mut this.record) {
            (Some(Ok(frame)), Some(record)) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
            (Some(Err(_)), Some(record)) => record.broke_off(),
            _ => {}
        }
        if frame.is_none() || is_last {
            this.end();
        }
        // Nothing can follow trailers, so what follows the body goes in their place.
        let is_over = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        match is_over.then(|| this.tail.take()).flatten() {
            Some(tail) => Poll::Ready(Some(Ok(Frame::data(tail)))),
            None => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.tail.is_some() {
            return false;
        }
        match &self.content {
            Content::App(body) => body.is_end_stream(),
            Content::Page(page) => page.is_none(),
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let hint = match &self.content {
            Content::App(body) => body.size_hint(),
            Content::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, Bytes::len) as u64),
            Content::Stream(body) => body.size_hint(),
        };
        let Some(tail) = &self.tail else { return hint };
        let more = tail.len() as u64;
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + more),
            None => SizeHint::default(),
        }
    }
}

impl Answered {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::General(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Direct(body) => body.poll_data(cx).map_ok(Frame::data).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::General(body) => body.is_end_stream(),
            Self::Direct(body) => body.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::General(body) => body.size_hint(),
            Self::Direct(body) => body.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a request on its way to the app.
pub(super) enum Outbound {
    Empty,
    /// One that is in memory, from a call inside.
    Whole(Option<Bytes>),
    /// A visitor's, streamed.
    Streamed(Box<Streamed>),
}

pub(super) struct Streamed {
    body: Source,
    meter: Arc<Meter>,
    visit: Arc<Visit>,
}

enum Source {
    Incoming(Incoming),
    Other(UnsyncBoxBody<Bytes, BoxError>),
}

/// How far a streamed request has come, for whoever waits for its answer.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    /// Microseconds from `began` to the latest bytes.
    latest: AtomicU64,
    bytes: AtomicU64,
    ended: AtomicBool,
    failed: AtomicBool,
}

impl Outbound {
    pub(super) fn incoming(body: Incoming, visit: &Arc<Visit>) -> Self {
        match body.is_end_stream() {
            true => Self::Empty,
            false => Self::streamed(Source::Incoming(body), visit),
        }
    }

    pub(super) fn other<B>(body: B, visit: &Arc<Visit>) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match body.is_end_stream() {
            true => Self::Empty,
            false => Self::streamed(Source::Other(body.map_err(Into::into).boxed_unsync()), visit),
        }
    }

    pub(super) fn whole(body: Bytes) -> Self {
        match body.is_empty() {
            true => Self::Empty,
            false => Self::Whole(Some(body)),
        }
    }

    fn streamed(body: Source, visit: &Arc<Visit>) -> Self {
        let meter = Arc::new(Meter {
            began: Instant::now(),
            latest: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        });
        Self::Streamed(Box::new(Streamed { body, meter, visit: visit.clone() }))
    }

    pub(super) fn meter(&self) -> Option<Arc<Meter>> {
        match self {
            Self::Streamed(streamed) => Some(streamed.meter.clone()),
            Self::Empty | Self::Whole(_) => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl HttpBody for Outbound {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Streamed(streamed) => streamed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(body) => body.is_none(),
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Self::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(match &mut self.body {
            Source::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Source::Other(body) => Pin::new(body).poll_frame(cx),
        });
        match &frame {
            Some(Ok(frame)) => self.received(frame.data_ref().map_or(0, Buf::remaining)),
            Some(Err(_)) => self.meter.failed.store(true, Relaxed),
            None => {}
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.meter.ended.store(true, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn received(&self, bytes: usize) {
        self.meter.bytes.fetch_add(bytes as u64, Relaxed);
        self.meter.latest.store(self.meter.began.elapsed().as_micros() as u64, Relaxed);
        self.visit.gate.tally.received(bytes as u64);
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}

impl Meter {
    pub(super) fn latest(&self) -> Instant {
        self.began + std::time::Duration::from_micros(self.latest.load(Relaxed))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }
}
