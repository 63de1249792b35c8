//! Where a preview may connect to. Whatever is chosen, these stay closed: other previews, the
//! host, and every address that is not of the public internet ([`CLOSED`]).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::text::{Text, address, host, octet};
use super::{Block, Invalid};

/// In text `open`, `none`, or addresses, blocks and host names with commas between.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Words", into = "String")]
pub enum Egress {
    /// The public internet.
    #[default]
    Open,
    /// Nothing at all, names are not resolved either.
    None,
    /// These, and the resolvers of names; sorted, each once.
    Only(Vec<Target>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Block(Block),
    /// Lower case.
    Host(String),
}

/// Never to be reached: this network, private, shared by carriers, loopback, link-local (with the
/// metadata services of clouds), protocol assignments, benchmarks, multicast, reserved.
pub const CLOSED: [&str; 11] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

const EXPECTED: &str = "expected open, none, or at most 100 public IPv4 addresses, blocks or host names";
const MOST_TARGETS: usize = 100;

impl Egress {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.trim_matches(' ') {
            "open" => Ok(Self::Open),
            "none" => Ok(Self::None),
            list => Self::only(list.split(',')),
        }
    }

    fn only<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let targets =
            words.into_iter().take(MOST_TARGETS + 1).map(|word| Target::parse(word.trim_matches(' ')));
        let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
        if targets.is_empty() || targets.len() > MOST_TARGETS {
            return Err(Invalid::new("", EXPECTED));
        }
        targets.sort();
        targets.dedup();
        Ok(Self::Only(targets))
    }

    /// Whether everything this allows is allowed by `outer` too.
    pub fn is_within(&self, outer: &Self) -> bool {
        match (self, outer) {
            (Self::None, _) | (_, Self::Open) => true,
            (Self::Open, _) | (_, Self::None) => false,
            (Self::Only(inner), Self::Only(outer)) => {
                inner.iter().all(|target| outer.iter().any(|wider| wider.covers(target)))
            }
        }
    }

    /// The narrowest of what is asked for, one after the other; each may only be stricter than
    /// what holds without it.
    pub fn narrowed<'a>(
        &'a self,
        asked: impl IntoIterator<Item = &'a Option<Self>>,
    ) -> Result<Self, Invalid> {
        let narrow = |held: &'a Self, asked: &'a Self| match asked.is_within(held) {
            true => Ok(asked),
            false => Err(Invalid::new("egress", format!("expected {held}, or less of it"))),
        };
        asked.into_iter().flatten().try_fold(self, narrow).cloned()
    }
}

impl Target {
    fn parse(word: &str) -> Result<Self, Invalid> {
        let block = word.parse::<Ipv4Addr>().map(Block::of).ok().or_else(|| Block::parse(word));
        if let Some(block) = block {
            let closed = CLOSED
                .into_iter()
                .find(|closed| Block::parse(closed).is_some_and(|closed| closed.overlaps(block)));
            return match closed {
                // A block may be so wide that it holds some of them: they stay closed.
                Some(closed) if Block::parse(closed).is_some_and(|closed| closed.contains(block)) => {
                    Err(Invalid::new("", format!("{word} is never reached: it is part of {closed}")))
                }
                _ => Ok(Self::Block(block)),
            };
        }
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // The last label of a name is never a number: that is a slip in an address.
        let is_name = word.len() <= 253
            && word.split('.').all(label_ok)
            && word.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
        match is_name {
            true => Ok(Self::Host(word.to_ascii_lowercase())),
            false => Err(Invalid::new("", EXPECTED)),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Block(outer), Self::Block(inner)) => outer.contains(*inner),
            _ => self == other,
        }
    }
}

macro_rules! target {
    () => {
        concat!(r"(?:", address!(), r"(?:/(?:[12]?[0-9]|3[0-2]))?|0\.0\.0\.0/0|", host!(), ")")
    };
}

static TARGET: Text = Text::new(concat!("^", target!(), "$"), 1..=253, EXPECTED);
static TARGETS: Text =
    Text::new(concat!("^(?:open|none|", target!(), "(?:,", target!(), "){0,99})$"), 1..=25_400, EXPECTED);

