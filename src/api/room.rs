//! Room in memory for the bodies of uploads: so much for all of them, and of that a part for each
//! user.
//!
//! A body beyond the small ones is read when there is room for the whole of it: for the length it
//! says it has, else for the longest that is taken. The room is held until the call is answered,
//! and by whatever goes on with the body when its client has gone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::auth::Caller;
use super::problem::ApiError;
use super::{AppState, SMALL_BODY, v2};
use crate::domain::{Present, UserId};

#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// `PREVIEW_API_BODIES_MB`, default 512: bodies of uploads in memory at once, MiB; those of one
    /// user fill a quarter of it at most.
    pub bytes: usize,
    /// How long a body waits for room; no setting.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { bytes: 512 * 1024 * 1024, patience: Duration::from_secs(10) }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Room {
    /// A permit is a byte.
    whole: Arc<Semaphore>,
    /// The parts of those who hold some or wait for it.
    users: Arc<Present<Semaphore>>,
    share: usize,
    patience: Duration,
}

/// Room for one body, given back when the last of its clones is dropped.
#[derive(Clone)]
pub struct Held {
    _permits: Arc<[OwnedSemaphorePermit; 2]>,
}

/// Has a body wait until there is room for it.
pub async fn hold(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let Some((user, bytes)) = wanted(&state.config, &request) else { return next.run(request).await };
    let held = match state.room.take(&user, bytes).await {
        Ok(held) => held,
        Err(refusal) => return refusal.into_response(),
    };
    request.extensions_mut().insert(held.clone());
    let response = next.run(request).await;
    drop(held);
    response
}

/// The longest body that a call may have, bytes: those that put files are uploads.
pub fn longest(config: &super::Config, method: &Method) -> usize {
    match *method {
        Method::PUT | Method::PATCH => v2::largest_upload(config),
        _ => SMALL_BODY,
    }
}

/// Computes with a body off the threads that serve sockets. That goes on when nobody waits for it
/// any more, and so does the room it has.
pub async fn within<T: Send + 'static>(
    held: Option<Held>,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let work = move || {
        let _held = held;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.to_string()))?
}

/// Who needs room for a body, and how much; nobody for a small one.
fn wanted(config: &super::Config, request: &Request) -> Option<(UserId, usize)> {
    let limit = longest(config, request.method());
    let bytes = declared(request.headers()).unwrap_or(limit).min(limit);
    let caller = request.extensions().get::<Caller>().filter(|_| bytes > SMALL_BODY)?;
    // Whose token it is: one who acts for others could name any of them.
    Some((caller.by.clone(), bytes))
}

/// How long a body says it is. What comes in chunks is as long as it is, whatever it says beside.
fn declared(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(CONTENT_LENGTH).filter(|_| !headers.contains_key(TRANSFER_ENCODING))?;
    length.to_str().ok()?.parse().ok()
}

impl Room {
    pub fn new(config: &super::Config) -> Self {
        let Config { bytes, patience } = config.room;
        // However little there is, the largest upload fits.
        let share = (bytes / 4).max(v2::largest_upload(config));
        Self::of(bytes.max(share), share, patience)
    }

    fn of(whole: usize, share: usize, patience: Duration) -> Self {
        Self { whole: Arc::new(Semaphore::new(whole)), users: Arc::default(), share, patience }
    }

    async fn take(&self, user: &UserId, bytes: usize) -> Result<Held, ApiError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let until = Instant::now() + self.patience;
        let own = self.users.of(user, || Semaphore::new(self.share));
        // In this order: who waits for room of their own keeps none from the others.
        let own = timeout_at(until, own.acquire_many_owned(bytes)).await;
        let Ok(Ok(own)) = own else {
            let reason =
                "uploads of yours fill the memory that one user's may; wait for their end".to_owned();
            return Err(ApiError::Quota { reason, retry_after: 5 });
        };
        let of_all = timeout_at(until, Arc::clone(&self.whole).acquire_many_owned(bytes)).await;
        let Ok(Ok(of_all)) = of_all else {
            let reason = "uploads fill the memory that there is for them".to_owned();
            return Err(ApiError::Unavailable { code: "overloaded", reason, retry_after: 5 });
        };
        Ok(Held { _permits: Arc::new([own, of_all]) })
    }
}

impl Held {
    /// That of a request's body, where it needed any.
    pub fn of(request: &Request) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::poll;

    use super::*;
    use crate::api::auth::Role;
    use crate::domain::UserTier;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a name")
    }

    #[tokio::test]
    async fn each_has_a_part_and_all_together_the_whole() {
        let room = Room::of(800, 200, Duration::from_millis(20));
        let (ann, eve) = (user("ann"), user("eve"));
        let mut held = vec![
            room.take(&ann, 150).await.expect("room"),
            room.take(&ann, 50).await.expect("as much as there is"),
        ];
        assert!(matches!(room.take(&ann, 1).await, Err(ApiError::Quota { .. })));
        for name in ["ben", "bob", "cat"] {
            held.push(room.take(&user(name), 200).await.expect("others have theirs"));
        }
        let full = room.take(&eve, 1).await;
        assert!(matches!(full, Err(ApiError::Unavailable { code: "overloaded", .. })));
        drop(held);
        let _all = room.take(&eve, 200).await.expect("given back");
        assert_eq!(room.whole.available_permits(), 600);
    }

    #[tokio::test]
    async fn room_is_waited_for_until_the_last_who_has_it_lets_go() {
        let room = Room::of(800, 200, Duration::from_secs(60));
        let ann = user("ann");
        let held = room.take(&ann, 200).await.expect("room");
        let worked_with = Some(held.clone());
        let mut next = Box::pin(room.take(&ann, 200));
        assert!(poll!(&mut next).is_pending());
        drop(held);
        assert!(poll!(&mut next).is_pending());
        let failed = within::<()>(worked_with, || Err(ApiError::NoRoute)).await;
        assert!(matches!(failed, Err(ApiError::NoRoute)));
        drop(next.await.expect("room"));
    }

    #[test]
    fn a_body_counts_by_its_length_or_by_the_longest_there_may_be() {
        let config = crate::api::Config::default();
        let most = v2::largest_upload(&config);
        let request = |method: Method, headers: &[(&str, &str)]| {
            let request = Request::builder().method(method);
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.body(Body::empty()).expect("a request")
        };
        let of = |method, headers: &[(&str, &str)]| {
            let mut request = request(method, headers);
            request.extensions_mut().insert(Caller::person(user("ann"), Role::User, UserTier::Pro));
            wanted(&config, &request).map(|(_, bytes)| bytes)
        };
        let chunked = ("transfer-encoding", "chunked");
        assert_eq!(of(Method::PUT, &[("content-length", "2000000")]), Some(2_000_000));
        assert_eq!(of(Method::PATCH, &[("content-length", "1048576")]), None, "small");
        assert_eq!(of(Method::PUT, &[("content-length", "99999999999")]), Some(most), "no more is read");
        assert_eq!(of(Method::PUT, &[chunked]), Some(most));
        assert_eq!(of(Method::PUT, &[("content-length", "5"), chunked]), Some(most));
        assert_eq!(of(Method::POST, &[chunked]), None, "none of these is long");
        assert!(wanted(&config, &request(Method::PUT, &[chunked])).is_none(), "nobody gets so far");
    }
}
