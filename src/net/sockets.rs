//! How many connections the process holds, and how many it may.
//!
//! Descriptors are the process's, so this is the one number that shards share: it changes once a
//! connection, never with an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections of the process. Clones count together.
#[derive(Clone, Debug)]
pub struct Sockets {
    open: Arc<AtomicUsize>,
    max: usize,
}

/// One connection, until dropped.
#[derive(Debug)]
pub struct One(Arc<AtomicUsize>);

impl Sockets {
    /// Room for `max` connections.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { open: Arc::default(), max }
    }

    /// Counts one more.
    #[must_use]
    pub fn one(&self) -> One {
        self.open.fetch_add(1, Ordering::Relaxed);
        One(Arc::clone(&self.open))
    }

    /// Connections now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that there may be.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Whether no more should be accepted. Shards that look at the same moment may together accept
    /// a few more.
    #[must_use]
    pub fn full(&self) -> bool {
        self.open() >= self.max
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_until_they_are_gone() {
        let sockets = Sockets::new(2);
        let one = sockets.one();
        assert!(!sockets.full());
        let clone = sockets.clone();
        let two = clone.one();
        assert!(sockets.full());
        drop(one);
        assert_eq!(sockets.open(), 1);
        drop(two);
        assert_eq!(sockets.open(), 0);
    }
}
