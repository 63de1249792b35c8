//! Messages to the viewers of a preview that are no lines: figures, health, state.
//!
//! Of such messages only the newest matters. Who comes later is told the last of each kind at
//! once; who is too slow misses the older ones; nothing of it is stored.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use tokio::sync::broadcast;

use crate::domain::{Notice, NoticeContent, PreviewId};

/// Messages a viewer may be behind.
const BEHIND: usize = 16;

/// A handle to the messages of all previews; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    channels: Arc<Mutex<HashMap<PreviewId, Channel>>>,
}

#[derive(Debug)]
struct Channel {
    sender: broadcast::Sender<Arc<Notice>>,
    /// The last of each kind.
    latest: [Option<Arc<Notice>>; NoticeContent::KINDS],
}

/// One viewer's messages.
#[derive(Debug)]
pub struct NoticeReader {
    known: VecDeque<Arc<Notice>>,
    receiver: broadcast::Receiver<Arc<Notice>>,
}

impl Notices {
    /// Tells every viewer, now, without waiting for any of them.
    pub fn publish(&self, preview: PreviewId, content: NoticeContent) {
        let kind = content.kind();
        let notice = Arc::new(Notice { timestamp: Utc::now(), content });
        let mut channels = self.lock();
        let channel = channels.entry(preview).or_insert_with(Channel::new);
        if let Some(latest) = channel.latest.get_mut(kind) {
            *latest = Some(Arc::clone(&notice));
        }
        // An error says that nobody listens.
        let _ = channel.sender.send(notice);
    }

    /// The last message of each kind, then what comes.
    pub fn subscribe(&self, preview: PreviewId) -> NoticeReader {
        let mut channels = self.lock();
        // Left behind by viewers of previews that never said anything.
        channels.retain(|_, channel| channel.is_used());
        let channel = channels.entry(preview).or_insert_with(Channel::new);
        NoticeReader {
            known: channel.latest.iter().flatten().cloned().collect(),
            receiver: channel.sender.subscribe(),
        }
    }

    /// How many viewers a preview has: nobody needs figures every second that nobody sees.
    pub fn viewers(&self, preview: PreviewId) -> usize {
        self.lock().get(&preview).map_or(0, |channel| channel.sender.receiver_count())
    }

    /// The preview is over: readers end once they have read what there is.
    pub fn end(&self, preview: PreviewId) {
        self.lock().remove(&preview);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PreviewId, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn new() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND), latest: [const { None }; NoticeContent::KINDS] }
    }

    fn is_used(&self) -> bool {
        self.sender.receiver_count() > 0 || self.latest.iter().any(Option::is_some)
    }
}

impl NoticeReader {
    /// Whether the first messages say where in its life the preview is.
    pub fn knows_state(&self) -> bool {
        self.known.iter().any(|notice| matches!(notice.content, NoticeContent::State { .. }))
    }

    /// The next message if it is there already.
    pub fn try_recv(&mut self) -> Option<Arc<Notice>> {
        if let Some(known) = self.known.pop_front() {
            return Some(known);
        }
        loop {
            match self.receiver.try_recv() {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next message; `None` when the preview is over. A call that is dropped while it waits
    /// loses nothing.
    pub async fn recv(&mut self) -> Option<Arc<Notice>> {
        if let Some(known) = self.known.pop_front() {
            return Some(known);
        }
        loop {
            match self.receiver.recv().await {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;

    fn state(status: Status) -> NoticeContent {
        NoticeContent::State { status }
    }

    async fn next(reader: &mut NoticeReader) -> Option<NoticeContent> {
        reader.recv().await.map(|notice| notice.content.clone())
    }

    #[tokio::test]
    async fn a_late_viewer_is_told_the_last_of_each_kind_and_all_learn_of_the_end() {
        let (notices, preview) = (Notices::default(), PreviewId::new());
        let mut early = notices.subscribe(preview);
        notices.publish(preview, state(Status::Launching));
        notices.publish(preview, state(Status::Healthy));
        let mut late = notices.subscribe(preview);
        assert_eq!(notices.viewers(preview), 2);
        notices.publish(preview, state(Status::Paused));
        for status in [Status::Launching, Status::Healthy, Status::Paused] {
            assert_eq!(next(&mut early).await, Some(state(status)));
        }
        for status in [Status::Healthy, Status::Paused] {
            assert_eq!(next(&mut late).await, Some(state(status)));
        }
        notices.end(preview);
        assert_eq!((next(&mut early).await, next(&mut late).await), (None, None));
        assert_eq!(notices.viewers(preview), 0);
    }

    #[tokio::test]
    async fn who_is_slow_gets_the_newest_and_holds_up_nobody() {
        let (notices, preview) = (Notices::default(), PreviewId::new());
        let mut slow = notices.subscribe(preview);
        for _ in 0..1000 {
            notices.publish(preview, state(Status::Degraded));
        }
        notices.publish(preview, state(Status::Stopping));
        notices.end(preview);
        let (mut count, mut last) = (0, None);
        while let Some(content) = next(&mut slow).await {
            (count, last) = (count + 1, Some(content));
        }
        assert_eq!((count, last), (BEHIND, Some(state(Status::Stopping))));
    }

    #[test]
    fn viewers_of_the_silent_leave_nothing() {
        let notices = Notices::default();
        for _ in 0..100 {
            drop(notices.subscribe(PreviewId::new()));
        }
        assert_eq!(notices.lock().len(), 1);
    }
}
