//! Version 1: one hierarchy a controller.

use std::path::PathBuf;

use super::CgroupLimits;
use super::files::{Buffer, Kept, field, number};
use crate::domain::{BlockCounters, Counters};

/// A container's folder in each hierarchy.
pub(super) struct Folders {
    pub memory: PathBuf,
    pub cpu: PathBuf,
    pub cpuacct: PathBuf,
    pub pids: PathBuf,
    /// Absent where the kernel does not account for block devices.
    pub blkio: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Files {
    memory: Kept,
    memory_stat: Kept,
    memory_limit: Kept,
    oom: Kept,
    cpu: Kept,
    cpu_stat: Kept,
    pids: Kept,
    block_bytes: Option<Kept>,
    block_operations: Option<Kept>,
}

impl Folders {
    pub(super) fn limits(&self) -> Option<CgroupLimits> {
        let memory = number(&self.memory.join("memory.limit_in_bytes"))?;
        let with_swap =
            number(&self.memory.join("memory.memsw.limit_in_bytes")).filter(|limit| is_limit(*limit));
        let quota = number(&self.cpu.join("cpu.cfs_quota_us")); // -1 is no number of ours
        let period = number(&self.cpu.join("cpu.cfs_period_us")).filter(|period| *period > 0);
        Some(CgroupLimits {
            memory_bytes: Some(memory).filter(|limit| is_limit(*limit)),
            swap_bytes: with_swap.map(|both| both.saturating_sub(memory)),
            cpus: quota.zip(period).map(|(quota, period)| quota as f64 / period as f64),
            pids: number(&self.pids.join("pids.max")),
        })
    }

    pub(super) fn open(&self) -> Option<Files> {
        let block = |name: &str| Kept::open(&self.blkio.as_ref()?.join(name));
        Some(Files {
            memory: Kept::open(&self.memory.join("memory.usage_in_bytes"))?,
            memory_stat: Kept::open(&self.memory.join("memory.stat"))?,
            memory_limit: Kept::open(&self.memory.join("memory.limit_in_bytes"))?,
            oom: Kept::open(&self.memory.join("memory.oom_control"))?,
            cpu: Kept::open(&self.cpuacct.join("cpuacct.usage"))?,
            cpu_stat: Kept::open(&self.cpu.join("cpu.stat"))?,
            pids: Kept::open(&self.pids.join("pids.current"))?,
            block_bytes: block("blkio.throttle.io_service_bytes_recursive"),
            block_operations: block("blkio.throttle.io_serviced_recursive"),
        })
    }
}

impl Files {
    /// `None` once the container is gone.
    pub(super) fn read(&self, buffer: &mut Buffer) -> Option<Counters> {
        let memory_bytes = self.memory.number(buffer)?;
        let stat = self.memory_stat.text(buffer)?;
        let inactive = field(stat, "total_inactive_file");
        let (rss_bytes, cache_bytes) = (field(stat, "total_rss"), field(stat, "total_cache"));
        let memory_limit_bytes = self.memory_limit.number(buffer).filter(|limit| is_limit(*limit));
        let oom_kills = field(self.oom.text(buffer)?, "oom_kill");
        let cpu_seconds = self.cpu.number(buffer)? as f64 / 1e9;
        let cpu = self.cpu_stat.text(buffer)?;
        let cpu_periods = field(cpu, "nr_periods");
        let cpu_throttled_periods = field(cpu, "nr_throttled");
        let cpu_throttled_seconds = field(cpu, "throttled_time") as f64 / 1e9;
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
            block: self.block(buffer),
        })
    }

    fn block(&self, buffer: &mut Buffer) -> Option<BlockCounters> {
        let (read_bytes, written_bytes) = both_ways(self.block_bytes.as_ref()?.text(buffer)?);
        let (reads, writes) = both_ways(self.block_operations.as_ref()?.text(buffer)?);
        Some(BlockCounters { read_bytes, written_bytes, reads, writes })
    }
}

/// "Unlimited" is the largest multiple of a page in an i64.
const fn is_limit(bytes: u64) -> bool {
    bytes < 1 << 62
}

