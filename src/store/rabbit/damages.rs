//! Chunks that arrive damaged: asked for again some times, then passed over.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::event::{Ordinal, StreamName};
use crate::limits::{BROKER_DAMAGED_STREAMS_MAX, BROKER_DAMAGES_MAX};

/// What came damaged lately, a place a stream.
#[derive(Default)]
pub(super) struct Damages(RefCell<HashMap<StreamName, (Ordinal, u32)>>);

impl Damages {
    /// Notes that the chunk at `ordinal` came damaged. False when it has been asked for often
    /// enough.
    pub(super) fn ask_again(&self, name: &StreamName, ordinal: Ordinal) -> bool {
        let mut places = self.0.borrow_mut();
        if places.len() >= BROKER_DAMAGED_STREAMS_MAX && !places.contains_key(name) {
            places.clear();
        }
        let (place, times) = places.entry(name.clone()).or_insert((ordinal, 0));
        if *place != ordinal {
            (*place, *times) = (ordinal, 0);
        }
        *times += 1;
        *times <= BROKER_DAMAGES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_asked_for_again_some_times() {
        let damages = Damages::default();
        let (a, b) = (StreamName::new("a").unwrap(), StreamName::new("b").unwrap());
        for _ in 0..BROKER_DAMAGES_MAX {
            assert!(damages.ask_again(&a, Ordinal::new(7)));
        }
        assert!(!damages.ask_again(&a, Ordinal::new(7)));
        assert!(damages.ask_again(&b, Ordinal::new(7)) && damages.ask_again(&a, Ordinal::new(8)));
        for n in 0..2 * BROKER_DAMAGED_STREAMS_MAX {
            damages.ask_again(&StreamName::new(&n.to_string()).unwrap(), Ordinal::new(1));
        }
        assert!(damages.0.borrow().len() <= BROKER_DAMAGED_STREAMS_MAX);
    }
}
