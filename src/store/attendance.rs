//! Watching a stream at a broker while somebody is here: what every such feed goes through.
//!
//! ```text
//!  Idle ─ attend ─▶ Starting ─▶ Live ─ lost ─▶ Away ─ backoff ─▶ Live …
//!    ▲                  │         │              │
//!    └── nobody here ───┴─────────┴──────────────┘     Missing: no such stream
//! ```
//!
//! A feed's one task asks [`Attendance::wanted`], says how it went, and backs off here; whoever
//! attends waits here for what comes of it. What watching means is the feed's.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use monoio::time::timeout;

use crate::clock::monotonic;
use crate::limits::{BROKER_ATTEND_TIMEOUT, BROKER_GRACE};
use crate::net::backoff;
use crate::wait::Bell;

/// How a stream is watched now, with the faults `F` of what watches it.
pub(super) struct Attendance<F> {
    state: Cell<State>,
    /// The feed's task is at work.
    running: Cell<bool>,
    wanted: Cell<bool>,
    /// When somebody last was here.
    touched: Cell<Instant>,
    /// Attempts that failed, ever and in a row.
    failures: Cell<u64>,
    failures_in_a_row: Cell<u32>,
    failed: RefCell<Option<F>>,
    /// Rung when any of this, or of the feed's own, has changed.
    pub(super) changed: Bell,
}

/// Where a feed stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nobody is here.
    Idle,
    /// Somebody is; it isn't watched yet.
    Starting,
    /// It is watched.
    Live,
    /// It was, or should be; the next attempt comes after a while.
    Away,
    /// There is no such stream.
    Missing,
    /// Closed for good.
    Closed,
}

/// Why nobody can attend, other than for a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// There is no such stream.
    Missing,
    /// It is closed.
    Closed,
    /// It takes too long.
    Late,
}

impl<F> Default for Attendance<F> {
    fn default() -> Self {
        Self {
            state: Cell::new(State::Idle),
            running: Cell::new(false),
            wanted: Cell::new(false),
            touched: Cell::new(monotonic()),
            failures: Cell::new(0),
            failures_in_a_row: Cell::new(0),
            failed: RefCell::new(None),
            changed: Bell::default(),
        }
    }
}

impl<F: Clone> Attendance<F> {
    /// Where it stands.
    pub(super) fn state(&self) -> State {
        self.state.get()
    }

