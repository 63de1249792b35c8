//! The proxy's baseline: nginx with one worker, tuned as a careful operator would.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::answer::first_ok;
use crate::docker;

pub struct Nginx {
    process: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// `upstream` is `host:port`; returns when `/` answers and names the generation.
    pub async fn start(upstream: &str, generation: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = docker::free_port()?;
        let at = folder.path().display().to_string();
        let text = CONFIGURATION.replace("{at}", &at).replace("{port}", &port.to_string());
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text.replace("{upstream}", upstream))?;
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("nginx")
            .env("PATH", path)
            .args(["-g", "daemon off;", "-p", &at, "-c"])
            .arg(file)
            .stderr(Stdio::null())
            .spawn()
            .context("starting nginx; `make setup` installs it")?;
        let nginx = Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), _folder: folder };
        first_ok(nginx.address, generation).await?;
        Ok(nginx)
    }

    /// The worker: the master does nothing but wait.
    pub fn worker(&self) -> anyhow::Result<u32> {
        let pid = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        Ok(children.trim().parse()?)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = docker::terminate(&mut self.process);
    }
}

/// No log, kept connections both ways, large answers streamed and never to disk.
const CONFIGURATION: &str = r#"worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    upstream app {
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000;
    }
    server {
        listen 127.0.0.1:{port} backlog=1024;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_buffers 16 32k;
            proxy_buffer_size 32k;
            proxy_busy_buffers_size 256k;
            proxy_max_temp_file_size 0;
        }
    }
}
"#;
