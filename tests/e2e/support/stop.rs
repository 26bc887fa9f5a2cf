//! Telling threads to stop.

use std::sync::atomic::{AtomicBool, Ordering};

/// Tells the threads of a scope that the test is done with them.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    pub(crate) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells them when dropped, so also when the test fails: a scope waits for its threads, and
    /// would wait for ever.
    pub(crate) fn at_the_latest(&self) -> AtTheLatest<'_> {
        AtTheLatest(self)
    }
}

/// See [`Stop::at_the_latest`].
pub(crate) struct AtTheLatest<'a>(&'a Stop);

impl Drop for AtTheLatest<'_> {
    fn drop(&mut self) {
        self.0.tell();
    }
}
