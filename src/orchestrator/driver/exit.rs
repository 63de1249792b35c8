//! How a container ended, in words.

use crate::engine::ContainerState;

/// Codes above this one say which signal ended the process.
const BY_SIGNAL: i64 = 128;

pub(super) fn exit_words(state: &ContainerState) -> String {
    if state.oom_killed {
        return "it ran out of memory and was killed (OOM)".to_owned();
    }
    match state.exit_code {
        Some(0) => "the app exited by itself with code 0; a preview must keep serving".to_owned(),
        Some(code @ (126 | 127)) => not_run(code, state.error.as_deref().unwrap_or_default()),
        Some(code) => match signal(code - BY_SIGNAL) {
            Some(signal) => format!("the app {signal} (exit code {code})"),
            None => format!("the app exited with code {code}"),
        },
        None => "the app is not running".to_owned(),
    }
}

fn not_run(code: i64, error: &str) -> String {
    let what = if code == 126 { "may not be executed" } else { "was not found" };
    let said = if error.is_empty() { String::new() } else { format!(": {error}") };
    format!("the start command could not be run, it {what} (exit code {code}){said}")
}

/// What the signals are, by which programs end without wanting to.
const fn signal(number: i64) -> Option<&'static str> {
    Some(match number {
        2 => "was interrupted by SIGINT",
        4 => "ran an illegal instruction: SIGILL",
        6 => "aborted itself: SIGABRT",
        7 => "touched memory that is not there: SIGBUS",
        8 => "made an arithmetic error: SIGFPE",
        9 => "was killed by SIGKILL",
        11 => "crashed with a segmentation fault: SIGSEGV",
        13 => "wrote to a pipe that nobody reads: SIGPIPE",
        15 => "was asked to end by SIGTERM",
        31 => "made a forbidden system call: SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i64>, oom_killed: bool, error: Option<&str>) -> String {
        let storage = crate::engine::Storage::default();
        exit_words(&ContainerState {
            id: String::new(),
            name: String::new(),
            image: String::new(),
            image_id: String::new(),
            ownership: None,
            status: crate::domain::ContainerStatus::Exited,
            running: false,
            paused: false,
            exit_code: code,
            oom_killed,
            process: None,
            storage,
            addresses: Default::default(),
            networks: Vec::new(),
            home_network: None,
            published_port: None,
            started_at: None,
            finished_at: None,
            error: error.map(str::to_owned),
        })
    }

    #[test]
    fn codes_are_named() {
        for (code, words) in [
            (0, "the app exited by itself with code 0; a preview must keep serving"),
            (1, "the app exited with code 1"),
            (137, "the app was killed by SIGKILL (exit code 137)"),
            (139, "the app crashed with a segmentation fault: SIGSEGV (exit code 139)"),
            (143, "the app was asked to end by SIGTERM (exit code 143)"),
            (200, "the app exited with code 200"),
        ] {
            assert_eq!(ended(Some(code), false, None), words);
        }
        assert_eq!(ended(Some(137), true, None), "it ran out of memory and was killed (OOM)");
        assert_eq!(
            ended(Some(127), false, Some("no such file")),
            "the start command could not be run, it was not found (exit code 127): no such file"
        );
    }
}
