//! Memory that request bodies may hold while they arrive.
//!
//! Many large publishes at once would add up; beyond the budget a request is told 503 instead of
//! waiting, because waiting with half a body in memory could wait for ever.

use std::cell::Cell;
use std::rc::Rc;

/// What is left of the budget on one shard.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<usize>,
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of `bytes`.
    pub(super) const fn new(bytes: usize) -> Self {
        Self { left: Cell::new(bytes) }
    }
}

impl Share {
    /// An empty share.
    pub(super) fn of(budget: &Rc<Budget>) -> Self {
        Self { budget: Rc::clone(budget), bytes: 0 }
    }

    /// Grows the share to `bytes`. False, and unchanged, when the budget doesn't allow it.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let Some(left) = self.budget.left.get().checked_sub(more) else { return false };
        self.budget.left.set(left);
        self.bytes += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.set(self.budget.left.get() + self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stay_inside_the_budget_and_come_back() {
        let budget = Rc::new(Budget::new(100));
        let mut first = Share::of(&budget);
        let mut second = Share::of(&budget);
        assert!(first.grow_to(60));
        assert!(first.grow_to(10), "a share never shrinks by growing");
        assert!(!second.grow_to(41));
        assert!(second.grow_to(40));
        drop(first);
        assert!(second.grow_to(100));
        drop(second);
        assert_eq!(budget.left.get(), 100);
    }
}
