//! What a container uses and may use, read from its control groups: a millisecond for dozens
//! of containers, where the engine's own statistics take a second for one.

use std::path::PathBuf;

use super::ContainerProcess;

/// A moment's use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// The working set: without file pages the kernel can drop at once.
    pub memory_bytes: u64,
    /// Since the container started.
    pub cpu_seconds_total: f64,
    /// Processes and threads.
    pub pids: u64,
}

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
    pub fn usage(&self) -> Option<Usage> {
        match Groups::of(self)? {
            Groups::V1(v1) => v1.usage(),
            Groups::V2(v2) => v2.usage(),
        }
    }

    /// `None` when it has ended, or its control groups are not visible here.
    pub fn cgroup_limits(&self) -> Option<CgroupLimits> {
        match Groups::of(self)? {
            Groups::V1(v1) => v1.limits(),
            Groups::V2(v2) => v2.limits(),
        }
    }
}

enum Groups {
    V1(V1),
    V2(V2),
}

/// One hierarchy a controller.
struct V1 {
    memory: PathBuf,
    cpu: PathBuf,
    cpuacct: PathBuf,
    pids: PathBuf,
}

/// One folder for all.
struct V2(PathBuf);

impl Groups {
    /// From `/proc/<pid>/cgroup`: lines of `number:controllers:path`; v2 is `0::path`.
    fn of(process: &ContainerProcess) -> Option<Self> {
        let text = process.read("cgroup")?;
        let entries = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let root = process.cgroup_root();
        let v1 = |controller: &str| {
            let holds = |list: &str| list.split(',').any(|name| name == controller);
            let (_, path) = entries().find(|(list, _)| holds(list))?;
            Some(root.join(controller).join(path.trim_start_matches('/')))
        };
        if let Some(memory) = v1("memory") {
            let (cpu, cpuacct, pids) = (v1("cpu")?, v1("cpuacct")?, v1("pids")?);
            return Some(Self::V1(V1 { memory, cpu, cpuacct, pids }));
        }
        let (_, path) = entries().find(|(list, _)| list.is_empty())?;
        Some(Self::V2(V2(root.join(path.trim_start_matches('/')))))
    }
}

impl V1 {
    fn usage(&self) -> Option<Usage> {
        let memory = number(self.memory.join("memory.usage_in_bytes"))?;
        let idle = field(self.memory.join("memory.stat"), "total_inactive_file").unwrap_or(0);
        Some(Usage {
            memory_bytes: memory.saturating_sub(idle),
            cpu_seconds_total: number(self.cpuacct.join("cpuacct.usage"))? as f64 / 1e9,
            pids: number(self.pids.join("pids.current"))?,
        })
    }

    fn limits(&self) -> Option<CgroupLimits> {
        // "Unlimited" is the largest multiple of a page in an i64.
        let limited = |value: &u64| *value < (1 << 62);
        let memory = number(self.memory.join("memory.limit_in_bytes"))?;
        let with_swap = number(self.memory.join("memory.memsw.limit_in_bytes")).filter(limited);
        let quota = number(self.cpu.join("cpu.cfs_quota_us")); // -1 is no number of ours
        let period = number(self.cpu.join("cpu.cfs_period_us")).filter(|period| *period > 0);
        Some(CgroupLimits {
            memory_bytes: Some(memory).filter(limited),
            swap_bytes: with_swap.map(|both| both.saturating_sub(memory)),
            cpus: quota.zip(period).map(|(quota, period)| quota as f64 / period as f64),
            pids: number(self.pids.join("pids.max")),
        })
    }
}

impl V2 {
    fn usage(&self) -> Option<Usage> {
        let memory = number(self.0.join("memory.current"))?;
        let idle = field(self.0.join("memory.stat"), "inactive_file").unwrap_or(0);
        Some(Usage {
            memory_bytes: memory.saturating_sub(idle),
            cpu_seconds_total: field(self.0.join("cpu.stat"), "usage_usec")? as f64 / 1e6,
            pids: number(self.0.join("pids.current"))?,
        })
    }

    fn limits(&self) -> Option<CgroupLimits> {
        let cpu = std::fs::read_to_string(self.0.join("cpu.max")).ok()?;
        let cpus = cpu.trim().split_once(' ').and_then(|(quota, period)| {
            let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
            (period > 0.0).then_some(quota / period)
        });
        Some(CgroupLimits {
            memory_bytes: number(self.0.join("memory.max")),
            swap_bytes: number(self.0.join("memory.swap.max")),
            cpus,
            pids: number(self.0.join("pids.max")),
        })
    }
}

