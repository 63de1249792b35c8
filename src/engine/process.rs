//! The first process of a container, seen from this host.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process id that is looked at only while it still is the container's: in a container of
/// our own, or after an exit, the number may be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerProcess {
    container: String,
    pid: u32,
    roots: Roots,
}

/// Where the kernel shows itself; tests put recorded trees there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roots {
    pub proc: PathBuf,
    pub cgroup: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), cgroup: "/sys/fs/cgroup".into() }
    }
}

impl ContainerProcess {
    pub(super) fn new(container: &str, pid: u32) -> Self {
        Self::under(Roots::default(), container, pid)
    }

    pub(super) fn under(roots: Roots, container: &str, pid: u32) -> Self {
        Self { container: container.to_owned(), pid, roots }
    }

    /// In the engine's process namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// False once it has ended, and where the engine's processes are not visible here.
    pub fn is_there(&self) -> bool {
        self.read("comm").is_some()
    }

    /// Everything it has started, and so on, that still runs. Empty where the engine's processes
    /// are not visible here.
    pub fn descendants(&self) -> BTreeSet<u32> {
        const MOST: usize = 512;
        let mut found = BTreeSet::new();
        let mut next = if self.is_there() { self.children(self.pid) } else { Vec::new() };
        while let Some(pid) = next.pop() {
            if found.len() < MOST && found.insert(pid) {
                next.extend(self.children(pid));
            }
        }
        found
    }

    fn children(&self, pid: u32) -> Vec<u32> {
        let file = self.roots.proc.join(format!("{pid}/task/{pid}/children"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
    }

    /// The one it has started, where it is an init that has started nothing else.
    pub fn main(&self) -> Option<u32> {
        self.children(self.pid).first().copied().filter(|_| self.is_there())
    }

    /// Whether that goes by this name, as the kernel keeps it: 15 bytes.
    pub fn main_is_called(&self, name: &str) -> bool {
        let comm = |pid: u32| std::fs::read_to_string(self.roots.proc.join(format!("{pid}/comm")));
        self.main().is_some_and(|pid| comm(pid).is_ok_and(|comm| comm.trim_end() == name))
    }

    /// Sends that one a signal, by its number.
    ///
    /// Fails where it has ended, and where this daemon may not: the engine may.
    pub fn signal_main(&self, number: u8) -> io::Result<()> {
        let signal = Signal::from_named_raw(number.into()).ok_or(io::ErrorKind::InvalidInput)?;
        let pid = self.main().ok_or(io::ErrorKind::NotFound)?;
        let raw = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::NotFound)?;
        let main = pidfd_open(raw, PidfdFlags::empty())?;
        // Looked at after it is opened: one that has taken the number does not pass.
        if self.main() != Some(pid) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(pidfd_send_signal(&main, signal)?)
    }

    /// Whether its file system is the app's, with the owners it sees. Not so for one that has the app
    /// in a virtual machine, which is a process of this host, and where users are mapped.
    pub(super) fn has_plain_root(&self) -> bool {
        let status = self.read("status").unwrap_or_default();
        let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let ids: Vec<&str> = inside.unwrap_or_default().split_ascii_whitespace().collect();
        let is_first = ids.len() > 1 && ids.last() == Some(&"1");
        let users = self.read("uid_map").unwrap_or_default();
        is_first && users.split_ascii_whitespace().eq(["0", "0", "4294967295"])
    }

    pub(super) fn cgroup_root(&self) -> &Path {
        &self.roots.cgroup
    }

    /// `/proc/PID`.
    pub(super) fn folder(&self) -> PathBuf {
        self.roots.proc.join(self.pid.to_string())
    }

    /// A file of the process under `/proc`; `None` once it is not the container's any more, or
    /// when the engine's processes are not visible here.
    pub(super) fn read(&self, file: &str) -> Option<String> {
        let folder = self.folder();
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        // Looked at after the read: a process that ended in between does not pass.
        let cgroups = std::fs::read_to_string(folder.join("cgroup")).ok()?;
        (!self.container.is_empty() && cgroups.contains(&self.container)).then_some(text)
    }
}
