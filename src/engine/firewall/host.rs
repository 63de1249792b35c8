//! The two programs that read and write the host's packet filter, called with their arguments
//! and never through a shell.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[derive(Debug, Clone, thiserror::Error)]
pub enum FirewallError {
    #[error("there is no {program} on this host")]
    Missing { program: &'static str },
    /// The program's own words.
    #[error("{program} was refused: {said}")]
    Refused { program: &'static str, said: String },
    #[error("{program} did not end within {} s", after.as_secs())]
    Timeout { program: &'static str, after: Duration },
}

const DEADLINE: Duration = Duration::from_secs(10);
/// Other programs may be changing the filter; some answer with a refusal rather than to wait. One that
/// hangs is not asked again: whoever waits is told.
const TRIES: u32 = 4;
/// Where distributions keep them, which is not always searched.
const FOLDERS: &str = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin";

/// All of the filter table, in the form that [`restore`] takes.
pub(super) async fn save() -> Result<String, FirewallError> {
    run("iptables-save", &["-t", "filter"], "").await
}

/// All of `text` or nothing of it.
pub(super) async fn restore(text: &str) -> Result<(), FirewallError> {
    let mut pause = Duration::from_millis(20);
    for _ in 1..TRIES {
        match run("iptables-restore", &["--noflush", "--wait", "5"], text).await {
            Ok(_) => return Ok(()),
            Err(error @ FirewallError::Timeout { .. }) => return Err(error),
            Err(error) => tracing::debug!(%error, "the packet filter is asked again"),
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    run("iptables-restore", &["--noflush", "--wait", "5"], text).await.map(drop)
}

async fn run(program: &'static str, arguments: &[&str], input: &str) -> Result<String, FirewallError> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => FirewallError::Missing { program },
        _ => FirewallError::Refused { program, said: error.to_string() },
    };
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", FOLDERS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(refused)?;
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // One that ends early says why on stderr.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(DEADLINE, talk).await {
        Ok(output) => output.map_err(refused)?,
        Err(_) => return Err(FirewallError::Timeout { program, after: DEADLINE }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
    Err(FirewallError::Refused { program, said: said.chars().take(300).collect() })
}
