//! Names for requests that came without one of their own.

use std::cell::Cell;

use crate::proto::http::{Head, RequestId};

/// The names that one shard gives: a number of its own that nobody else has, and a count.
pub(super) struct RequestIds {
    prefix: u64,
    next: Cell<u64>,
}

impl RequestIds {
    /// A shard's, for one life of the service.
    pub(super) fn new() -> Self {
        Self { prefix: uuid::Uuid::new_v4().as_u64_pair().0, next: Cell::new(1) }
    }

    /// The caller's name for its request, or a new one.
    pub(super) fn of(&self, head: &Head) -> RequestId {
        RequestId::of(head).unwrap_or_else(|| self.make())
    }

    /// A new name.
    pub(super) fn make(&self) -> RequestId {
        let number = self.next.get();
        self.next.set(number + 1);
        RequestId::made(self.prefix, number)
    }
}