/// Sums over devices of lines such as `8:0 Read 4096`.
fn both_ways(text: &str) -> (u64, u64) {
    let sum = |way: &str| {
        let value = |line: &str| {
            let mut words = line.split_ascii_whitespace().skip(1);
            (words.next()? == way).then_some(())?;
            words.next()?.parse::<u64>().ok()
        };
        text.lines().filter_map(value).sum()
    };
    (sum("Read"), sum("Write"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NetworkCounters;
    use crate::engine::cgroup::testing::Recorded;

    /// Of a container under load on a 6.x kernel, shortened.
    const TREE: [(&str, &str); 15] = [
        (
            "proc/7/cgroup",
            "7:blkio:/docker/4f1c\n5:pids:/docker/4f1c\n4:cpu,cpuacct:/docker/4f1c\n3:memory:/docker/4f1c\n\
             1:name=systemd:/docker/4f1c\n0::/docker/4f1c\n",
        ),
        (
            "proc/7/net/dev",
            "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
             lo:    9000      90    0    0    0     0          0         0     9000      90    0    0    0     0       0          0\n  \
             eth0:    1500      12    0    1    0     0          0         0     700       8    0    2    0     0       0          0\n",
        ),
        ("cgroup/memory/docker/4f1c/memory.usage_in_bytes", "52428800"),
        (
            "cgroup/memory/docker/4f1c/memory.stat",
            "cache 1\nrss 2\ninactive_file 1\ntotal_cache 9437184\ntotal_rss 41943040\ntotal_inactive_file 2097152\n",
        ),
        ("cgroup/memory/docker/4f1c/memory.limit_in_bytes", "268435456"),
        ("cgroup/memory/docker/4f1c/memory.memsw.limit_in_bytes", "268435456"),
        ("cgroup/memory/docker/4f1c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        ("cgroup/cpuacct/docker/4f1c/cpuacct.usage", "1500000000"),
        ("cgroup/cpu/docker/4f1c/cpu.stat", "nr_periods 40\nnr_throttled 10\nthrottled_time 2500000000\n"),
        ("cgroup/cpu/docker/4f1c/cpu.cfs_quota_us", "-1"),
        ("cgroup/cpu/docker/4f1c/cpu.cfs_period_us", "100000"),
        ("cgroup/pids/docker/4f1c/pids.current", "9"),
        ("cgroup/pids/docker/4f1c/pids.max", "max"),
        (
            "cgroup/blkio/docker/4f1c/blkio.throttle.io_service_bytes_recursive",
            "254:0 Read 4096\n254:0 Write 100\n254:0 Sync 4196\n254:0 Total 4196\n8:0 Read 4\n8:0 Write 6\nTotal 4206\n",
        ),
        (
            "cgroup/blkio/docker/4f1c/blkio.throttle.io_serviced_recursive",
            "254:0 Read 2\n254:0 Write 5\nTotal 7\n",
        ),
    ];

    #[test]
    fn a_recorded_tree() {
        let recorded = Recorded::new(&TREE);
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
            oom_kills: 3,
            pids: 9,
            network: Some(NetworkCounters {
                received_bytes: 1500,
                received_packets: 12,
                sent_bytes: 700,
                sent_packets: 8,
                dropped_packets: 3,
            }),
            block: Some(BlockCounters { read_bytes: 4100, written_bytes: 106, reads: 2, writes: 5 }),
        };
        let meter = recorded.process.meter().expect("readable");
        assert_eq!(meter.read(), Some(counters));
        let limits =
            CgroupLimits { memory_bytes: Some(268435456), swap_bytes: Some(0), cpus: None, pids: None };
        assert_eq!(recorded.process.cgroup_limits(), Some(limits));
    }

    #[test]
    fn kept_files_tell_of_every_change() {
        let recorded = Recorded::new(&TREE);
        let meter = recorded.process.meter().expect("readable");
        recorded.write("cgroup/cpuacct/docker/4f1c/cpuacct.usage", "2500000000");
        assert_eq!(meter.read().map(|counters| counters.cpu_seconds), Some(2.5));
    }

    #[test]
    fn without_accounting_for_block_devices_the_rest_is_told() {
        let without = TREE.iter().filter(|(path, _)| !path.contains("blkio"));
        let recorded = Recorded::new(&without.copied().collect::<Vec<_>>());
        recorded.write("proc/7/cgroup", &TREE[0].1.replace("7:blkio:/docker/4f1c\n", ""));
        let read = recorded.process.meter().and_then(|meter| meter.read()).expect("readable");
        assert_eq!((read.block, read.pids), (None, 9));
    }
}
