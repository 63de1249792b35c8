//! The open files of one container, and a reading of all of them.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open, openat};

use super::files::Buffer;
use super::{Groups, v1, v2};
use crate::domain::{Counters, NetworkCounters};
use crate::engine::ContainerProcess;

/// Reads what a container uses, as often as one likes: some ten microseconds a reading.
#[derive(Debug)]
pub struct Meter {
    groups: Files,
    /// `/proc/PID` of the container's first process, opened while it was the container's: a
    /// number that is given to another process later does not lead there.
    process: Option<OwnedFd>,
}

#[derive(Debug)]
enum Files {
    V1(v1::Files),
    V2(v2::Files),
}

impl Meter {
    pub(super) fn open(process: &ContainerProcess) -> Option<Self> {
        let folder = open(process.folder(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        // After the folder is held: then it is known to be the container's.
        let groups = match Groups::of(process)? {
            Groups::V1(folders) => Files::V1(folders.open()?),
            Groups::V2(folder) => Files::V2(folder.open()?),
        };
        let meter = Self { groups, process: folder };
        meter.read().is_some().then_some(meter)
    }

    /// `None` once the container has ended. Blocks, but only on the kernel's memory.
    pub fn read(&self) -> Option<Counters> {
        let mut buffer = Buffer::new();
        let counters = match &self.groups {
            Files::V1(files) => files.read(&mut buffer)?,
            Files::V2(files) => files.read(&mut buffer)?,
        };
        Some(Counters { network: self.network(), ..counters })
    }

    /// Opened anew each time: an open file of a network namespace would keep the namespace, and
    /// with it the container's interface, beyond the container's end.
    fn network(&self) -> Option<NetworkCounters> {
        let process = self.process.as_ref()?;
        let file = openat(process, "net/dev", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = String::with_capacity(1024);
        File::from(file).read_to_string(&mut text).ok()?;
        Some(interfaces(&text))
    }
}

/// Sums over the interfaces of `/proc/PID/net/dev`: two lines of head, then
/// `name: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop …`.
fn interfaces(text: &str) -> NetworkCounters {
    let mut sum = NetworkCounters::default();
    for line in text.lines().skip(2) {
        let Some((name, numbers)) = line.split_once(':') else { continue };
        if name.trim() == "lo" {
            continue;
        }
        let mut at = [0_u64; 12];
        for (place, word) in at.iter_mut().zip(numbers.split_ascii_whitespace()) {
            *place = word.parse().unwrap_or(0);
        }
        sum.received_bytes += at[0];
        sum.received_packets += at[1];
        sum.sent_bytes += at[8];
        sum.sent_packets += at[9];
        sum.dropped_packets += at[3] + at[11];
    }
    sum
}
