//! A socket to the app, and one request after another over it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hyper::header::TRANSFER_ENCODING;
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;

use super::head::{self, Head};
use crate::ingress::alarm::Alarm;

/// Bytes asked for at first, and at the most when much comes.
const READ: usize = 8 * 1024;
const MOST_READ: usize = 256 * 1024;

#[derive(Debug)]
pub(in crate::ingress) struct DirectConnection {
    socket: TcpStream,
    /// The request's head, of which the first `written` bytes are sent.
    output: Vec<u8>,
    written: usize,
    /// What was read and not yet used.
    pub(super) input: BytesMut,
    /// Bytes to ask for next: more after a read that filled all there was.
    room: usize,
    alarm: Alarm,
}

/// Why no answer came.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of the request had been sent.
    Unsent,
    /// The connection ended, or broke, before an answer.
    Lost,
    /// What is wrong with the answer.
    Garbage(&'static str),
    TimedOut,
}

impl DirectConnection {
    /// The error tells a refusal from a time-out.
    pub(super) async fn open(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let socket = timeout(limit, TcpStream::connect(address)).await??;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            output: Vec::with_capacity(1024),
            written: 0,
            input: BytesMut::new(),
            room: READ,
            alarm: Alarm::default(),
        })
    }

    /// Whether a kept connection can carry a request: the app has not closed it, nor said anything
    /// unasked. It costs a call of the system only when something has happened on it.
    pub(in crate::ingress) fn is_open(&self) -> bool {
        let unasked = self.socket.try_read(&mut [0; 1]);
        self.input.is_empty() && unasked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request without a body and waits for the head of its answer until `deadline`.
    pub(super) async fn ask(&mut self, request: &Parts, deadline: Instant) -> Result<Head, Failure> {
        self.encode(request);
        let is_head = request.method == Method::HEAD;
        poll_fn(|cx| match self.poll_answer(cx, is_head) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending => self.alarm.poll(cx, deadline).map(|()| Err(Failure::TimedOut)),
        })
        .await
    }

    fn encode(&mut self, request: &Parts) {
        self.written = 0;
        let output = &mut self.output;
        output.clear();
        output.extend_from_slice(request.method.as_str().as_bytes());
        output.push(b' ');
        output.extend_from_slice(target(&request.uri).as_bytes());
        output.extend_from_slice(b" HTTP/1.1\r\n");
        // Names and values were parsed: none has a line end in it.
        for (name, value) in &request.headers {
            if name == TRANSFER_ENCODING {
                continue;
            }
            output.extend_from_slice(name.as_str().as_bytes());
            output.extend_from_slice(b": ");
            output.extend_from_slice(value.as_bytes());
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b"\r\n");
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, is_head: bool) -> Poll<Result<Head, Failure>> {
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest)) {
                Ok(sent) if sent > 0 => self.written += sent,
                _ if self.written == 0 => return Poll::Ready(Err(Failure::Unsent)),
                _ => return Poll::Ready(Err(Failure::Lost)),
            }
        }
        loop {
            if !self.input.is_empty() {
                match head::take(&mut self.input, is_head) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(wrong) => return Poll::Ready(Err(Failure::Garbage(wrong))),
                }
            }
            if !matches!(ready!(self.poll_fill(cx)), Ok(read) if read > 0) {
                return Poll::Ready(Err(Failure::Lost));
            }
        }
    }

    /// Reads what there is; 0 bytes are the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.room);
        let room = self.input.capacity() - self.input.len();
        let read = ready!(poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.input))?;
        // A body that comes in small pieces stays in small ones.
        self.room = match read {
            _ if read == room => (room * 2).min(MOST_READ),
            _ if read < room / 4 => (self.room / 2).max(READ),
            _ => self.room,
        };
        Poll::Ready(Ok(read))
    }

    /// Keeps no more memory than the next head needs.
    pub(super) fn rest(&mut self) {
        self.room = READ;
        if self.input.capacity() > 2 * READ {
            self.input = BytesMut::new();
        }
    }
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}
