//! Where our own publishes come out of a stream that a broker keeps.
//!
//! A broker confirms that a message is stored but doesn't say where. So the messages whose ordinals
//! matter to the publisher carry a message-id of ours ([`Marks`]), and whoever watches the stream
//! tells where it saw them ([`Receipts`]).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use monoio::time::timeout;
use uuid::Uuid;

use super::{AppendError, Receipt};
use crate::enrich::Undeliverable;
use crate::event::{Ordinal, Timestamp};
use crate::limits::BROKER_CONFIRM_TIMEOUT;
use crate::wait::Bell;

/// Where a message has come out.
pub(super) type Place = Rc<Cell<Option<(Ordinal, Timestamp)>>>;

/// The messages that are waited for, by their ids.
#[derive(Default)]
pub(super) struct Receipts {
    waited: RefCell<HashMap<String, Place>>,
    /// Seen in what is at hand, whose timestamp comes with its end.
    fresh: RefCell<Vec<(Place, Ordinal)>>,
    /// Rung when some have come out, or none will any more.
    changed: Bell,
    /// How often it was said that nothing more will come out.
    cleared: Cell<u64>,
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

    /// A message has come out. Its id is only asked for when somebody waits.
    pub(super) fn seen<'a>(&self, ordinal: Ordinal, id: impl FnOnce() -> Option<&'a str>) {
        if self.is_empty() {
            return;
        }
        let place = id().and_then(|id| self.waited.borrow_mut().remove(id));
        if let Some(place) = place {
            self.fresh.borrow_mut().push((place, ordinal));
        }
    }

    /// The messages that were seen are visible.
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
        self.cleared.set(self.cleared.get() + 1);
        self.changed.ring();
    }
}

/// Which messages of an append have ids: the first, the last, and what will be withheld.
pub(super) struct Marks {
    /// Of all ids.
    prefix: String,
    /// Indices of the messages with ids, in order.
    marked: Vec<(usize, Option<Undeliverable>)>,
}

impl Marks {
    /// Of messages with these bodies; `why` says why one will be withheld.
    pub(super) fn new(bodies: &[Bytes], why: impl Fn(&[u8]) -> Option<Undeliverable>) -> Self {
        let last = bodies.len().saturating_sub(1);
        let marked: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| (index, why(body)))
            .filter(|(index, why)| *index == 0 || *index == last || why.is_some())
            .collect();
        Self { prefix: Uuid::new_v4().simple().to_string(), marked }
    }

    /// The id of a message, if it has one.
    pub(super) fn id(&self, index: usize) -> Option<String> {
        let marked = self.marked.binary_search_by_key(&index, |(index, _)| *index).is_ok();
        marked.then(|| format!("{}-{index}", self.prefix))
    }

    /// Waits for them; begun before they are sent.
    pub(super) fn expect<'a>(&self, receipts: &'a Receipts) -> Expected<'a> {
        let marked = self.marked.iter().map(|(index, why)| {
            let id = format!("{}-{index}", self.prefix);
            Mark { place: receipts.expect(id.clone()), id, why: why.clone() }
        });
        Expected { receipts, marks: marked.collect(), cleared: receipts.cleared.get() }
    }
}

/// What is waited for, for as long as this is held.
pub(super) struct Expected<'a> {
    receipts: &'a Receipts,
    marks: Vec<Mark>,
    /// What [`Receipts::cleared`] was when the waiting began.
    cleared: u64,
}

struct Mark {
    id: String,
    place: Place,
    why: Option<Undeliverable>,
}

impl Expected<'_> {
    /// Waits until all have come out, but not for long, and not when none will any more.
    ///
    /// # Errors
    ///
    /// [`AppendError::Unknown`] with `missing` when they don't come out.
    pub(super) async fn shown(&self, missing: &'static str) -> Result<Receipt, AppendError> {
        let shown = async {
            while !self.whole() && self.receipts.cleared.get() == self.cleared {
                self.receipts.changed.rung().await;
            }
        };
        let _ = timeout(BROKER_CONFIRM_TIMEOUT, shown).await;
        self.receipt().ok_or_else(|| AppendError::Unknown(missing.into()))
    }

    /// Whether all have come out.
    fn whole(&self) -> bool {
        self.marks.iter().all(|mark| mark.place.get().is_some())
    }

    /// Where they are, once first and last have come out.
    fn receipt(&self) -> Option<Receipt> {
        let (first, _) = self.marks.first()?.place.get()?;
        let (last, timestamp) = self.marks.last()?.place.get()?;
        let withheld = |mark: &Mark| Some((mark.place.get()?.0, mark.why.clone()?));
        let withheld = self.marks.iter().filter_map(withheld).collect();
        Some(Receipt { first, last, timestamp, withheld })
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.marks.iter().for_each(|mark| self.receipts.forget(&mark.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_whole_when_first_last_and_withheld_have_come_out() {
        let receipts = Receipts::default();
        let bodies = ["a", "b", "", "c", "d"].map(Bytes::from);
        let empty = |body: &[u8]| body.is_empty().then_some(Undeliverable::Empty);
        let marks = Marks::new(&bodies, empty);
        let ids: Vec<_> = (0..bodies.len()).map(|index| marks.id(index)).collect();
        assert!(ids[0].is_some() && ids[2].is_some() && ids[4].is_some());
        assert!(ids[1].is_none() && ids[3].is_none(), "nobody asks where those are");
        let expected = marks.expect(&receipts);
        receipts.seen(Ordinal::new(7), || ids[0].as_deref());
        receipts.seen(Ordinal::new(8), || None);
        receipts.seen(Ordinal::new(9), || ids[2].as_deref());
        receipts.told(Timestamp::from_millis(1));
        assert!(!expected.whole() && expected.receipt().is_none());
        receipts.seen(Ordinal::new(11), || ids[4].as_deref());
        assert!(!expected.whole(), "its timestamp isn't known yet");
        receipts.told(Timestamp::from_millis(2));
        assert!(expected.whole());
        let withheld = vec![(Ordinal::new(9), Undeliverable::Empty)];
        let timestamp = Timestamp::from_millis(2);
        let (first, last) = (Ordinal::new(7), Ordinal::new(11));
        assert_eq!(expected.receipt(), Some(Receipt { first, last, timestamp, withheld }));
        drop(expected);
        assert!(receipts.is_empty());
    }

    #[test]
    fn who_gives_up_is_waited_for_no_more() {
        let receipts = Receipts::default();
        let marks = Marks::new(&[Bytes::from_static(b"a")], |_| None);
        let expected = marks.expect(&receipts);
        assert!(!receipts.is_empty());
        drop(expected);
        assert!(receipts.is_empty());
        receipts.seen(Ordinal::new(1), || panic!("nobody waits"));
    }
}
