//! Where our own publishes come out of the stream.
//!
//! A broker confirms that a message is stored but doesn't say where. So the messages whose ordinals
//! matter to the publisher carry a message-id of ours, and the live subscription tells where it saw
//! them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::event::{Ordinal, Timestamp};
use crate::proto::amqp10;
use crate::wait::Bell;

/// Where a message has come out.
pub(super) type Place = Rc<Cell<Option<(Ordinal, Timestamp)>>>;

/// The messages that are waited for, by their ids.
#[derive(Default)]
pub(super) struct Receipts {
    waited: RefCell<HashMap<String, Place>>,
    /// Seen in the chunk at hand, whose timestamp comes with its end.
    fresh: RefCell<Vec<(Place, Ordinal)>>,
    /// Rung when some have come out, or none will any more.
    changed: Bell,
}

impl Receipts {
    /// Nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waited.borrow().is_empty()
    }

    /// Waits for the message with this id.
    pub(super) fn expect(&self, id: String) -> Place {
        let place = Place::default();
        self.waited.borrow_mut().insert(id, Rc::clone(&place));
        place
    }

    /// Doesn't wait for it any more.
    pub(super) fn forget(&self, id: &str) {
        self.waited.borrow_mut().remove(id);
    }

    /// A message has come out.
    pub(super) fn seen(&self, ordinal: Ordinal, message: &[u8]) {
        if self.is_empty() {
            return;
        }
        let place = amqp10::message_id(message).and_then(|id| self.waited.borrow_mut().remove(id));
        if let Some(place) = place {
            self.fresh.borrow_mut().push((place, ordinal));
        }
    }

    /// The chunk whose messages were seen is visible.
    pub(super) fn told(&self, timestamp: Timestamp) {
        let fresh = std::mem::take(&mut *self.fresh.borrow_mut());
        if !fresh.is_empty() {
            for (place, ordinal) in fresh {
                place.set(Some((ordinal, timestamp)));
            }
            self.changed.ring();
        }
    }

    /// Nothing will come out any more.
    pub(super) fn clear(&self) {
        self.waited.borrow_mut().clear();
        self.changed.ring();
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.changed.rung().await;
    }
}
