//! The range of preview ports, and who gets which next.

use std::collections::VecDeque;

/// The ports nobody has, the one given back longest ago first: a link to a preview that has ended
/// should not lead to somebody else's a second later.
#[derive(Debug)]
pub(super) struct PortRange {
    min: u16,
    max: u16,
    free: VecDeque<u16>,
}

impl PortRange {
    pub(super) fn new(min: u16, max: u16) -> Self {
        Self { min, max, free: (min..=max).collect() }
    }

    /// The ports to try, best first: the wanted one if it is free, then the others by age.
    pub(super) fn candidates(&self, wanted: Option<u16>) -> Vec<u16> {
        let wanted = wanted.filter(|port| self.free.contains(port));
        let others = self.free.iter().copied().filter(|port| Some(*port) != wanted);
        wanted.into_iter().chain(others).collect()
    }

    /// Marks a candidate as given away.
    pub(super) fn take(&mut self, port: u16) {
        self.free.retain(|free| *free != port);
    }

    pub(super) fn give_back(&mut self, port: u16) {
        if (self.min..=self.max).contains(&port) && !self.free.contains(&port) {
            self.free.push_back(port);
        }
    }

    pub(super) fn bounds(&self) -> (u16, u16) {
        (self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_given_back_is_the_last_to_be_given_again() {
        let mut range = PortRange::new(3001, 3003);
        assert_eq!(range.candidates(None), [3001, 3002, 3003]);
        range.take(3001);
        range.give_back(3001);
        range.give_back(3001);
        assert_eq!(range.candidates(None), [3002, 3003, 3001]);
    }

    #[test]
    fn the_wanted_port_comes_first_while_it_is_free() {
        let mut range = PortRange::new(3001, 3003);
        assert_eq!(range.candidates(Some(3002)), [3002, 3001, 3003]);
        range.take(3002);
        assert_eq!(range.candidates(Some(3002)), [3001, 3003]);
        assert_eq!(range.candidates(Some(80)), [3001, 3003], "a port outside of the range is not ours");
    }
}
