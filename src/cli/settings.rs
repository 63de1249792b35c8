//! What every command takes, and which daemon and token a client command uses.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

/// Where a daemon listens when nothing else is said.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// The file in the data directory where `serve` leaves a token for its owner.
pub const TOKEN_FILE: &str = "token";

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// The daemon to speak to [default: http://127.0.0.1:8000]
    #[arg(long, global = true, env = "PREVIEW_URL", value_name = "URL", display_order = 100)]
    pub url: Option<String>,
    /// Where the daemon keeps its state [default: previewd in the user's XDG data directory]
    #[arg(long, global = true, env = "PREVIEW_DATA_DIR", value_name = "DIR", display_order = 101)]
    pub data_dir: Option<PathBuf>,
    /// Print JSON, for machines
    #[arg(long, global = true, display_order = 102)]
    pub json: bool,
}

/// The bearer token of a client, and where it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: Option<String>,
    origin: String,
}

impl Globals {
    /// The daemon's base URL, as given or the default.
    pub fn url(&self) -> &str {
        self.url.as_deref().filter(|url| !url.is_empty()).unwrap_or(DEFAULT_URL)
    }

    /// The data directory given, or the default one; `None` when neither `XDG_DATA_HOME` nor
    /// `HOME` is set.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| default_data_dir(|name| std::env::var_os(name).map(PathBuf::from)))
    }

    /// The token to send: `PREVIEW_TOKEN`, or the one `serve` left in the data directory. The
    /// file belongs to the daemon on this machine, so it goes to another host only when the
    /// data directory was named.
    pub fn token(&self, env: Option<String>) -> Token {
        if let Some(secret) = env.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
            return Token::new(secret, "the token in PREVIEW_TOKEN");
        }
        if self.data_dir.is_none() && !is_loopback(self.url()) {
            return Token::absent("no token: PREVIEW_TOKEN is not set");
        }
        match self.data_dir() {
            Some(dir) => Token::from_file(&dir.join(TOKEN_FILE)),
            None => Token::absent("no token: PREVIEW_TOKEN is not set and there is no data directory"),
        }
    }
}

impl Token {
    pub fn new(secret: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { secret: Some(secret.into()), origin: origin.into() }
    }

    fn absent(origin: impl Into<String>) -> Self {
        Self { secret: None, origin: origin.into() }
    }

    fn from_file(path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => {
                Self::new(text.trim(), format!("the token in {}", path.display()))
            }
            Ok(_) => {
                Self::absent(format!("no token: PREVIEW_TOKEN is not set and {} is empty", path.display()))
            }
            Err(error) => Self::absent(format!(
                "no token: PREVIEW_TOKEN is not set and {} {}",
                path.display(),
                match error.kind() {
                    io::ErrorKind::NotFound => "does not exist".to_owned(),
                    _ => format!("cannot be read ({error})"),
                }
            )),
        }
    }

    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// For a sentence: `the token in PREVIEW_TOKEN`, `no token: …`.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// `$XDG_DATA_HOME/previewd`, or `$HOME/.local/share/previewd`. As the XDG specification wants
/// it, a relative `XDG_DATA_HOME` is not one.
pub fn default_data_dir(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let xdg = var("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
    let home = || var("HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join(".local/share"));
    xdg.or_else(home).map(|dir| dir.join("previewd"))
}

fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals(url: &str, dir: Option<&Path>) -> Globals {
        Globals { url: Some(url.to_owned()), data_dir: dir.map(Path::to_owned), json: false }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::write(dir.path().join(TOKEN_FILE), "from-file\n").expect("write");
        let globals = globals(DEFAULT_URL, Some(dir.path()));
        assert_eq!(globals.token(Some("from-env".into())).secret(), Some("from-env"));
        assert_eq!(globals.token(Some("  ".into())).secret(), Some("from-file"));
        assert_eq!(globals.token(None).secret(), Some("from-file"));
    }

    #[test]
    fn a_missing_token_says_where_it_was_looked_for() {
        let dir = tempfile::tempdir().expect("tempdir");
        let token = globals(DEFAULT_URL, Some(dir.path())).token(None);
        assert_eq!(token.secret(), None);
        assert!(token.origin().contains("token does not exist"), "{}", token.origin());
    }

    #[test]
    fn the_local_daemons_token_does_not_go_to_another_host() {
        for url in ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:8000"] {
            assert!(is_loopback(url), "{url}");
        }
        let token = globals("http://198.51.100.7:8000", None).token(None);
        assert_eq!((token.secret(), token.origin()), (None, "no token: PREVIEW_TOKEN is not set"));
        assert!(!is_loopback("http://localhost.example"));
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        assert!(!format!("{:?}", Token::new("s3cret", "x")).contains("s3cret"));
    }

    #[test]
    fn the_data_directory_follows_xdg() {
        let with = |xdg: &str, home: &str| {
            default_data_dir(|name| match name {
                "XDG_DATA_HOME" => Some(PathBuf::from(xdg)),
                "HOME" => Some(PathBuf::from(home)),
                _ => None,
            })
        };
        assert_eq!(with("/data", "/home/a"), Some("/data/previewd".into()));
        assert_eq!(with("data", "/home/a"), Some("/home/a/.local/share/previewd".into()));
        assert_eq!(with("", ""), None);
    }
}
