//! The 256 ids that a connection has for its subscriptions, and as many for its publishers.
//!
//! An id whose user has left is not given out again before the broker has said that it is done
//! with it: what was on its way would reach the next one.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// What receives a subscription's chunks.
pub(super) trait Sink {
    /// A chunk, as it came.
    fn chunk(&self, chunk: &[u8]);

    /// A chunk of so many bytes that isn't taken; its head.
    fn oversized(&self, head: &[u8], bytes: usize);

    /// The subscription is gone: the connection has ended, or the stream has moved or gone.
    fn lost(&self);
}

/// What hears of its publishes.
pub(super) trait Publishes {
    /// These are stored.
    fn confirmed(&self, ids: &[u64]);

    /// These are not, and why.
    fn refused(&self, ids: &[(u64, crate::proto::rabbit::Code)]);

    /// The publisher is gone: nothing more will be heard.
    fn lost(&self);
}

/// The ids of one kind on one connection.
pub(super) struct Ids<T: ?Sized> {
    slots: RefCell<Vec<Slot<T>>>,
    given_out: Cell<u64>,
}

/// An id in somebody's hands. It may have been taken from them meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Id {
    /// What the broker knows it by.
    pub(super) number: u8,
    /// Which of all that were ever given out this is.
    serial: u64,
}

enum Slot<T: ?Sized> {
    Free,
    Taken { serial: u64, stream: Rc<str>, user: Weak<T> },
    Leaving,
}

impl<T: ?Sized> Default for Ids<T> {
    fn default() -> Self {
        Self { slots: RefCell::default(), given_out: Cell::new(0) }
    }
}

impl<T: ?Sized> Ids<T> {
    /// Gives out an id for a user of `stream`; `None` when all are in use.
    pub(super) fn take(&self, stream: &str, user: Weak<T>) -> Option<Id> {
        let mut slots = self.slots.borrow_mut();
        let free = slots.iter().position(|slot| matches!(slot, Slot::Free));
        let number = u8::try_from(free.unwrap_or(slots.len())).ok()?;
        let serial = self.given_out.get() + 1;
        self.given_out.set(serial);
        let slot = Slot::Taken { serial, stream: stream.into(), user };
        match slots.get_mut(usize::from(number)) {
            Some(free) => *free = slot,
            None => slots.push(slot),
        }
        Some(Id { number, serial })
    }

    /// How many more can be given out.
    pub(super) fn free(&self) -> usize {
        let slots = self.slots.borrow();
        let used = slots.iter().filter(|slot| !matches!(slot, Slot::Free)).count();
        COUNT - used
    }

    /// Who has the id.
    pub(super) fn get(&self, number: u8) -> Option<Rc<T>> {
        match self.slots.borrow().get(usize::from(number)) {
            Some(Slot::Taken { user, .. }) => user.upgrade(),
            Some(Slot::Free | Slot::Leaving) | None => None,
        }
    }

    /// Its user is gone; the broker isn't done with it yet. False when it was taken from the user
    /// before, so that there is nothing to tell the broker.
    pub(super) fn leave(&self, id: Id) -> bool {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(usize::from(id.number));
        let ours =
            |slot: &Slot<T>| matches!(slot, Slot::Taken { serial, .. } if *serial == id.serial);
        let Some(slot) = slot.filter(|slot| ours(slot)) else { return false };
        *slot = Slot::Leaving;
        true
    }

    /// The broker is done with an id whose user has left: it is free again.
    pub(super) fn release(&self, number: u8) {
        if let Some(slot @ Slot::Leaving) = self.slots.borrow_mut().get_mut(usize::from(number)) {
            *slot = Slot::Free;
        }
    }

    /// Frees the ids of a stream, which the broker has dropped, and says who had them.
    pub(super) fn remove_of(&self, gone: &str) -> Vec<Rc<T>> {
        self.remove(|stream| stream == gone)
    }

    /// Frees all and says who had them.
    pub(super) fn clear(&self) -> Vec<Rc<T>> {
        self.remove(|_| true)
    }

    fn remove(&self, which: impl Fn(&str) -> bool) -> Vec<Rc<T>> {
        let mut users = Vec::new();
        for slot in self.slots.borrow_mut().iter_mut() {
            if let Slot::Taken { stream, user, .. } = slot
                && which(stream)
            {
                users.extend(user.upgrade());
                *slot = Slot::Free;
            }
        }
        users
    }
}

/// Ids are one byte (`PROTOCOL.adoc`, Subscribe and DeclarePublisher).
const COUNT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Rc<str> {
        Rc::from("user")
    }

    #[test]
    fn ids_are_bounded_and_come_back_when_the_broker_is_done() {
        let (ids, user) = (Ids::default(), user());
        let take = |stream: &str| ids.take(stream, Rc::downgrade(&user));
        let all: Vec<_> = (0..COUNT).map(|_| take("s").unwrap()).collect();
        assert!((0..=u8::MAX).eq(all.iter().map(|id| id.number)));
        assert_eq!((take("s"), ids.free()), (None, 0));
        assert!(ids.leave(all[7]) && !ids.leave(all[7]), "one leaves once");
        assert_eq!((take("s"), ids.get(7)), (None, None));
        ids.release(6);
        assert_eq!(ids.free(), 0, "that one is in use");
        ids.release(7);
        assert_eq!(ids.free(), 1);
        let again = take("t").unwrap();
        assert_eq!(again.number, 7);
        assert!(!ids.leave(all[7]), "somebody else has it now");
        assert_eq!(ids.remove_of("t").len(), 1);
        assert!(!ids.leave(again), "the broker has dropped it by itself");
        assert_eq!((ids.get(7), ids.free()), (None, 1));
        assert_eq!(ids.clear().len(), 255);
        assert_eq!(ids.free(), COUNT);
    }

    #[test]
    fn a_user_that_is_gone_is_nobody() {
        let (ids, user) = (Ids::default(), user());
        let id = ids.take("s", Rc::downgrade(&user)).unwrap();
        drop(user);
        assert_eq!(ids.get(id.number), None::<Rc<str>>);
        assert!(ids.clear().is_empty());
    }
}
