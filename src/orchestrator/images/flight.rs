//! Equal builds at once are one build.
//!
//! Everyone who wants an image holds a [`Seat`] in its flight. The flight's task builds; when the
//! last seat is given up before it lands, the build is cancelled in the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::ImageError;
use super::build_log::BuildLog;

/// How a build ended.
pub type Landing = Result<BuiltImage, ImageError>;

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    pub tag: String,
    /// It was there before anyone asked.
    pub cached: bool,
}

/// One build under way. Clones share it without holding a seat.
#[derive(Debug, Clone)]
pub struct Flight {
    pub log: BuildLog,
    pub cancelled: CancellationToken,
    seats: Arc<AtomicUsize>,
    landed: watch::Receiver<Option<Landing>>,
}

/// The right to the result. Dropping the last one cancels the build.
#[derive(Debug)]
pub struct Seat {
    flight: Flight,
}

impl Flight {
    /// A flight and the end its task reports to.
    pub fn new() -> (Self, watch::Sender<Option<Landing>>) {
        let (sender, landed) = watch::channel(None);
        let flight = Self {
            log: BuildLog::default(),
            cancelled: CancellationToken::new(),
            seats: Arc::default(),
            landed,
        };
        (flight, sender)
    }

    /// A seat, unless the build was already given up.
    pub fn board(&self) -> Option<Seat> {
        self.seats.fetch_add(1, Ordering::AcqRel);
        let seat = Seat { flight: self.clone() };
        (!self.cancelled.is_cancelled()).then_some(seat)
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.seats, &other.seats)
    }

    /// Not yet ended.
    pub fn is_flying(&self) -> bool {
        self.landed.borrow().is_none() && !self.cancelled.is_cancelled()
    }

    pub fn landing(&self) -> Option<Landing> {
        self.landed.borrow().clone()
    }
}

impl Seat {
    pub const fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Waits for the build to end.
    pub async fn landed(&self) -> Landing {
        let mut landed = self.flight.landed.clone();
        match landed.wait_for(Option::is_some).await {
            Ok(landing) => landing.clone().unwrap_or(Err(ImageError::Cancelled)),
            // The task ended without a word: the daemon is shutting down.
            Err(_) => Err(ImageError::Cancelled),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.flight.seats.fetch_sub(1, Ordering::AcqRel) == 1 && self.flight.landed.borrow().is_none() {
            self.flight.cancelled.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_seats_get_the_one_result() {
        let (flight, lands) = Flight::new();
        let (one, two) = (flight.board().expect("a seat"), flight.board().expect("a seat"));
        let image = BuiltImage { tag: "t".into(), cached: false };
        lands.send_replace(Some(Ok(image.clone())));
        assert_eq!(one.landed().await.expect("built"), image);
        assert_eq!(two.landed().await.expect("built"), image);
    }

    #[test]
    fn the_last_one_out_cancels_and_nobody_boards_a_cancelled_flight() {
        let (flight, _lands) = Flight::new();
        let (one, two) = (flight.board().expect("a seat"), flight.board().expect("a seat"));
        drop(one);
        assert!(flight.is_flying());
        drop(two);
        assert!(!flight.is_flying());
        assert!(flight.board().is_none());
    }
}
