//! One reader of one preview's lines: its place among them, and what it missed.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::archive::Archive;
use super::pace::Place;
use super::stream::LogStream;
use super::{StreamLine, Totals};
use crate::domain::PreviewId;

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the line after this number. What is no longer kept is reported as dropped; a number
    /// that no line has had yet comes from another log, and counts as 0.
    After(u64),
    /// With the newest so many lines that are kept in memory.
    Newest(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    Line(Arc<StreamLine>),
    /// The lines `from_seq` to `to_seq`, `count` of them, were lost to this reader.
    Dropped {
        count: u64,
        from_seq: u64,
        to_seq: u64,
    },
    /// The last event: the preview will have no more lines.
    Ended,
}

/// Where older lines than those in memory are.
#[derive(Debug, Clone)]
pub(super) struct Older {
    pub archive: Arc<dyn Archive>,
    pub preview: PreviewId,
}

/// Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    stream: Arc<LogStream>,
    changes: watch::Receiver<()>,
    place: Arc<Place>,
    totals: Arc<Totals>,
    /// `None` when there is none, or it has no more that could be asked for.
    older: Option<Older>,
    /// Taken, not yet handed out: one lock for many lines.
    taken: VecDeque<Arc<StreamLine>>,
    /// Number of the next line to take.
    next: u64,
    /// Number of the newest line at the time of subscribing. Up to it the reader is served what
    /// it asked for, and its being behind is no slowness.
    backfill_to: u64,
    /// Lines it may be behind after that.
    max_behind: u64,
    ended: bool,
}

/// What looking at the ring came to.
enum Look {
    Event(LogEvent),
    /// Lines were taken.
    Taken,
    /// The next line is no longer in memory.
    Older,
    Nothing,
}

impl Subscription {
    /// Lines taken at once.
    const TAKE: usize = 128;

    pub(super) fn new(
        stream: Arc<LogStream>,
        start: Start,
        max_behind: usize,
        totals: Arc<Totals>,
        older: Option<Older>,
    ) -> Self {
        let changes = stream.watch();
        let (next, backfill_to, max_kept) = {
            let ring = stream.lock();
            let next = match start {
                Start::After(seq) if seq <= ring.last() => seq + 1,
                Start::After(_) => 1,
                Start::Newest(n) => ring.first().max((ring.last() + 1).saturating_sub(n as u64)),
            };
            (next, ring.last(), ring.max_lines())
        };
        let max_behind = max_behind as u64;
        let may_lag = if next > backfill_to { max_behind } else { max_kept };
        let place = stream.viewers().enter(next, may_lag);
        Self {
            stream,
            changes,
            place,
            totals,
            older,
            taken: VecDeque::new(),
            next,
            backfill_to,
            max_behind,
            ended: false,
        }
    }

