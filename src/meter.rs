//! Counting what happens, where it happens: plain cells of one thread.
//!
//! Nothing here locks, allocates or asks the time; a count is an addition. What is counted is read
//! by the census, which takes it to another thread as plain data.

use std::cell::Cell;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Count(Cell<u64>);

impl Count {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.set(self.0.get() + more);
    }

    /// How many there were.
    #[must_use]
    pub const fn get(&self) -> u64 {
        self.0.get()
    }
}
