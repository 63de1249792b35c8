//! Upgraded connections: once the app has agreed, bytes are carried both ways until one side ends.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::gate::{Gate, Member};
use super::headers;
use super::traffic::Tally;
use super::visit::{Phase, Visit};

/// Makes a request ask the app for the protocol its visitor asked for.
pub(super) fn ask(head: &mut Parts, protocol: HeaderValue) {
    speak_of(&mut head.headers, protocol);
}

/// The app has agreed: the answer says so, and once it is sent the tunnel opens.
pub(super) fn dig(visit: &Arc<Visit>, client: OnUpgrade, response: &mut Response<Incoming>) {
    let app = hyper::upgrade::on(&mut *response);
    let status = response.status();
    let protocol = response.headers_mut().remove(header::UPGRADE);
    headers::outward(response.headers_mut(), status);
    if let Some(protocol) = protocol {
        speak_of(response.headers_mut(), protocol);
    }
    visit.enter(Phase::Tunnel);
    let (gate, member) = (visit.gate.clone(), visit.gate.join());
    visit.gate.tasks.spawn(carry(gate, member, client, app));
}

fn speak_of(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::UPGRADE, protocol);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
}

async fn carry(gate: Arc<Gate>, mut member: Member, client: OnUpgrade, app: OnUpgrade) {
    let both_sides = async { tokio::try_join!(client, app) };
    let Ok(Ok((client, app))) = timeout(OPENING, both_sides).await else { return };
    let _open = OpenTunnel::new(&gate.tally);
    tokio::select! {
        () = member.ended() => {}
        () = join(&gate.tally, client, app) => {}
    }
}

/// Carries bytes until both sides have ended, or one has and the other does not follow.
async fn join(tally: &Tally, client: Upgraded, app: Upgraded) {
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_app, to_app) = tokio::io::split(TokioIo::new(app));
    let inward = pump(from_client, to_app, |bytes| tally.received(bytes));
    let outward = pump(from_app, to_client, |bytes| tally.sent(bytes, Instant::now()));
    tokio::pin!(inward, outward);
    // An error means that the tunnel is of no more use: dropping both ends tells both sides.
    tokio::select! {
        ended = &mut inward => if ended.is_ok() { let _ = timeout(LINGER, outward).await; },
        ended = &mut outward => if ended.is_ok() { let _ = timeout(LINGER, inward).await; },
    }
}

async fn pump<R, W>(mut from: R, mut to: W, count: impl Fn(u64)) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; PIECE];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
        count(length as u64);
    }
}

/// Counted for as long as it lives.
struct OpenTunnel<'a>(&'a Tally);

impl<'a> OpenTunnel<'a> {
    fn new(tally: &'a Tally) -> Self {
        tally.open_tunnel();
        Self(tally)
    }
}

impl Drop for OpenTunnel<'_> {
    fn drop(&mut self) {
        self.0.close_tunnel();
    }
}

/// For both sides to become a tunnel once the app has agreed.
const OPENING: Duration = Duration::from_secs(10);
/// For a side to end after the other one has.
const LINGER: Duration = Duration::from_secs(10);
/// Bytes carried at a time.
const PIECE: usize = 16 * 1024;
