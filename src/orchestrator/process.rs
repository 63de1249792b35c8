//! The daemon's own process, as the kernel tells of it.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub open_files: u64,
    /// `None` is unlimited.
    pub most_files: Option<u64>,
    pub threads: u64,
    /// Seconds since 1970.
    pub started_at: f64,
}

/// `None` on a host without `/proc`.
pub fn read() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    // One of them is the folder that is being read.
    let open_files = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64;
    let process = parse(&stat, boot, clock_ticks_per_second() as f64, page_size() as u64)?;
    Some(Process { open_files, most_files: most_files(&limits), ..process })
}

/// The fields of `/proc/PID/stat` from the third on: the second is the program's name in
/// brackets, which may hold anything.
fn parse(stat: &str, boot: f64, ticks: f64, page: u64) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let seconds = |number: usize| field(number).map(|value| value as f64 / ticks);
    Some(Process {
        cpu_seconds: seconds(14)? + seconds(15)?,
        threads: field(20)?,
        started_at: boot + seconds(22)?,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * page,
        open_files: 0,
        most_files: None,
    })
}

fn most_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_that_may_hold_anything() {
        let stat = "7 (a) b 9 9) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 12 0 500 1000000 300 18446744073709551615";
        let process = parse(stat, 1000.0, 100.0, 4096).expect("parsed");
        assert_eq!((process.cpu_seconds, process.threads, process.started_at), (3.0, 12, 1005.0));
        assert_eq!((process.virtual_bytes, process.resident_bytes), (1_000_000, 300 * 4096));
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_files(limits), Some(1024));
    }

    #[test]
    fn this_very_process_can_be_read() {
        let process = read().expect("a /proc");
        assert!(process.resident_bytes > 1 << 20 && process.open_files >= 3, "{process:?}");
        let now = chrono::Utc::now().timestamp() as f64;
        assert!((now - 86_400.0 * 7.0..=now + 5.0).contains(&process.started_at), "{process:?}");
    }
}
