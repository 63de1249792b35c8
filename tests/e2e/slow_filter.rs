//! A daemon whose host's packet filter takes its time, and the hosts of all others' do not: it runs in
//! a mount namespace of its own, in which the program that writes rules waits for as long as a test
//! wants. Making one takes root.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::app::TestApp;
use crate::crash::{Daemon, PROGRAM, through};

pub struct SlowFilter {
    dir: tempfile::TempDir,
    /// What all names of the filter's programs lead to.
    real: PathBuf,
}

impl SlowFilter {
    pub fn new() -> Self {
        let real = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"]
            .iter()
            .find_map(|folder| Path::new(folder).join("iptables-restore").canonicalize().ok())
            .expect("iptables-restore");
        let dir = tempfile::tempdir().expect("a directory");
        let copy = dir.path().join("real");
        std::fs::copy(&real, &copy).expect("copied");
        // It looks at its name to see what it is to do.
        for name in ["iptables-save", "iptables-restore"] {
            std::os::unix::fs::symlink(&copy, dir.path().join(name)).expect("a link");
        }
        let folder = dir.path().display();
        let script = format!(
            "#!/bin/sh\ncase $0 in *restore)\n\
             while [ -e {folder}/hangs ]; do sleep 0.05; done\n\
             [ -e {folder}/slow ] && sleep \"$(cat {folder}/slow)\"\n;; esac\n\
             exec {folder}/\"$(basename \"$0\")\" \"$@\"\n"
        );
        std::fs::write(dir.path().join("stand-in"), script).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path().join("stand-in"), mode).expect("a program");
        Self { dir, real }
    }

    /// From now on whoever writes rules waits until [`SlowFilter::goes_on`].
    pub fn hangs(&self) {
        std::fs::write(self.dir.path().join("hangs"), "").expect("written");
    }

    pub fn goes_on(&self) {
        std::fs::remove_file(self.dir.path().join("hangs")).expect("it hung");
    }

    /// From now on each write takes so many seconds.
    pub fn takes(&self, seconds: u32) {
        std::fs::write(self.dir.path().join("slow"), seconds.to_string()).expect("written");
    }

    pub async fn start(&self, app: &mut TestApp, environment: &[(&str, &str)]) -> Daemon {
        let mut command = Command::new("unshare");
        let enter = "mount --bind \"$0\" \"$1\" && shift && exec \"$@\"";
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", enter])
            .arg(self.dir.path().join("stand-in"))
            .arg(&self.real)
            .arg(PROGRAM);
        let mut command = through(command, app);
        command.envs(environment.iter().copied());
        Daemon::spawn(app, command).await
    }
}
