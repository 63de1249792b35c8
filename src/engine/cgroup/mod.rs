//! What a container uses and may use, read from its control groups: microseconds a container,
//! where the engine's own statistics take a second.
//!
//! ```text
//! container's pid ──► /proc/PID/cgroup ──► its folders ──► files kept open ──► a reading
//!                └──► /proc/PID/net/dev (its network namespace)
//! ```
//!
//! [`Meter`] keeps the files open and reads them again and again; the kernel answers "no such
//! device" once the group is gone. Version 1 has a folder for each controller, version 2 one for
//! all of them.

mod files;
mod freezer;
mod meter;
mod v1;
mod v2;

use std::path::PathBuf;

use super::ContainerProcess;

pub use freezer::Freezer;
pub use meter::Meter;

/// Limits as the kernel enforces them; `None` is unlimited, or not accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CgroupLimits {
    pub memory_bytes: Option<u64>,
    /// Swap on top of the memory.
    pub swap_bytes: Option<u64>,
    pub cpus: Option<f64>,
    pub pids: Option<u64>,
}

impl ContainerProcess {
    /// `None` when it has ended, or its control groups are not visible here.
    pub fn cgroup_limits(&self) -> Option<CgroupLimits> {
        match Groups::of(self)? {
            Groups::V1(v1) => v1.limits(),
            Groups::V2(v2) => v2.limits(),
        }
    }

    /// Opens what tells of its container's use. `None` when it has ended, or where its control
    /// groups are not visible: then the engine has to be asked.
    pub fn meter(&self) -> Option<Meter> {
        Meter::open(self)
    }
}

enum Groups {
    V1(v1::Folders),
    V2(v2::Folder),
}

impl Groups {
    /// From `/proc/<pid>/cgroup`: lines of `number:controllers:path`; v2 is `0::path`.
    fn of(process: &ContainerProcess) -> Option<Self> {
        let text = process.read("cgroup")?;
        let entries = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let root = process.cgroup_root();
        let v1 = |controller: &str| -> Option<PathBuf> {
            let holds = |list: &str| list.split(',').any(|name| name == controller);
            let (_, path) = entries().find(|(list, _)| holds(list))?;
            Some(root.join(controller).join(path.trim_start_matches('/')))
        };
        if let Some(memory) = v1("memory") {
            let (cpu, cpuacct, pids) = (v1("cpu")?, v1("cpuacct")?, v1("pids")?);
            return Some(Self::V1(v1::Folders { memory, cpu, cpuacct, pids, blkio: v1("blkio") }));
        }
        let (_, path) = entries().find(|(list, _)| list.is_empty())?;
        Some(Self::V2(v2::Folder(root.join(path.trim_start_matches('/')))))
    }
}

/// Recorded trees, as kernels show them.
#[cfg(test)]
pub(super) mod testing {
    use crate::engine::ContainerProcess;
    use crate::engine::process::Roots;

    const ID: &str = "4f1c";

    /// A tree of files, and the process 7 in it.
    pub struct Recorded {
        pub dir: tempfile::TempDir,
        pub process: ContainerProcess,
    }

    impl Recorded {
        /// Of `(path, text)`.
        pub fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let roots = Roots { proc: dir.path().join("proc"), cgroup: dir.path().join("cgroup") };
            let recorded = Self { process: ContainerProcess::under(roots, ID, 7), dir };
            files.iter().for_each(|(path, text)| recorded.write(path, text));
            recorded
        }

        pub fn write(&self, path: &str, text: &str) {
            let path = self.dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Recorded;

    #[test]
    fn a_process_that_is_not_the_containers_any_more_is_not_looked_at() {
        let recorded = Recorded::new(&[
            ("proc/7/cgroup", "0::/user.slice\n"),
            ("cgroup/user.slice/memory.current", "1\n"),
            ("cgroup/user.slice/memory.stat", "anon 1\n"),
            ("cgroup/user.slice/cpu.stat", "usage_usec 1\n"),
            ("cgroup/user.slice/pids.current", "1\n"),
        ]);
        assert!(recorded.process.meter().is_none());
        assert!(recorded.process.cgroup_limits().is_none());
    }
}
