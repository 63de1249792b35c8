//! What an operator can set about the way in.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Settings of the ingress. Each field names its variable, default and unit.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_PORT_MIN`, 3001: the first port a preview may get.
    pub port_min: u16,
    /// `PREVIEW_PORT_MAX`, 3100: the last port a preview may get.
    pub port_max: u16,
    /// `PREVIEW_BIND`, 127.0.0.1: the address the preview ports listen on.
    pub bind: IpAddr,
    /// `PREVIEW_DOMAIN`, none: previews also answer to this host name and to every name below it.
    pub domain: Option<String>,
    /// `PREVIEW_REQUEST_TIMEOUT`, 60 s: how long an app may take to begin its answer, counted from the
    /// last byte of the request.
    pub request_timeout: Duration,
    /// `PREVIEW_CONNECT_TIMEOUT`, 5 s: to open a connection to the container.
    pub connect_timeout: Duration,
    /// `PREVIEW_WAKE_TIMEOUT`, 10 s: how long a request waits for a paused preview to be woken,
    /// or for one to be found again after a restart of the daemon.
    pub wake_timeout: Duration,
    /// `PREVIEW_HEADER_TIMEOUT`, 15 s: for a visitor to send a whole request head.
    pub header_timeout: Duration,
    /// `PREVIEW_BODY_TIMEOUT`, 60 s: the longest silence in the middle of a request's body.
    pub body_timeout: Duration,
    /// `PREVIEW_SEND_TIMEOUT`, 60 s: the longest a visitor may take nothing of what is being sent.
    pub send_timeout: Duration,
    /// `PREVIEW_KEEP_ALIVE_TIMEOUT`, 75 s: how long a visitor's connection may stay without a request.
    pub keep_alive_timeout: Duration,
    /// `PREVIEW_MAX_CONNECTIONS`, 1024: open sockets of visitors, for each preview.
    pub max_connections: u64,
    /// `PREVIEW_UPSTREAM_IDLE`, 256: kept connections to the container, for each preview.
    pub max_idle: usize,
    /// `PREVIEW_UPSTREAM_IDLE_TIMEOUT`, 4 s: how long one is kept. Below the 5 s after which uvicorn and
    /// Node close theirs, so that a request rarely meets a connection that is just being closed.
    pub idle_timeout: Duration,
    /// `PREVIEW_LIVE_RELOAD`, default true: pages of previews whose files are being changed refresh
    /// themselves.
    pub live_reload: bool,
    /// `PREVIEW_DRAIN_TIMEOUT`, 1 s: what closing a preview grants to requests under way.
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port_min: 3001,
            port_max: 3100,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            domain: None,
            request_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            wake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(75),
            max_connections: 1024,
            max_idle: 256,
            idle_timeout: Duration::from_secs(4),
            live_reload: true,
            drain_timeout: Duration::from_secs(1),
        }
    }
}
