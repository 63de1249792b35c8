//! The daemon's memory: as many of the allocator's arenas as the host has cores.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::available_parallelism;

/// What glibc reads when a program starts, and at no other time.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Starts the program anew with that setting, unless there is one: it goes on as the same process.
///
/// Without it glibc makes up to eight arenas for each core, and what is free in one is lost to all others:
/// with 100 previews on 2 cores, 62 MiB instead of 52 (`make bench ROW=scale`).
pub fn as_many_as_cores() {
    if env::var_os(ARENAS).is_some() {
        return;
    }
    let cores = available_parallelism().map_or(2, |cores| cores.get().max(2));
    let mut given = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), given.next()) else { return };
    // Comes back only where it could not be started: the daemon runs as well with more memory.
    let _error = Command::new(program).arg0(name).args(given).env(ARENAS, cores.to_string()).exec();
}
