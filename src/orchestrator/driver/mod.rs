//! The task that owns one preview.
//!
//! Every change of a preview's state happens here, one after the other. Requests come through a
//! bounded queue and are accepted, ignored or denied by [`queue::decide`]; facts (a container
//! that ended, an answer of the health endpoint) come the same way.
//!
//! ```text
//!            ┌──── restart, asked for or after ───┐
//!            │         the app has ended         │
//!            ▼                                   │
//!  launch ─► BringUp ── answers ──► Serve ───────┘ ◄──► asleep
//!               │  └ ahead ─► Park ──┤  │
//!               │   adopt (restart   │  │ stop, expiry, ends for good
//!               │   of the daemon) ──┘  ▼
//!               └── stop, failure ──► End: nothing of the preview is left
//! ```
//!
//! Changed files ([`patch`]) lead from Serve to Serve. When the daemon goes, the task ends where it is and the container stays; the next start
//! adopts it.

mod adopt;
mod behind;
mod bring_up;
mod clock;
mod database;
mod exit;
mod follow;
mod frost;
mod idle;
mod life;
mod origin;
mod park;
mod patch;
mod ready;
mod recover;
mod reload;
mod serve;
mod shed;
mod tear_down;
mod warm;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub(super) use frost::TELL_AT_ONCE;
pub(super) use life::Life;
pub(super) use park::{CLAIM_TAKES, Claim, Claimed};
pub(super) use patch::Patching;
pub use patch::{PatchError, Patched};
pub(super) use ready::{Listening, where_it_listens};

use super::health::Answer;
use super::queue::{self, Ask, Denial, Verdict};
use crate::domain::{EventType, Failure, Preview, Status};

/// How many messages may wait for a driver before senders wait.
pub(super) const INBOX: usize = 64;

/// What a driver is told.
pub(super) enum Message {
    Ask(Ask, oneshot::Sender<Reply>),
    /// Files to be put in place of others.
    Patch(Box<Patching>),
    /// Something happened to the container: look at it.
    Look,
    /// What the health endpoint said.
    Probed(Answer),
    /// A launch wants the preview that was made ahead of it.
    Claim(Box<Claim>, oneshot::Sender<Claimed>),
    /// A visitor waits for a preview that sleeps.
    Wake,
    /// What is wrong with its database, when something is.
    Database(Option<String>),
    /// It has written so many bytes, which are too many.
    Overfull(u64),
    /// What came of the image that was made while it runs from its environment; true when it was
    /// compared with that.
    Imaged(Result<bool, String>),
}

impl Message {
    const fn is_stop(&self) -> bool {
        matches!(self, Self::Ask(Ask::Stop, _))
    }

    /// Somebody waits for an answer.
    const fn is_asked(&self) -> bool {
        matches!(self, Self::Ask(..) | Self::Patch(_))
    }
}

/// The answer to a request: done or under way, illegal, or tried and failed.
pub(super) type Reply = Result<(), Refusal>;

#[derive(Debug)]
pub(super) enum Refusal {
    Denied(Denial),
    Failed(String),
}

/// Where a driver begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// A new preview: nothing of it exists.
    Launch,
    /// A preview whose launch an earlier run of the daemon did not finish.
    Relaunch,
    /// A preview that an earlier run left serving or paused.
    Adopt,
    /// A preview that an earlier run was taking down.
    Stop,
}

/// How a preview ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Stopped,
    Expired,
    /// Nobody used it for as long as its session allows.
    Idle,
    Failed(Failure),
}

enum Phase {
    Lead(Way),
    Serve,
    /// Ready ahead of its launch.
    Park,
    End(Ending),
    /// The daemon goes, the preview stays.
    Detach,
}

/// How a preview comes to serve.
enum Way {
    /// From an image to an answer; the event says what it was for.
    BringUp(EventType),
    /// Its container is there already.
    Adopt,
    /// From an image to an answer, after a pause: its app ended or hung.
    Again { after: Duration },
    /// Serving as it is, and then with other files.
    Patch(Box<Patching>),
}

pub(super) struct Driver {
    pub life: Life,
    pub inbox: mpsc::Receiver<Message>,
    /// What came while the preview was being adopted or given other files: heard once it serves.
    pub held: VecDeque<Message>,
}

/// Why the way did not end in a preview that serves.
enum Interrupt {
    /// Stop, or the daemon goes.
    Asked,
    Trouble(Failure),
}

