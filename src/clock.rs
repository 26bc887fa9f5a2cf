//! The only place that asks what time it is.
//!
//! Logic takes `now` as an argument or holds a [`Clock`], so that a test owns time.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::ops::Add;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::event::Timestamp;

/// A source of wall-clock time. Clones share a manual clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that moves when told to.
    Manual(Rc<Cell<Timestamp>>),
}

impl Clock {
    /// A clock that stands at `timestamp` until [`Clock::set`].
    #[must_use]
    pub fn manual(timestamp: Timestamp) -> Self {
        Self::Manual(Rc::new(Cell::new(timestamp)))
    }

    /// Moves a manual clock, backwards too.
    ///
    /// # Panics
    ///
    /// On the machine's clock: that one is not ours to move.
    pub fn set(&self, timestamp: Timestamp) {
        match self {
            Self::System => panic!("the machine's clock is not ours to move"),
            Self::Manual(cell) => cell.set(timestamp),
        }
    }

    /// The time now. A machine whose clock stands before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(cell) => cell.get(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn system_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment on the clock that never goes back, for timeouts.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Processor time that this thread has used so far.
#[must_use]
pub fn thread_busy() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Processor time that all threads of the process have used so far.
#[must_use]
pub fn process_busy() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// A moment of [`monotonic`] time in half the room that an `Instant` takes: every consumer keeps a
/// few.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tick(NonZeroU64);

impl Tick {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let origin = ORIGIN.get_or_init(monotonic);
        Self::at(nanos(monotonic().saturating_duration_since(*origin)))
    }

    /// How long ago `earlier` was at this moment; nothing when it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// So many nanoseconds after the first of all; never zero, so that no moment costs no room.
    fn at(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanos(time)))
    }
}

/// 584 years, at most.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_as_far_apart_as_they_were_put() {
        let now = Tick::now();
        let later = now + Duration::from_millis(1_500);
        assert_eq!(later.since(now), Duration::from_millis(1_500));
        assert_eq!(now.since(later), Duration::ZERO);
        assert!(later > now && now + Duration::MAX > later);
        assert!(Tick::now() >= now);
        assert_eq!(size_of::<Option<Tick>>(), 8);
    }
}
