//! Version 2: one folder for all controllers.

use std::path::PathBuf;

use super::CgroupLimits;
use super::files::{Buffer, Kept, field, number};
use crate::domain::{BlockCounters, Counters};

/// A container's folder.
pub(super) struct Folder(pub PathBuf);

#[derive(Debug)]
pub(super) struct Files {
    memory: Kept,
    memory_stat: Kept,
    memory_limit: Option<Kept>,
    memory_events: Option<Kept>,
    cpu_stat: Kept,
    pids: Kept,
    io: Option<Kept>,
}

impl Folder {
    pub(super) fn limits(&self) -> Option<CgroupLimits> {
        let cpu = std::fs::read_to_string(self.0.join("cpu.max")).ok()?;
        let cpus = cpu.trim().split_once(' ').and_then(|(quota, period)| {
            let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
            (period > 0.0).then_some(quota / period)
        });
        Some(CgroupLimits {
            memory_bytes: number(&self.0.join("memory.max")),
            swap_bytes: number(&self.0.join("memory.swap.max")),
            cpus,
            pids: number(&self.0.join("pids.max")),
        })
    }

    pub(super) fn open(&self) -> Option<Files> {
        let open = |name: &str| Kept::open(&self.0.join(name));
        Some(Files {
            memory: open("memory.current")?,
            memory_stat: open("memory.stat")?,
            memory_limit: open("memory.max"),
            memory_events: open("memory.events"),
            cpu_stat: open("cpu.stat")?,
            pids: open("pids.current")?,
            io: open("io.stat"),
        })
    }
}

impl Files {
    /// `None` once the container is gone.
    pub(super) fn read(&self, buffer: &mut Buffer) -> Option<Counters> {
        let memory_bytes = self.memory.number(buffer)?;
        let stat = self.memory_stat.text(buffer)?;
        let inactive = field(stat, "inactive_file");
        let (rss_bytes, cache_bytes) = (field(stat, "anon"), field(stat, "file"));
        let memory_limit_bytes = self.memory_limit.as_ref().and_then(|file| file.number(buffer));
        let events = self.memory_events.as_ref().and_then(|file| file.text(buffer));
        let oom_kills = events.map_or(0, |text| field(text, "oom_kill"));
        let cpu = self.cpu_stat.text(buffer)?;
        let seconds = |name: &str| field(cpu, name) as f64 / 1e6;
        let (cpu_seconds, cpu_throttled_seconds) = (seconds("usage_usec"), seconds("throttled_usec"));
        let (cpu_periods, cpu_throttled_periods) = (field(cpu, "nr_periods"), field(cpu, "nr_throttled"));
        Some(Counters {
            cpu_seconds,
            cpu_periods,
            cpu_throttled_periods,
            cpu_throttled_seconds,
            memory_bytes,
            working_set_bytes: memory_bytes.saturating_sub(inactive),
            rss_bytes,
            cache_bytes,
            memory_limit_bytes,
            oom_kills,
            pids: self.pids.number(buffer)?,
            network: None,
            block: self.io.as_ref().and_then(|file| file.text(buffer)).map(block),
        })
    }
}

/// Sums over devices of lines such as `254:0 rbytes=4096 wbytes=0 rios=1 wios=0`.
fn block(text: &str) -> BlockCounters {
    let sum = |name: &str| {
        let words = text.split_ascii_whitespace();
        words.filter_map(|word| word.strip_prefix(name)?.parse::<u64>().ok()).sum()
    };
    BlockCounters {
        read_bytes: sum("rbytes="),
        written_bytes: sum("wbytes="),
        reads: sum("rios="),
        writes: sum("wios="),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cgroup::testing::Recorded;

    /// Of a systemd host, with this text in `/proc/7/cgroup`.
    fn tree(cgroup: &str) -> Recorded {
        let recorded = Recorded::new(&[("proc/7/cgroup", cgroup)]);
        for (name, text) in [
            ("memory.current", "52428800\n"),
            ("memory.stat", "anon 41943040\nfile 9437184\ninactive_anon 1\ninactive_file 2097152\n"),
            ("memory.max", "268435456\n"),
            ("memory.swap.max", "0\n"),
            ("memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 0\n"),
            (
                "cpu.stat",
                "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 40\nnr_throttled 10\n\
                 throttled_usec 2500000\n",
            ),
            ("cpu.max", "50000 100000\n"),
            ("pids.current", "9\n"),
            ("pids.max", "256\n"),
            (
                "io.stat",
                "254:0 rbytes=4096 wbytes=100 rios=2 wios=5 dbytes=0 dios=0\n8:0 rbytes=4 wbytes=6 rios=1 wios=1\n",
            ),
        ] {
            recorded.write(&format!("cgroup/system.slice/docker-4f1c.scope/{name}"), text);
        }
        recorded
    }

    #[test]
    fn a_recorded_tree_with_systemd() {
        let recorded = tree("0::/system.slice/docker-4f1c.scope\n");
        let counters = Counters {
            cpu_seconds: 1.5,
            cpu_periods: 40,
            cpu_throttled_periods: 10,
            cpu_throttled_seconds: 2.5,
            memory_bytes: 52428800,
            working_set_bytes: 50331648,
            rss_bytes: 41943040,
            cache_bytes: 9437184,
            memory_limit_bytes: Some(268435456),
            oom_kills: 2,
            pids: 9,
            network: None,
            block: Some(BlockCounters { read_bytes: 4100, written_bytes: 106, reads: 3, writes: 6 }),
        };
        assert_eq!(recorded.process.meter().and_then(|meter| meter.read()), Some(counters));
        let limits = CgroupLimits {
            memory_bytes: Some(268435456),
            swap_bytes: Some(0),
            cpus: Some(0.5),
            pids: Some(256),
        };
        assert_eq!(recorded.process.cgroup_limits(), Some(limits));
    }

    #[test]
    fn a_tree_without_limits_and_without_block_devices() {
        let recorded = Recorded::new(&[
            ("proc/7/cgroup", "0::/docker/4f1c\n"),
            ("cgroup/docker/4f1c/memory.current", "10\n"),
            ("cgroup/docker/4f1c/memory.stat", "anon 10\n"),
            ("cgroup/docker/4f1c/cpu.stat", "usage_usec 1\n"),
            ("cgroup/docker/4f1c/pids.current", "1\n"),
            ("cgroup/docker/4f1c/memory.max", "max\n"),
            ("cgroup/docker/4f1c/memory.swap.max", "max\n"),
            ("cgroup/docker/4f1c/cpu.max", "max 100000\n"),
            ("cgroup/docker/4f1c/pids.max", "max\n"),
        ]);
        assert_eq!(recorded.process.cgroup_limits(), Some(CgroupLimits::default()));
        let read = recorded.process.meter().and_then(|meter| meter.read()).expect("readable");
        assert_eq!((read.memory_limit_bytes, read.block, read.cpu_periods), (None, None, 0));
    }
}