    /// Whether its task should go on. What is closed is wanted by nobody, whoever still attends.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.get() && self.state.get() != State::Closed
    }

    /// Waits until the stream is watched, but not for long. `start` starts the feed's task where
    /// [`Attendance::begins`].
    ///
    /// # Errors
    ///
    /// The fault of the next attempt that fails, or what `denied` makes of another reason.
    pub(super) async fn attend(
        &self,
        start: impl Fn(),
        denied: impl Fn(Denied) -> F,
    ) -> Result<(), F> {
        self.touched.set(monotonic());
        self.wanted.set(true);
        if self.state.get() == State::Live {
            return Ok(());
        }
        start();
        let failures = self.failures.get();
        let failure = || self.failed.borrow().clone().unwrap_or_else(|| denied(Denied::Late));
        let attending = async {
            loop {
                match self.state.get() {
                    State::Live => return Ok(()),
                    State::Missing => return Err(denied(Denied::Missing)),
                    State::Closed => return Err(denied(Denied::Closed)),
                    State::Idle => start(),
                    State::Starting | State::Away => {}
                }
                if self.failures.get() != failures {
                    return Err(failure());
                }
                self.changed.rung().await;
            }
        };
        timeout(BROKER_ATTEND_TIMEOUT, attending).await.unwrap_or_else(|_| Err(failure()))
    }

    /// Whether a task has to be started now, and that it is.
    pub(super) fn begins(&self) -> bool {
        let begins = self.state.get() != State::Closed && !self.running.replace(true);
        if begins {
            self.state.set(State::Starting);
        }
        begins
    }

    /// It is watched; true when it was away.
    pub(super) fn live(&self) -> bool {
        self.failures_in_a_row.set(0);
        let before = self.state.replace(State::Live);
        self.changed.ring();
        before == State::Away
    }

    /// It can't be watched now; true when it was.
    pub(super) fn away(&self, fault: F) -> bool {
        let before = self.state.replace(State::Away);
        *self.failed.borrow_mut() = Some(fault);
        self.failures.set(self.failures.get() + 1);
        self.changed.ring();
        before == State::Live
    }

    /// Waits before the next attempt.
    pub(super) async fn back_off(&self) {
        let failures = self.failures_in_a_row.get();
        self.failures_in_a_row.set(failures.saturating_add(1));
        monoio::time::sleep(backoff::wait(failures)).await;
    }

    /// The feed's task has ended; true when who attends next begins anew.
    pub(super) fn ends(&self) -> bool {
        self.running.set(false);
        self.failures_in_a_row.set(0);
        let idle = !matches!(self.state.get(), State::Closed | State::Missing);
        if idle {
            self.state.set(State::Idle);
        }
        self.changed.ring();
        idle
    }

    /// Is told again and again whether anybody is here; true when nobody was for so long that it
    /// isn't wanted any more.
    pub(super) fn tend(&self, busy: bool) -> bool {
        if !self.wanted.get() {
            return false;
        }
        let now = monotonic();
        if busy {
            self.touched.set(now);
            return false;
        }
        let over = now.saturating_duration_since(self.touched.get()) > BROKER_GRACE;
        if over {
            self.wanted.set(false);
        }
        over
    }

    /// It isn't wanted any more, and stands here.
    pub(super) fn stop(&self, state: State) {
        self.wanted.set(false);
        self.state.set(state);
        self.changed.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What attending comes to at its first look.
    fn first_look(attendance: &Attendance<&'static str>) -> Poll<Result<(), &'static str>> {
        let denied = |why| match why {
            Denied::Missing => "missing",
            Denied::Closed => "closed",
            Denied::Late => "late",
        };
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().expect("epoll is there").block_on(async {
            let start = || {
                let _ = attendance.begins();
            };
            let mut attending = pin!(attendance.attend(start, denied));
            attending.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
    }

    #[test]
    fn who_attends_waits_until_it_is_live_or_the_next_attempt_fails() {
        let attendance = Attendance::default();
        assert!(first_look(&attendance).is_pending());
        assert_eq!((attendance.state(), attendance.wanted()), (State::Starting, true));
        assert!(!attendance.begins(), "one task");
        assert!(!attendance.away("refused"), "it was not live");
        assert!(first_look(&attendance).is_pending(), "an old failure is not the answer");
        assert!(attendance.live(), "it was away");
        assert_eq!(first_look(&attendance), Poll::Ready(Ok(())));
        assert!(attendance.away("lost"), "it was live");
    }

    #[test]
    fn who_attends_is_told_what_is_final() {
        let attendance = Attendance::default();
        assert!(attendance.begins());
        attendance.stop(State::Missing);
        assert_eq!(first_look(&attendance), Poll::Ready(Err("missing")));
        assert!(!attendance.ends(), "missing it stays");
        assert!(attendance.begins(), "who comes next looks again");
        attendance.stop(State::Closed);
        assert!(!attendance.ends() && !attendance.begins());
        assert_eq!(first_look(&attendance), Poll::Ready(Err("closed")));
        assert!(!attendance.wanted(), "asking for it doesn't open it again");
    }

    #[test]
    fn nobody_is_watched_for_until_somebody_was_here() {
        let attendance = Attendance::<()>::default();
        assert!(!attendance.tend(false), "it never was wanted");
        assert!(attendance.begins());
        attendance.wanted.set(true);
        assert!(!attendance.tend(false), "there is some grace");
        attendance.touched.set(monotonic() - BROKER_GRACE - BROKER_GRACE);
        assert!(!attendance.tend(true), "somebody is here");
        attendance.touched.set(monotonic() - BROKER_GRACE - BROKER_GRACE);
        assert!(attendance.tend(false) && !attendance.wanted());
        assert!(!attendance.tend(false), "it is told once");
        assert!(attendance.ends());
        assert_eq!(attendance.state(), State::Idle);
    }
}