/// One text, or a list. Blocks that are wider than what is closed within them are taken, too, beside
/// what this says.
impl PartialSchema for Egress {
    fn schema() -> RefOr<Schema> {
        let list =
            ArrayBuilder::new().items(TARGET.schema()).min_items(Some(1)).max_items(Some(MOST_TARGETS));
        OneOfBuilder::new().item(TARGETS.schema()).item(list).into()
    }
}

impl ToSchema for Egress {}

impl FromStr for Egress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

/// One text, or a list of targets.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<Words> for Egress {
    type Error = Invalid;

    fn try_from(words: Words) -> Result<Self, Invalid> {
        match &words {
            Words::One(text) => Self::parse(text),
            Words::Many(list) => Self::only(list.iter().map(String::as_str)),
        }
    }
}

impl From<Egress> for String {
    fn from(egress: Egress) -> Self {
        egress.to_string()
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::None => f.write_str("none"),
            Self::Only(targets) => {
                for (i, target) in targets.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{target}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => block.fmt(f),
            Self::Host(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(text: &str) -> Egress {
        Egress::parse(text).expect(text)
    }

    #[test]
    fn texts_and_lists_mean_the_same() {
        let list: Egress = serde_json::from_str(r#"["PyPI.org", "198.51.100.7"]"#).expect("a list");
        assert_eq!(list, egress("198.51.100.7/32, pypi.org"));
        assert_eq!(serde_json::to_string(&list).expect("text"), "\"198.51.100.7/32,pypi.org\"");
        assert_eq!(egress(&list.to_string()), list);
        for bad in ["", ",", "a b", "-a.b", "1.2.3", "1.2.3.4/33", "x;y", "$(id)", "fd00::/8", "*"] {
            assert!(Egress::parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_the_description_allows_is_taken(
            one in crate::domain::text::such_as(&TARGET), many in crate::domain::text::such_as(&TARGETS),
        ) {
            for text in [one, many].into_iter().filter(|text| text.len() <= 253) {
                proptest::prop_assert!(Egress::parse(&text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn the_description_allows_what_is_usual() {
        for text in ["pypi.org", "198.51.100.7", "198.51.100.0/24", "a-1.b2", "0.0.0.0/0", "192.1.2.3"] {
            assert!(TARGET.allows(text) && Egress::parse(text).is_ok(), "{text}");
        }
        for closed in CLOSED.iter().map(|block| block.split_once('/').expect("a block").0) {
            assert!(!TARGET.allows(closed), "{closed}");
        }
        assert!(TARGETS.allows("open") && TARGETS.allows("none") && TARGETS.allows("pypi.org,1.2.3.4"));
    }

    #[test]
    fn what_stays_closed_cannot_be_listed() {
        for closed in ["10.1.2.3", "192.168.0.0/24", "169.254.169.254", "127.0.0.1", "100.100.0.0/16"] {
            let wrong = Egress::parse(closed).expect_err(closed);
            assert!(wrong.message.contains("never reached"), "{wrong}");
        }
        assert!(Egress::parse("0.0.0.0/0").is_ok(), "what it holds of them stays closed all the same");
    }

    #[test]
    fn one_may_only_ask_for_less() {
        let list = egress("198.51.100.0/24,pypi.org");
        for (inner, outer, is_within) in [
            ("none", "none", true),
            ("open", "none", false),
            ("open", "pypi.org", false),
            ("pypi.org", "open", true),
            ("198.51.100.9", "198.51.100.0/24,pypi.org", true),
            ("198.51.0.0/16", "198.51.100.0/24", false),
            ("files.pypi.org", "pypi.org", false),
        ] {
            assert_eq!(egress(inner).is_within(&egress(outer)), is_within, "{inner} in {outer}");
        }
        let narrowed = list.narrowed([&Some(egress("pypi.org")), &None]);
        assert_eq!(narrowed, Ok(egress("pypi.org")));
        let wider = list.narrowed([&Some(Egress::None), &Some(egress("pypi.org"))]);
        assert_eq!(wider.expect_err("wider again").field, "egress");
    }
}