    /// Waits for the next event; `None` after [`LogEvent::Ended`]. A call that is dropped while
    /// it waits loses nothing.
    pub async fn recv(&mut self) -> Option<LogEvent> {
        loop {
            // Seen before looking, so that what comes after the look wakes us.
            self.changes.mark_unchanged();
            if self.ended {
                return None;
            }
            if let Some(line) = self.taken.pop_front() {
                return Some(LogEvent::Line(line));
            }
            match self.look() {
                Look::Event(event) => return Some(event),
                Look::Taken => continue,
                Look::Older => match self.fetch().await {
                    Some(event) => return Some(event),
                    None => continue,
                },
                Look::Nothing => {}
            }
            if self.changes.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The next event if it is there already. Lines that are no longer in memory are for
    /// [`Subscription::recv`].
    pub fn try_recv(&mut self) -> Option<LogEvent> {
        if self.taken.is_empty()
            && !self.ended
            && let Look::Event(event) = self.look()
        {
            return Some(event);
        }
        self.taken.pop_front().map(LogEvent::Line)
    }

    /// Number of the last line handed out or reported lost.
    pub fn last_seen(&self) -> u64 {
        self.taken.front().map_or(self.next, |line| line.seq) - 1
    }

    /// The subscription as a `Stream` that ends after [`LogEvent::Ended`].
    pub fn into_stream(self) -> impl Stream<Item = LogEvent> + Send {
        stream::unfold(self, |mut subscription| async {
            let event = subscription.recv().await?;
            Some((event, subscription))
        })
    }

    /// Takes what is next from memory, or says what there is to say first.
    fn look(&mut self) -> Look {
        let ring = self.stream.lock();
        if self.next < ring.first() && self.next <= self.backfill_to && self.older.is_some() {
            return Look::Older;
        }
        let mut from = self.next.max(ring.first());
        if from > self.backfill_to {
            from = from.max((ring.last() + 1).saturating_sub(self.max_behind));
        }
        if from > self.next {
            drop(ring);
            return Look::Event(self.dropped_up_to(from));
        }
        let lines = ring.after(self.next - 1, Self::TAKE);
        let (last, is_over) = (ring.last(), ring.ended());
        drop(ring);
        if !lines.is_empty() {
            self.take(lines, last);
            return Look::Taken;
        }
        if is_over {
            self.ended = true;
            return Look::Event(LogEvent::Ended);
        }
        Look::Nothing
    }

    fn take(&mut self, lines: Vec<Arc<StreamLine>>, last: u64) {
        self.next += lines.len() as u64;
        self.taken = lines.into();
        if self.next > self.backfill_to {
            self.place.may_lag(self.max_behind);
        }
        self.place.is_at(self.next, last);
        self.stream.viewers().took();
    }

    /// Reports everything before `from` as lost.
    fn dropped_up_to(&mut self, from: u64) -> LogEvent {
        let (from_seq, to_seq) = (self.next, from - 1);
        self.next = from;
        let count = to_seq - from_seq + 1;
        self.totals.dropped(count);
        LogEvent::Dropped { count, from_seq, to_seq }
    }

    /// Takes a page from the archive; an event when lines before it are lost.
    async fn fetch(&mut self) -> Option<LogEvent> {
        let Older { archive, preview } = self.older.clone()?;
        let lines = archive.after(preview, self.next - 1, Self::TAKE).await.unwrap_or_else(|error| {
            tracing::warn!(%error, %preview, "older lines of a log could not be read");
            Vec::new()
        });
        let Some(first) = lines.first().map(|line| line.seq) else {
            self.older = None;
            return None;
        };
        let lost = (first > self.next).then(|| self.dropped_up_to(first));
        // Up to the first hole, which the next look reports.
        let whole = (first..).zip(lines).take_while(|(seq, line)| line.seq == *seq);
        let lines: Vec<_> = whole.map(|(_, line)| Arc::new(StreamLine::new(line))).collect();
        let last = self.stream.lock().last();
        self.take(lines, last);
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::Utc;
    use futures_util::StreamExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{LogLevel, LogSource, PreviewId};
    use crate::streams::{Config, LogHub};

    fn hub(lines: usize, subscriber_lines: usize) -> LogHub {
        LogHub::new(Config { lines, subscriber_lines, ..Config::default() })
    }

    fn say(hub: &LogHub, preview: PreviewId, n: u64) {
        for _ in 0..n {
            hub.append(preview, Utc::now(), LogLevel::Info, LogSource::App, "x");
        }
    }

    fn drain(subscription: &mut Subscription) -> Vec<LogEvent> {
        std::iter::from_fn(|| subscription.try_recv()).collect()
    }

    fn seqs(events: &[LogEvent]) -> Vec<u64> {
        events
            .iter()
            .map(|event| match event {
                LogEvent::Line(line) => line.seq,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn it_begins_where_it_was_asked_to() {
        let hub = hub(5, 100);
        let preview = PreviewId::new();
        say(&hub, preview, 8);
        let from = |start| drain(&mut hub.subscribe(preview, start));
        assert_eq!(seqs(&from(Start::Newest(2))), [7, 8]);
        assert_eq!(seqs(&from(Start::Newest(99))), [4, 5, 6, 7, 8], "asking for all loses nothing");
        assert_eq!(from(Start::Newest(0)), []);
        assert_eq!(seqs(&from(Start::After(6))), [7, 8]);
        assert_eq!(from(Start::After(8)), []);
        for start in [Start::After(0), Start::After(9), Start::After(u64::MAX)] {
            let events = from(start);
            assert_eq!(events[0], LogEvent::Dropped { count: 3, from_seq: 1, to_seq: 3 }, "{start:?}");
            assert_eq!(seqs(&events[1..]), [4, 5, 6, 7, 8], "{start:?}");
        }
    }

    #[test]
    fn a_backfill_longer_than_the_bound_is_no_slowness_but_being_behind_later_is() {
        let hub = hub(1000, 10);
        let preview = PreviewId::new();
        say(&hub, preview, 300);
        let mut reader = hub.subscribe(preview, Start::After(0));
        say(&hub, preview, 200);
        let events = drain(&mut reader);
        let dropped = events.iter().position(|event| matches!(event, LogEvent::Dropped { .. }));
        let dropped = dropped.expect("it was 200 behind");
        assert!(seqs(&events[..dropped]).starts_with(&(1..=300).collect::<Vec<_>>()));
        assert_eq!(seqs(&events[dropped + 1..]), (491..=500).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn it_is_woken_by_lines_and_by_the_end() {
        let hub = hub(100, 100);
        let preview = PreviewId::new();
        let reader = hub.subscribe(preview, Start::Newest(10));
        let reader = tokio::spawn(reader.into_stream().collect::<Vec<_>>());
        for _ in 0..20 {
            say(&hub, preview, 1);
            tokio::task::yield_now().await;
        }
        hub.end(preview);
        let events =
            tokio::time::timeout(Duration::from_secs(10), reader).await.expect("ends").expect("ends");
        let (last, lines) = events.split_last().expect("events");
        assert_eq!(*last, LogEvent::Ended);
        assert_eq!(seqs(lines), (1..=20).collect::<Vec<_>>());

        let mut late = hub.subscribe(preview, Start::After(19));
        assert_eq!(seqs(&[late.recv().await.expect("a line")]), [20]);
        assert_eq!(late.recv().await, Some(LogEvent::Ended));
        assert_eq!(late.recv().await, None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_writers_and_readers_at_once_account_for_every_line() {
        let hub = hub(500, 50);
        let preview = PreviewId::new();
        let readers: Vec<_> = (0..8)
            .map(|i| {
                let mut reader = hub.subscribe(preview, Start::After(0));
                tokio::spawn(async move {
                    let mut account = Account::from(1);
                    while let Some(event) = reader.recv().await {
                        account.book(&event).expect("contiguous");
                        if i % 2 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                    (account.next, account.ended)
                })
            })
            .collect();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let hub = hub.clone();
                tokio::task::spawn_blocking(move || say(&hub, preview, 5000))
            })
            .collect();
        for writer in writers {
            writer.await.expect("writes");
        }
        hub.end(preview);
        for reader in readers {
            assert_eq!(reader.await.expect("reads"), (20_001, true));
        }
    }

    /// Checks that every line is either seen or reported lost, once and in order.
    struct Account {
        next: u64,
        ended: bool,
    }

    impl Account {
        fn from(next: u64) -> Self {
            Self { next, ended: false }
        }

        fn book(&mut self, event: &LogEvent) -> Result<(), String> {
            let wrong = Err(format!("{event:?} where {} was next", self.next));
            if self.ended {
                return wrong;
            }
            match event {
                LogEvent::Line(line) if line.seq == self.next => self.next += 1,
                LogEvent::Dropped { count, from_seq, to_seq }
                    if *from_seq == self.next && from_seq <= to_seq && *count == to_seq - from_seq + 1 =>
                {
                    self.next = to_seq + 1;
                }
                LogEvent::Ended => self.ended = true,
                _ => return wrong,
            }
            Ok(())
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Append(u64),
        Subscribe(Start),
        Read { reader: usize, events: usize },
        Leave { reader: usize },
        End,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            5 => (0..400_u64).prop_map(Act::Append),
            2 => (0..600_u64).prop_map(|seq| Act::Subscribe(Start::After(seq))),
            1 => (0..600_usize).prop_map(|n| Act::Subscribe(Start::Newest(n))),
            6 => (0..8_usize, 0..300_usize).prop_map(|(reader, events)| Act::Read { reader, events }),
            1 => (0..8_usize).prop_map(|reader| Act::Leave { reader }),
            1 => Just(Act::End),
        ]
    }

    /// Where a subscription made now has to begin.
    fn expected_start(start: Start, last: u64, kept: u64) -> u64 {
        match start {
            Start::After(seq) if seq <= last => seq + 1,
            Start::After(_) => 1,
            Start::Newest(n) => last + 1 - kept.min(n as u64),
        }
    }

    proptest! {
        #[test]
        fn every_interleaving_accounts_for_every_line(
            acts in prop::collection::vec(act(), 1..60),
            lines in 1..300_usize,
            behind in 1..300_usize,
        ) {
            let hub = hub(lines, behind);
            let preview = PreviewId::new();
            let (mut last, mut over) = (0, false);
            let mut readers: Vec<(Subscription, Account)> = Vec::new();
            for act in acts {
                match act {
                    Act::Append(n) => {
                        say(&hub, preview, n);
                        if !over {
                            last += n;
                        }
                    }
                    Act::Subscribe(start) => {
                        let first = expected_start(start, last, last.min(lines as u64));
                        readers.push((hub.subscribe(preview, start), Account::from(first)));
                    }
                    Act::Read { reader, events } => {
                        if let Some((subscription, account)) = readers.get_mut(reader) {
                            for event in std::iter::from_fn(|| subscription.try_recv()).take(events) {
                                account.book(&event).map_err(TestCaseError::fail)?;
                            }
                        }
                    }
                    Act::Leave { reader } if reader < readers.len() => drop(readers.swap_remove(reader)),
                    Act::Leave { .. } => {}
                    Act::End => {
                        hub.end(preview);
                        over = true;
                    }
                }
            }
            hub.end(preview);
            for (subscription, account) in &mut readers {
                for event in drain(subscription) {
                    account.book(&event).map_err(TestCaseError::fail)?;
                }
                prop_assert_eq!((account.next, account.ended), (last + 1, true));
            }
        }
    }
}
