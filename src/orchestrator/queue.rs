//! What may be asked of a preview in which state. Pure: the driver asks here before it acts.
//!
//! A request is accepted, ignored because it is already so, or denied with the reason. Stop is
//! legal in every state.

use crate::domain::Status;

/// What a caller, the clock or the recovery asks of one preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Stop,
    Restart,
    Pause,
    Resume,
    /// More time before the session ends, in seconds.
    Extend(u64),
    /// A launch takes a preview that was made ahead of it.
    Claim,
    /// The host is short of memory: the container goes, and comes back with the next visitor.
    Shed,
    /// The database goes back to its migrated and seeded state, and the app starts anew on it.
    Reset,
    /// Files are put in place of others; which, its message carries.
    Patch,
    /// The preview token ends, and another takes its place; the app notices nothing.
    RenewToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Nothing to do: the answer is that of an accepted request.
    Redundant,
    Deny(Denial),
}

/// Why a request is illegal now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("the preview is still launching; wait until it is healthy")]
    StillLaunching,
    #[error("the preview is being stopped")]
    Stopping,
    #[error("the preview has ended; launch it again")]
    Ended,
    #[error("the preview is made ahead of its launch; launch it")]
    Parked,
    #[error("the preview is not waiting for its launch")]
    NotParked,
    #[error("the preview is in use, or has nothing to give back")]
    InUse,
    #[error("the session was extended as often as it may be")]
    NoExtensionsLeft,
}

/// The rule. `extensions_left` counts how often the session may still be extended.
pub fn decide(status: Status, ask: Ask, extensions_left: u32) -> Verdict {
    use Status::*;
    use Verdict::*;
    match (ask, status) {
        (Ask::Stop, Stopped | Failed | Stopping) => Redundant,
        (Ask::Stop, _) => Accept,
        (_, Stopping) => Deny(Denial::Stopping),
        (_, Stopped | Failed) => Deny(Denial::Ended),
        (Ask::Claim, Parked) => Accept,
        (Ask::Claim, _) => Deny(Denial::NotParked),
        (_, Parked) => Deny(Denial::Parked),
        (Ask::Extend(_), _) if extensions_left == 0 => Deny(Denial::NoExtensionsLeft),
        (Ask::Extend(_), _) => Accept,
        (_, Launching) => Deny(Denial::StillLaunching),
        (Ask::Restart | Ask::Reset | Ask::Shed | Ask::Patch | Ask::RenewToken, _) => Accept,
        (Ask::Resume, Running | Healthy | Degraded | Unhealthy) => Redundant,
        (Ask::Pause | Ask::Resume, _) => Accept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 10] = [
        Status::Launching,
        Status::Running,
        Status::Healthy,
        Status::Degraded,
        Status::Unhealthy,
        Status::Paused,
        Status::Parked,
        Status::Stopping,
        Status::Stopped,
        Status::Failed,
    ];
    const ASKS: [Ask; 10] = [
        Ask::Stop,
        Ask::Restart,
        Ask::Pause,
        Ask::Resume,
        Ask::Extend(60),
        Ask::Reset,
        Ask::Claim,
        Ask::Shed,
        Ask::Patch,
        Ask::RenewToken,
    ];

    #[test]
    fn stop_is_legal_in_every_state() {
        for status in ALL {
            assert!(!matches!(decide(status, Ask::Stop, 0), Verdict::Deny(_)), "{status:?}");
        }
    }

    #[test]
    fn nothing_but_stop_is_accepted_once_a_preview_has_ended() {
        for status in ALL.into_iter().filter(|status| !status.is_live()) {
            for ask in ASKS {
                assert_ne!(decide(status, ask, 9), Verdict::Accept, "{ask:?} in {status:?}");
            }
        }
    }

    #[test]
    fn only_what_is_parked_is_claimed_and_it_hears_of_nothing_else_but_stop() {
        for status in ALL {
            let is_parked = status == Status::Parked;
            assert_eq!(decide(status, Ask::Claim, 9) == Verdict::Accept, is_parked, "{status:?}");
        }
        for ask in ASKS.into_iter().filter(|ask| !matches!(ask, Ask::Stop | Ask::Claim)) {
            assert_eq!(decide(Status::Parked, ask, 9), Verdict::Deny(Denial::Parked), "{ask:?}");
        }
    }

    #[test]
    fn an_extension_needs_one_left() {
        assert_eq!(decide(Status::Healthy, Ask::Extend(1), 0), Verdict::Deny(Denial::NoExtensionsLeft));
        assert_eq!(decide(Status::Healthy, Ask::Extend(1), 1), Verdict::Accept);
    }
}
