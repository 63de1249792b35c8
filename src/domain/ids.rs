//! Names of things. Each is parsed once, where it enters, and is safe everywhere afterwards:
//! in a label, a container name, a file name, a host name or a log line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::Invalid;
use super::text::{GenerationName, UserName};

/// What a client calls one immutable version of generated code: 1 to 100 characters of
/// `A-Z a-z 0-9 . _ -`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(String);

/// The `sub` of a bearer token: 1 to 128 characters of `A-Z a-z 0-9 . _ - @ : | +`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

/// One running instance. A UUID of version 7, so that ids sort by time of creation and fit a
/// DNS label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PreviewId(Uuid);

/// One previewd installation: what it labels its containers with, so that two daemons on one
/// engine leave each other alone. 4 to 32 characters of `a-z 0-9`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

impl GenerationId {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        GenerationName::rule().check("generationId", text).map(|()| Self(text.to_owned()))
    }
}

impl UserId {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        UserName::rule().check("user", text).map(|()| Self(text.to_owned()))
    }
}

impl InstanceId {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok = (4..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match ok {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new("instance", "expected 4 to 32 of a-z 0-9")),
        }
    }

    pub fn random() -> Self {
        let bytes = Uuid::new_v4().simple().to_string();
        Self(bytes[..12].to_owned())
    }
}

impl PreviewId {
    #[expect(clippy::new_without_default, reason = "every call gives another id")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Uuid::parse_str(text).map(Self).map_err(|_| Invalid::new("previewId", "expected a UUID"))
    }
}

/// In the description of the API the id is its rule, under its own name.
macro_rules! described {
    ($name:ident, $rule:ident) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $rule::schema()
            }
        }

        impl ToSchema for $name {}
    };
}

described!(GenerationId, GenerationName);
described!(UserId, UserName);

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(GenerationId);
text_id!(UserId);
text_id!(InstanceId);

impl fmt::Display for PreviewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PreviewId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_characters_are_refused() {
        for bad in ["", "-a", ".", "..", "a..b", "a/b", "a b", "a\n", "é", "a%2e", &"x".repeat(101)] {
            assert!(GenerationId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "gen-1", "A.b_c-9", &"x".repeat(100)] {
            assert!(GenerationId::parse(good).is_ok(), "{good:?}");
        }
    }
}
