//! How many histories a shard reads at the same time.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use monoio::time::timeout;

use crate::clock::monotonic;
use crate::limits::{BROKER_WINDOW_TURN, SWEEP_INTERVAL};
use crate::wait::Bell;

/// The shard's slots.
pub(super) struct Slots {
    free: Cell<usize>,
    occupants: RefCell<Vec<Weak<dyn Vacates>>>,
    changed: Bell,
}

/// One slot; free again when dropped.
pub(super) struct Slot(Rc<Slots>);

/// What has a slot, and gives it up when somebody else needs it more.
pub(super) trait Vacates {
    /// When it was last used.
    fn used(&self) -> Instant;

    /// Gives the slot up.
    fn vacate(&self);
}

impl Slots {
    /// So many.
    pub(super) fn new(count: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(count),
            occupants: RefCell::default(),
            changed: Bell::default(),
        })
    }

    /// Takes a free slot, or one that hasn't been used for a while; waits for that.
    pub(super) async fn take(self: &Rc<Self>) -> Slot {
        loop {
            if self.free.get() == 0 {
                self.vacate_one();
            }
            if let Some(free) = self.free.get().checked_sub(1) {
                self.free.set(free);
                return Slot(Rc::clone(self));
            }
            // Nobody rings when an occupant's turn is over.
            let _ = timeout(SWEEP_INTERVAL, self.changed.rung()).await;
        }
    }

    /// Says who has taken one.
    pub(super) fn occupied(&self, by: Weak<dyn Vacates>) {
        let mut occupants = self.occupants.borrow_mut();
        occupants.retain(|occupant| occupant.strong_count() > 0);
        occupants.push(by);
    }

    /// Frees the slot that was used longest ago, if its turn is over.
    fn vacate_one(&self) {
        let now = monotonic();
        let occupants: Vec<_> = self.occupants.borrow().iter().filter_map(Weak::upgrade).collect();
        let idle = occupants.into_iter().min_by_key(|occupant| occupant.used());
        if let Some(idle) = idle
            && now.saturating_duration_since(idle.used()) >= BROKER_WINDOW_TURN
        {
            let gone = Rc::downgrade(&idle);
            self.occupants.borrow_mut().retain(|one| !one.ptr_eq(&gone));
            idle.vacate();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.changed.ring();
    }
}
