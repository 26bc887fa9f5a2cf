//! A bounded number of permits, given back when dropped.

use async_channel::{Receiver, Sender, bounded};

/// A pool of permits on one shard.
pub struct Permits {
    give: Sender<()>,
    take: Receiver<()>,
}

/// One permit.
pub struct Permit(Sender<()>);

impl Permits {
    /// A pool of `count`.
    pub fn new(count: usize) -> Self {
        let (give, take) = bounded(count);
        for _ in 0..count {
            let room = give.try_send(()).is_ok();
            assert!(room, "the pool has room for its own permits");
        }
        Self { give, take }
    }

    /// Waits for a permit.
    pub async fn take(&self) -> Permit {
        let taken = self.take.recv().await.is_ok();
        assert!(taken, "the pool holds both ends");
        Permit(self.give.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // A closed pool is one whose shard is ending.
        let full = self.0.try_send(()).is_err_and(|fault| fault.is_full());
        assert!(!full || std::thread::panicking(), "a permit comes back once");
    }
}
