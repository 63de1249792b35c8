//! A piece of the internet: a network namespace behind the host, with an address that is public in
//! form (TEST-NET-2), in which a server listens. Making one takes root.

use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub struct Outside {
    namespace: String,
    link: String,
    /// `198.51.100.N:PORT`, where something listens.
    pub address: String,
    pub host: String,
}

/// Whether this process may change the host's network, and with it the packet filter.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
        && Command::new("iptables-save").output().is_ok_and(|out| out.status.success())
}

fn ip(arguments: &str) {
    let words = arguments.split_whitespace();
    let output = Command::new("ip").args(words).output().expect("ip runs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Outside {
    pub fn open() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (namespace, link) =
            (format!("pvout{process}-{number}"), format!("pvo{}x{number}", process % 1_000_000));
        // Sixty-four of them: tests that run at once have different ones.
        let first = (process + number * 17) % 64 * 4;
        let (host, far) = (format!("198.51.100.{}", first + 1), format!("198.51.100.{}", first + 2));
        ip(&format!("netns add {namespace}"));
        ip(&format!("link add {link} type veth peer name {link}b netns {namespace}"));
        ip(&format!("addr add {host}/30 dev {link}"));
        ip(&format!("link set {link} up"));
        ip(&format!("-n {namespace} addr add {far}/30 dev {link}b"));
        ip(&format!("-n {namespace} link set {link}b up"));
        ip(&format!("-n {namespace} link set lo up"));
        ip(&format!("-n {namespace} route add default via {host}"));
        let port = listen_in(&namespace);
        Self { namespace, link, address: format!("{far}:{port}"), host: far }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for words in [vec!["link", "del", &self.link], vec!["netns", "del", &self.namespace]] {
            let _ = Command::new("ip").args(words).output();
        }
    }
}

/// A thread of its own enters the namespace; the socket it opens there stays there.
fn listen_in(namespace: &str) -> u16 {
    let (tell, told) = mpsc::channel();
    let path = format!("/run/netns/{namespace}");
    std::thread::spawn(move || {
        let handle = std::fs::File::open(path).expect("the namespace");
        move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network)).expect("entered");
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        tell.send(listener.local_addr().expect("an address").port()).expect("heard");
        for stream in listener.incoming() {
            drop(stream);
        }
    });
    told.recv().expect("it listens")
}
