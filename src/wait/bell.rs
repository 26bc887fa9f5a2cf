//! Waking tasks of one shard that wait for something to change.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Rung when something has changed. Who waits looks first, and again after each ring: on one thread
/// nothing can happen between the look and the wait.
#[derive(Debug, Default)]
pub struct Bell {
    rings: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Bell {
    /// Wakes everybody who waits.
    pub fn ring(&self) {
        self.rings.set(self.rings.get() + 1);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }

    /// Waits for the next ring. May be dropped at any time.
    pub async fn rung(&self) {
        let heard = self.rings.get();
        poll_fn(|context| {
            if self.rings.get() != heard {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[test]
    fn everybody_who_waits_hears_the_next_ring_only() {
        let bell = Bell::default();
        bell.ring();
        let mut context = Context::from_waker(Waker::noop());
        let (mut one, mut two) = (pin!(bell.rung()), pin!(bell.rung()));
        assert!(one.as_mut().poll(&mut context).is_pending());
        assert!(one.as_mut().poll(&mut context).is_pending());
        assert!(two.as_mut().poll(&mut context).is_pending());
        assert_eq!(bell.waiting.borrow().len(), 1, "polling again takes no more room");
        bell.ring();
        assert!(one.as_mut().poll(&mut context).is_ready());
        assert!(two.as_mut().poll(&mut context).is_ready());
        assert!(bell.waiting.borrow().is_empty());
    }
}