/// A file that holds one number; `None` for words such as `max`.
fn number(file: PathBuf) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// One line of a file of `name value` lines.
fn field(file: PathBuf, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::process::Roots;

    const ID: &str = "4f1c";

    /// Writes files of `(path, text)` as a kernel would show them, for process 7.
    fn recorded(files: &[(&str, &str)]) -> (tempfile::TempDir, ContainerProcess) {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let roots = Roots { proc: dir.path().join("proc"), cgroup: dir.path().join("cgroup") };
        (dir, ContainerProcess::under(roots, ID, 7))
    }

    #[test]
    fn version_2_with_systemd() {
        let scope = "cgroup/system.slice/docker-4f1c.scope";
        let file = |name: &str| format!("{scope}/{name}");
        let (_dir, process) = recorded(&[
            ("proc/7/cgroup", "0::/system.slice/docker-4f1c.scope\n"),
            (&file("memory.current"), "52428800\n"),
            (&file("memory.stat"), "anon 41943040\nfile 9437184\ninactive_anon 1\ninactive_file 2097152\n"),
            (&file("memory.max"), "268435456\n"),
            (&file("memory.swap.max"), "0\n"),
            (&file("cpu.stat"), "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n"),
            (&file("cpu.max"), "50000 100000\n"),
            (&file("pids.current"), "9\n"),
            (&file("pids.max"), "256\n"),
        ]);
        let usage = Usage { memory_bytes: 50331648, cpu_seconds_total: 1.5, pids: 9 };
        assert_eq!(process.usage(), Some(usage));
        let limits = CgroupLimits {
            memory_bytes: Some(268435456),
            swap_bytes: Some(0),
            cpus: Some(0.5),
            pids: Some(256),
        };
        assert_eq!(process.cgroup_limits(), Some(limits));
    }

    #[test]
    fn version_2_without_limits() {
        let (_dir, process) = recorded(&[
            ("proc/7/cgroup", "0::/docker/4f1c\n"),
            ("cgroup/docker/4f1c/memory.max", "max\n"),
            ("cgroup/docker/4f1c/memory.swap.max", "max\n"),
            ("cgroup/docker/4f1c/cpu.max", "max 100000\n"),
            ("cgroup/docker/4f1c/pids.max", "max\n"),
        ]);
        assert_eq!(process.cgroup_limits(), Some(CgroupLimits::default()));
    }

    #[test]
    fn version_1() {
        let (_dir, process) = recorded(&[
            (
                "proc/7/cgroup",
                "5:pids:/docker/4f1c\n4:cpu,cpuacct:/docker/4f1c\n3:memory:/docker/4f1c\n\
                 1:name=systemd:/docker/4f1c\n0::/docker/4f1c\n",
            ),
            ("cgroup/memory/docker/4f1c/memory.usage_in_bytes", "52428800"),
            ("cgroup/memory/docker/4f1c/memory.stat", "inactive_file 1\ntotal_inactive_file 2097152\n"),
            ("cgroup/memory/docker/4f1c/memory.limit_in_bytes", "268435456"),
            ("cgroup/memory/docker/4f1c/memory.memsw.limit_in_bytes", "268435456"),
            ("cgroup/cpuacct/docker/4f1c/cpuacct.usage", "1500000000"),
            ("cgroup/cpu/docker/4f1c/cpu.cfs_quota_us", "-1"),
            ("cgroup/cpu/docker/4f1c/cpu.cfs_period_us", "100000"),
            ("cgroup/pids/docker/4f1c/pids.current", "9"),
            ("cgroup/pids/docker/4f1c/pids.max", "max"),
        ]);
        let usage = Usage { memory_bytes: 50331648, cpu_seconds_total: 1.5, pids: 9 };
        assert_eq!(process.usage(), Some(usage));
        let limits =
            CgroupLimits { memory_bytes: Some(268435456), swap_bytes: Some(0), cpus: None, pids: None };
        assert_eq!(process.cgroup_limits(), Some(limits));
    }

    #[test]
    fn a_process_that_is_not_the_containers_any_more_is_not_looked_at() {
        let (_dir, process) = recorded(&[
            ("proc/7/cgroup", "0::/user.slice\n"),
            ("cgroup/user.slice/memory.current", "1\n"),
            ("cgroup/user.slice/cpu.stat", "usage_usec 1\n"),
            ("cgroup/user.slice/pids.current", "1\n"),
        ]);
        assert_eq!(process.usage(), None);
    }
}
