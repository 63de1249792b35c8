//! Blocks of IPv4 addresses.

use std::fmt;
use std::net::Ipv4Addr;

/// `10.213.0.16/28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    first: u32,
    prefix: u8,
}

impl Block {
    /// `prefix` is at most 32.
    pub const fn new(first: u32, prefix: u8) -> Self {
        Self { first, prefix }
    }

    pub fn of(address: Ipv4Addr) -> Self {
        Self { first: address.into(), prefix: 32 }
    }

    /// With a prefix; bits behind it are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= 32)?;
        let block = Self { first: first & Self { first, prefix }.mask(), prefix };
        Some(block)
    }

    fn mask(self) -> u32 {
        match self.prefix {
            0 => 0,
            prefix => u32::MAX << (32 - prefix),
        }
    }

    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    pub const fn first(self) -> u32 {
        self.first
    }

    pub fn last(self) -> u32 {
        self.first | !self.mask()
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}
