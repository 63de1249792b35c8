//! A visitor's socket: read under deadlines, followed for ambiguous framing, closed when it stalls.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Config;
use super::alarm::Alarm;
use super::framing::{Framing, Progress};
use super::visit::{Phase, Visit};

/// What hyper reads and writes in place of the bare socket.
///
/// Every wait has an end: for the next request, for the rest of a head (bytes that trickle in do not
/// move that one), for more of a body, and for room to send. All of them share one [`Alarm`].
pub(super) struct ClientStream {
    socket: TcpStream,
    visit: Arc<Visit>,
    framing: Framing,
    reading: Option<ReadWait>,
    sending: Option<Instant>,
    alarm: Alarm,
}

/// A read that is waiting: for what, after how many heads, and until when.
struct ReadWait {
    what: Progress,
    heads: u64,
    /// It is not the visitor's turn. Watched nevertheless, because hyper does not ask again when that
    /// changes; at the end of the wait it begins anew.
    answering: bool,
    until: Instant,
}

impl ClientStream {
    /// The socket has been counted as a connection; dropping this takes it off the count.
    pub(super) fn new(socket: TcpStream, visit: Arc<Visit>) -> Self {
        Self { socket, visit, framing: Framing::new(), reading: None, sending: None, alarm: Alarm::default() }
    }

    fn config(&self) -> &Config {
        &self.visit.gate.shared.config
    }

    fn read_some(&mut self, bytes: &mut [u8]) {
        if self.visit.phase() == Phase::Tunnel {
            return;
        }
        self.framing.inspect(bytes);
        if self.framing.progress() == Progress::Body {
            self.reading = None;
        }
    }

    /// Notes what the read waits for, and since when.
    fn await_read(&mut self) {
        let what = self.framing.progress();
        let heads = self.framing.heads();
        let phase = self.visit.phase();
        let answering = phase == Phase::Answering && what != Progress::Body;
        let limit = match what {
            _ if phase == Phase::Tunnel => {
                self.reading = None;
                return;
            }
            Progress::Body => self.config().body_timeout,
            Progress::Idle if heads > 0 => self.config().keep_alive_timeout,
            Progress::Idle | Progress::Head => self.config().header_timeout,
        };
        let same = |wait: &ReadWait| (wait.what, wait.heads, wait.answering) == (what, heads, answering);
        if !self.reading.as_ref().is_some_and(same) {
            self.reading = Some(ReadWait { what, heads, answering, until: after(limit) });
        }
    }

    fn await_room(&mut self) {
        let limit = self.config().send_timeout;
        self.sending.get_or_insert_with(|| after(limit));
    }

    /// Pending until the earliest of the waits is over, then the error that ends the connection.
    fn poll_waits<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let reading = self.reading.as_ref().map(|wait| wait.until);
            let Some(until) = [reading, self.sending].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            ready!(self.alarm.poll(cx, until));
            let begins_anew = self.reading.as_ref().is_some_and(|wait| wait.answering && wait.until == until);
            if !begins_anew {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.reading = None;
            self.await_read();
        }
    }

    /// After an attempt to send: either it went on, or the wait for room is on.
    fn sent<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.sending = None;
            return outcome;
        }
        self.await_room();
        self.poll_waits(cx)
    }
}

fn after(limit: Duration) -> Instant {
    Instant::now() + limit
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, into) {
            Poll::Ready(Ok(())) => {
                self.read_some(&mut into.filled_mut()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.await_read();
                self.poll_waits(cx)
            }
            error => error,
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.sent(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A single piece is cheaper to send as what it is.
        let outcome = match slices {
            [piece] => Pin::new(&mut self.socket).poll_write(cx, piece),
            _ => Pin::new(&mut self.socket).poll_write_vectored(cx, slices),
        };
        self.sent(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.visit.gate.tally.disconnect();
    }
}