impl Driver {
    pub(super) async fn run(mut self, begin: Begin) {
        self.life.is_fresh = begin == Begin::Launch;
        if !self.life.is_fresh {
            self.life.open_log().await;
            self.life.load_overlay().await;
        }
        self.life.bound_log();
        self.life.guard_log();
        let mut phase = match begin {
            Begin::Launch | Begin::Relaunch => Phase::Lead(Way::BringUp(EventType::Started)),
            Begin::Adopt => Phase::Lead(Way::Adopt),
            // A failure that was being cleared away is still one.
            Begin::Stop => {
                Phase::End(self.life.preview.failure.clone().map_or(Ending::Stopped, Ending::Failed))
            }
        };
        loop {
            phase = match phase {
                Phase::Lead(way) => self.lead(way).await,
                Phase::Serve => self.serve().await,
                Phase::Park => self.park().await,
                Phase::End(ending) => return self.end(ending).await,
                Phase::Detach => return,
            };
        }
    }

    /// Leads to a preview that serves, while the inbox is heard: stop interrupts at the next
    /// safe point, and so does the daemon's going.
    async fn lead(&mut self, way: Way) -> Phase {
        let interrupt = CancellationToken::new();
        let (is_recovery, is_adoption) = (matches!(way, Way::Again { .. }), matches!(way, Way::Adopt));
        let is_patch = matches!(way, Way::Patch(_));
        let shutdown = self.life.parts.shutdown.clone();
        let view = self.life.view.clone();
        let mut overfull = None;
        let outcome = {
            let work = self.life.follow(way, &interrupt);
            tokio::pin!(work);
            loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    Some(message) = self.inbox.recv() => {
                        if let Message::Overfull(bytes) = message {
                            overfull = Some(bytes);
                            interrupt.cancel();
                            continue;
                        }
                        // One that shows itself serving is heard in a moment.
                        let goes_on = is_patch || shows_serving(&view.borrow());
                        let waits = is_adoption || message.is_asked() && goes_on;
                        if waits && !message.is_stop() && self.held.len() < INBOX {
                            self.held.push_back(message);
                        } else if hear_while_busy(message, &view) {
                            interrupt.cancel();
                        }
                    }
                    () = shutdown.cancelled(), if !interrupt.is_cancelled() => interrupt.cancel(),
                }
            }
        };
        let is_stopping = view.borrow().status == Status::Stopping;
        if let (Err(Interrupt::Asked), Some(bytes), false) = (&outcome, overfull, is_stopping) {
            return self.life.too_much(bytes);
        }
        match outcome {
            _ if is_stopping => Phase::End(Ending::Stopped),
            Ok(()) if self.life.preview.parked_until.is_some() => Phase::Park,
            Ok(()) => Phase::Serve,
            Err(Interrupt::Asked) => Phase::Detach,
            Err(Interrupt::Trouble(failure)) if is_recovery => self.life.recover(failure).await,
            Err(Interrupt::Trouble(failure)) => Phase::End(Ending::Failed(failure)),
        }
    }

    /// Takes the preview down, answering late requests meanwhile.
    async fn end(mut self, ending: Ending) {
        let view = self.life.view.clone();
        let work = self.life.tear_down(ending);
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => return,
                Some(message) = self.inbox.recv() => {
                    hear_while_busy(message, &view);
                }
            }
        }
    }
}

/// Whoever reads it will ask it as one that serves.
fn shows_serving(preview: &Preview) -> bool {
    preview.status.is_serving() && preview.parked_until.is_none()
}

/// Why nothing can be done now.
const fn busy_with(status: Status) -> Denial {
    match status {
        Status::Stopping => Denial::Stopping,
        Status::Stopped | Status::Failed => Denial::Ended,
        // Whatever it was before, it is being brought up or adopted now.
        _ => Denial::StillLaunching,
    }
}

/// Answers a request that comes while the preview is on its way up or down. True when the way
/// must be left: somebody asked to stop.
fn hear_while_busy(message: Message, view: &life::View) -> bool {
    let status = view.borrow().status;
    let (ask, reply) = match message {
        Message::Ask(ask, reply) => (ask, reply),
        Message::Patch(patching) => {
            let denied = busy_with(status);
            let _ = patching.reply.send(Err(denied.into()));
            return false;
        }
        _ => return false,
    };
    let verdict = match (ask, status) {
        (Ask::Stop, _) => queue::decide(status, ask, 0),
        _ => Verdict::Deny(busy_with(status)),
    };
    let stops = verdict == Verdict::Accept;
    if stops {
        view.send_modify(|preview| preview.status = Status::Stopping);
    }
    let answer = match verdict {
        Verdict::Accept | Verdict::Redundant => Ok(()),
        Verdict::Deny(denial) => Err(Refusal::Denied(denial)),
    };
    // A caller that went away needs no answer.
    let _ = reply.send(answer);
    stops
}
