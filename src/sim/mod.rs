//! A disk that forgets, and lives and deaths of a log on it.
//!
//! Everything that happens follows from a seed: the same seed gives the same history, down to the
//! last operation. Nothing of this is in a release build.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "the simulator runs on 64 bits and stops where something is wrong"
)]

#[cfg(test)]
mod damage;
mod dice;
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod history;
mod medium;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use dice::Dice;
pub use disk::{Counts, SimDisk, SimFile};
pub use medium::Survival;

/// Runs a future to its end. Whatever it waits for must happen by its being polled.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..POLLS_MAX {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(value) = polled {
            return value;
        }
    }
    panic!("a simulated future waits for nothing");
}

/// Lets everyone else go first once.
pub(crate) async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

/// More than any simulated history takes.
const POLLS_MAX: u64 = 100_000_000;
