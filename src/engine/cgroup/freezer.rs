//! The switch that freezes a container's processes, turned without the engine: microseconds where
//! its call takes ten milliseconds.
//!
//! The engine does not learn of it. Whoever turns it owes the engine a call that leaves both of
//! one mind again.

use std::io;
use std::path::PathBuf;

use crate::engine::ContainerProcess;

/// A container's own; it is gone with the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freezer {
    file: PathBuf,
    frozen: &'static str,
    thawed: &'static str,
}

impl ContainerProcess {
    /// `None` when it has ended, or its control groups are not visible here.
    pub fn freezer(&self) -> Option<Freezer> {
        let text = self.read("cgroup")?;
        let entries = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let root = self.cgroup_root();
        if let Some((_, path)) = entries().find(|(list, _)| list.split(',').any(|name| name == "freezer")) {
            let file = root.join("freezer").join(path.trim_start_matches('/')).join("freezer.state");
            return Some(Freezer { file, frozen: "FROZEN", thawed: "THAWED" });
        }
        let (_, path) = entries().find(|(list, _)| list.is_empty())?;
        let file = root.join(path.trim_start_matches('/')).join("cgroup.freeze");
        Some(Freezer { file, frozen: "1", thawed: "0" })
    }
}

impl Freezer {
    /// `None` when the container is gone. One that is still freezing is frozen.
    pub fn is_frozen(&self) -> Option<bool> {
        let state = std::fs::read_to_string(&self.file).ok()?;
        Some(state.trim() != self.thawed)
    }

    /// Fails when the container is gone, and for a user who may not write there.
    pub fn freeze(&self) -> io::Result<()> {
        self.write(self.frozen)
    }

    /// The same.
    pub fn thaw(&self) -> io::Result<()> {
        self.write(self.thawed)
    }

    /// Never makes the file: a group that is gone stays gone.
    fn write(&self, word: &str) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).open(&self.file)?;
        io::Write::write_all(&mut file, word.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::cgroup::testing::Recorded;

    #[test]
    fn both_versions_have_their_words() {
        for (groups, file, frozen, thawed) in [
            (
                "5:freezer:/docker/4f1c\n3:memory:/docker/4f1c\n",
                "cgroup/freezer/docker/4f1c/freezer.state",
                "FROZEN",
                "THAWED",
            ),
            ("0::/docker/4f1c\n", "cgroup/docker/4f1c/cgroup.freeze", "1", "0"),
        ] {
            let recorded = Recorded::new(&[("proc/7/cgroup", groups), (file, &format!("{frozen}\n"))]);
            let freezer = recorded.process.freezer().expect("a freezer");
            assert_eq!(freezer.is_frozen(), Some(true));
            freezer.thaw().expect("written");
            recorded.write(file, &format!("{thawed}\n"));
            assert_eq!(freezer.is_frozen(), Some(false));
            std::fs::remove_file(recorded.dir.path().join(file)).expect("removed");
            assert_eq!(freezer.is_frozen(), None);
            assert!(freezer.freeze().is_err(), "a group that is gone is not made again");
        }
    }
}
