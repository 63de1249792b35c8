//! The body of an answer, read from the app's socket as fast as the visitor takes it.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::connection::DirectConnection;
use super::framing::{Framing, Piece};

#[derive(Debug)]
pub(in crate::ingress) struct DirectBody {
    /// Taken away when it is over.
    connection: Option<DirectConnection>,
    framing: Framing,
    /// It can carry another request once the body is over.
    keeps: bool,
    address: SocketAddr,
    /// Why it broke off, until that is said.
    broke: Option<io::Error>,
}

impl DirectBody {
    pub(super) fn new(
        connection: DirectConnection,
        framing: Framing,
        keeps: bool,
        address: SocketAddr,
    ) -> Self {
        Self { connection: Some(connection), framing, keeps, address, broke: None }
    }

    pub(in crate::ingress) fn is_over(&self) -> bool {
        self.framing.is_over() || self.connection.is_none() && self.broke.is_none()
    }

    /// The bytes that are still to come, where that is known.
    pub(in crate::ingress) fn left(&self) -> Option<u64> {
        self.framing.left()
    }

    pub(in crate::ingress) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(error) = self.broke.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(open) = &mut self.connection else { return Poll::Ready(None) };
        let what = loop {
            match self.framing.next(&mut open.input) {
                Piece::Data(data) => return Poll::Ready(Some(Ok(data))),
                Piece::Over => return Poll::Ready(None),
                Piece::Broken => break io::Error::new(io::ErrorKind::InvalidData, "its chunks are none"),
                Piece::More => match ready!(open.poll_fill(cx)) {
                    Ok(0) if self.framing.ends_with_connection() => {
                        self.connection = None;
                        return Poll::Ready(None);
                    }
                    Ok(0) => break io::ErrorKind::UnexpectedEof.into(),
                    Ok(_) => {}
                    Err(error) => break error,
                },
            }
        };
        self.broke_off(cx, what)
    }

    /// The visitor gets what came before it is cut off too: the error waits for one turn, in which
    /// that is sent.
    fn broke_off(&mut self, cx: &Context<'_>, what: io::Error) -> Poll<Option<io::Result<Bytes>>> {
        self.connection = None;
        self.broke = Some(what);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The connection, once the body is over and it is of further use.
    pub(in crate::ingress) fn spare(&mut self) -> Option<(DirectConnection, SocketAddr)> {
        let is_spare = self.keeps && self.framing.is_over();
        let mut connection = self.connection.take_if(|open| is_spare && open.input.is_empty())?;
        connection.rest();
        Some((connection, self.address))
    }
}
