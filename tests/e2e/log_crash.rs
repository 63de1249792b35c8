//! The daemon is killed while a preview prints: who watches goes on where it was, without a line
//! lost or seen twice.

use std::time::Duration;

use crate::app::TestApp;
use crate::crash::Daemon;
use crate::scene::{path, python, stop, text, up};
use crate::socket::Socket;

/// Prints numbered lines for ever, some thousand a second.
const COUNTING: &str = r#"
import http.server, sys, threading, time

def count():
    number = 0
    while True:
        for _ in range(20):
            stream = sys.stderr if number % 7 == 0 else sys.stdout
            print(f"number {number}", file=stream, flush=True)
            number += 1
        time.sleep(0.01)

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, form, *args):
        pass

threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Quiet).serve_forever()
"#;

/// Reads until `wanted` lines of the app have come, and how the connection ended if it did.
async fn read(socket: &mut Socket, wanted: usize, seen: &mut Vec<(u64, u64)>) {
    let begun = seen.len();
    while seen.len() < begun.saturating_add(wanted)
        && let Some(message) = socket.next().await
    {
        assert_ne!(message["type"], "dropped", "{message}");
        if message["type"] == "log" {
            let number = text(&message, "message").strip_prefix("number ").expect("a number");
            seen.push((message["seq"].as_u64().expect("a seq"), number.parse().expect("a number")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_stream_loses_and_repeats_nothing() {
    let mut app = TestApp::prepared(vec![]).await;
    let mut daemon = Daemon::start(&mut app).await;
    let launched = up(&app.user("ann"), "counting", &python(COUNTING)).await;
    let logs = format!(
        "{}?token={}&source=app&frames=one",
        path("counting", "/logs"),
        text(&launched, "previewToken")
    );
    let mut seen = Vec::new();
    let mut socket = Socket::open(app.address, &format!("{logs}&buffer=1000")).await;
    for round in 0..4 {
        read(&mut socket, 1500, &mut seen).await;
        daemon.kill().await;
        // What was sent before the kill, to the last line.
        read(&mut socket, usize::MAX, &mut seen).await;
        // Lines are printed while nobody reads.
        tokio::time::sleep(Duration::from_millis(100 * round)).await;
        daemon = Daemon::start(&mut app).await;
        let since = seen.last().expect("lines").0;
        socket = Socket::open(app.address, &format!("{logs}&since={since}")).await;
    }
    read(&mut socket, 1500, &mut seen).await;
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers of lines only rise");
    // The two streams of a container have an order each.
    for stderr in [false, true] {
        let numbers: Vec<u64> = seen.iter().map(|(_, n)| *n).filter(|n| (n % 7 == 0) == stderr).collect();
        let all = (numbers[0]..).filter(|n| (n % 7 == 0) == stderr);
        let wrong = numbers.iter().zip(all).find(|(n, expected)| *n != expected);
        assert_eq!(wrong, None, "of {} lines, standard error: {stderr}", numbers.len());
    }
    stop(&app.user("ann"), "counting").await;
    daemon.end().await;
    app.finish().await;
}
