//! Small explicit subnets cut from one address pool. Pure: which block is free, nothing else.
//!
//! The engine's own default pools end at about thirty networks; a /16 cut into /28 blocks gives
//! 4,096, each with room for a preview, its database and a one-off container.

use std::collections::BTreeSet;

use crate::domain::Block;

/// The pool a host's previews take their networks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPool {
    whole: Block,
}

/// Every preview network is a /28: 13 addresses beside network, gateway and broadcast.
const PREVIEW_PREFIX: u8 = 28;

impl AddressPool {
    /// At least one /28 must fit; wider than a /8 is a slip.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = Block::parse(text).filter(|block| (8..=PREVIEW_PREFIX).contains(&block.prefix()))?;
        Some(Self { whole })
    }

    /// How many networks fit.
    pub const fn capacity(&self) -> usize {
        1 << (PREVIEW_PREFIX - self.whole.prefix())
    }

    /// Whether one more network fits beside these subnets.
    pub fn has_room(&self, subnets: &[String]) -> bool {
        let taken: Vec<Block> = subnets.iter().filter_map(|text| Block::parse(text)).collect();
        self.free(&taken).is_some()
    }

    /// The first block that touches nothing of `taken`.
    pub fn free(&self, taken: &[Block]) -> Option<Block> {
        let taken: BTreeSet<Block> =
            taken.iter().copied().filter(|block| block.overlaps(self.whole)).collect();
        let step = 1_u32 << (32 - PREVIEW_PREFIX);
        let mut next = self.whole.first();
        // `taken` is in order of first address, so one walk finds the first gap.
        for block in taken {
            if next.checked_add(step - 1).is_some_and(|last| last < block.first()) {
                break;
            }
            if block.last() >= next {
                next = block.last().checked_add(1)?.next_multiple_of(step);
            }
        }
        let found = Block::new(next, PREVIEW_PREFIX);
        (next >= self.whole.first() && found.last() <= self.whole.last()).then_some(found)
    }
}

impl std::fmt::Display for AddressPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.whole.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(texts: &[&str]) -> Vec<Block> {
        texts.iter().map(|text| Block::parse(text).expect("a block")).collect()
    }

    fn free(pool: &str, taken: &[&str]) -> Option<String> {
        AddressPool::parse(pool).expect("a pool").free(&blocks(taken)).map(|block| block.to_string())
    }

    #[test]
    fn the_first_gap_is_taken() {
        assert_eq!(free("10.213.0.0/16", &[]).as_deref(), Some("10.213.0.0/28"));
        assert_eq!(free("10.213.0.0/16", &["10.213.0.0/28"]).as_deref(), Some("10.213.0.16/28"));
        let gap = ["10.213.0.0/28", "10.213.0.32/28"];
        assert_eq!(free("10.213.0.0/16", &gap).as_deref(), Some("10.213.0.16/28"));
    }

    #[test]
    fn what_others_hold_is_walked_around_whatever_its_size() {
        assert_eq!(free("10.213.0.0/16", &["10.213.0.0/24"]).as_deref(), Some("10.213.1.0/28"));
        assert_eq!(free("10.213.0.0/16", &["10.213.0.3/32"]).as_deref(), Some("10.213.0.16/28"));
        assert_eq!(free("10.213.0.0/16", &["172.17.0.0/16"]).as_deref(), Some("10.213.0.0/28"));
        assert_eq!(free("10.213.0.0/16", &["10.0.0.0/8"]), None);
    }

    #[test]
    fn a_pool_hands_out_each_block_once_and_then_says_so() {
        let pool = AddressPool::parse("10.213.0.0/20").expect("a pool");
        let mut taken = Vec::new();
        while let Some(block) = pool.free(&taken) {
            assert!(taken.iter().all(|other: &Block| !other.overlaps(block)));
            taken.push(block);
        }
        assert_eq!(taken.len(), pool.capacity());
        assert_eq!(taken.len(), 256);
    }
}
