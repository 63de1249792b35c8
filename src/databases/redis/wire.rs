//! The little of Redis' protocol that a look into one takes: a line out, a reply back. Whoever
//! answers is a stranger's server, so what is read is bounded.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What is in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheInventory {
    /// Of all its databases.
    pub keys: u64,
    /// Of memory, its own needs included.
    pub bytes: u64,
}

const DEADLINE: Duration = Duration::from_secs(3);
const MAX_REPLY: u64 = 64 * 1024;

/// Logs in and counts.
pub async fn look(address: SocketAddr, password: &str) -> io::Result<CacheInventory> {
    let asked = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?.take(MAX_REPLY));
        ask(&mut stream, &format!("AUTH {password}")).await?;
        let keyspace = ask(&mut stream, "INFO keyspace").await?;
        let memory = ask(&mut stream, "INFO memory").await?;
        Ok(CacheInventory { keys: keys(&keyspace), bytes: field(&memory, "used_memory:").unwrap_or(0) })
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(seen) => seen,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn ask(stream: &mut BufReader<tokio::io::Take<TcpStream>>, line: &str) -> io::Result<String> {
    let out = stream.get_mut().get_mut();
    out.write_all(format!("{line}\r\n").as_bytes()).await?;
    let mut head = String::new();
    stream.read_line(&mut head).await?;
    let (kind, rest) = head.trim_end().split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => Err(io::Error::other(rest.to_owned())),
        "$" => {
            let length: u64 = rest.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            let mut body = vec![0; usize::try_from(length.min(MAX_REPLY)).unwrap_or(0) + 2];
            stream.read_exact(&mut body).await?;
            Ok(String::from_utf8_lossy(&body).into_owned())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// `db0:keys=3,expires=0,avg_ttl=0`, a line for each database that has any.
fn keys(keyspace: &str) -> u64 {
    let databases = keyspace.lines().filter(|line| line.starts_with("db"));
    databases.filter_map(|line| field(line.split_once(':')?.1, "keys=")).sum()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_databases_are_counted() {
        let keyspace = "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb5:keys=40,expires=1,avg_ttl=9\r\n";
        assert_eq!(keys(keyspace), 43);
        assert_eq!(keys("# Keyspace\r\n"), 0);
        assert_eq!(
            field("# Memory\r\nused_memory:463864\r\nused_memory_human:453K\r\n", "used_memory:"),
            Some(463_864)
        );
    }

    #[tokio::test]
    async fn whoever_answers_odd_things_is_told_from_a_server() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let odd = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.write_all(b"-ERR no such password\r\n").await.expect("written");
            let _ = stream.read(&mut [0; 64]).await;
        });
        let refused = look(address, "x").await.expect_err("refused");
        assert_eq!(refused.to_string(), "ERR no such password");
        odd.await.expect("no panic");
    }
}
