//! Who may write: appends that meet are committed together by one of them.
//!
//! Everyone who wants to write takes a ticket and stands in line. The one in front *leads*: it
//! alone may write, takes a group of appends from the front of the line, commits it, answers the
//! tickets, and hands the lead to whoever is then in front. A leader serves one group, its own, so
//! nobody works for the others for ever, and no task is spawned. A group is bounded: whoever stands
//! behind it waits, which is the backpressure.
//!
//! ```text
//! enter ──► in line ──► leads ──► takes a group ──► answers it ──► next one leads
//!                │                                    │
//!                └────── answered by another leader ◄─┘
//! ```
//!
//! Knows nothing about disks: what a group becomes is the leader's business.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::limits::{GROUP_BYTES_MAX, GROUP_EVENTS_MAX};
use crate::store::{AppendError, Receipt};

pub(super) type Answer = Result<Receipt, AppendError>;

/// The line of those who want to write.
#[derive(Default)]
pub(super) struct Queue {
    line: RefCell<VecDeque<Rc<Ticket>>>,
    /// Somebody leads or was told to.
    led: Cell<bool>,
}

/// One who wants to write.
pub(super) struct Ticket {
    /// What it wants to append; nothing when it wants the lead for something else.
    bodies: Vec<Bytes>,
    bytes: usize,
    state: RefCell<State>,
}

enum State {
    InLine(Option<Waker>),
    Leads,
    Answered(Answer),
    /// The answer or the lead was taken.
    Done,
}

/// What came of standing in line.
pub(super) enum Entered<'a> {
    Leads(Turn<'a>),
    Answered(Answer),
}

/// The lead: dropping it hands it on.
pub(super) struct Turn<'a> {
    queue: &'a Queue,
    /// What the leader itself came for.
    ticket: Rc<Ticket>,
}

impl Queue {
    /// Stands in line with `bodies` until it leads, or another leader has answered.
    pub(super) async fn enter(&self, bodies: Vec<Bytes>) -> Entered<'_> {
        let bytes = bodies.iter().map(Bytes::len).sum();
        let state = RefCell::new(State::InLine(None));
        let ticket = Rc::new(Ticket { bodies, bytes, state });
        self.line.borrow_mut().push_back(Rc::clone(&ticket));
        if !self.led.replace(true) {
            ticket.state.replace(State::Leads);
        }
        let stand = Stand { queue: self, ticket: Rc::clone(&ticket) };
        let answer = poll_fn(|context| stand.ticket.poll(context)).await;
        match answer {
            Some(answer) => Entered::Answered(answer),
            None => Entered::Leads(Turn { queue: self, ticket }),
        }
    }

    /// Waits for the lead, for anything but an append.
    pub(super) async fn lead(&self) -> Turn<'_> {
        match self.enter(Vec::new()).await {
            Entered::Leads(turn) => {
                let front = self.line.borrow_mut().pop_front();
                assert!(front.is_some_and(|front| Rc::ptr_eq(&front, &turn.ticket)));
                turn
            }
            Entered::Answered(_) => unreachable!("only appends are in a group"),
        }
    }

    fn hand_on(&self) {
        match self.line.borrow().front() {
            Some(next) => next.become_leader(),
            None => self.led.set(false),
        }
    }
}

impl Turn<'_> {
    /// Takes the appends in front, at least the leader's own.
    pub(super) fn take_group(&self) -> Vec<Rc<Ticket>> {
        let mut line = self.queue.line.borrow_mut();
        let mut group: Vec<Rc<Ticket>> = Vec::new();
        let (mut bytes, mut events) = (0, 0);
        while let Some(ticket) = line.front() {
            bytes += ticket.bytes;
            events += ticket.bodies.len();
            let fits = bytes <= GROUP_BYTES_MAX && events <= GROUP_EVENTS_MAX;
            if ticket.bodies.is_empty() || !(fits || group.is_empty()) {
                break;
            }
            group.extend(line.pop_front());
        }
        let own = group.first().is_some_and(|first| Rc::ptr_eq(first, &self.ticket));
        assert!(own, "the leader stands in front");
        group
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.hand_on();
    }
}

impl Ticket {
    pub(super) fn bodies(&self) -> &[Bytes] {
        &self.bodies
    }

    /// Gives the answer to whoever waits with this ticket.
    pub(super) fn answer(&self, answer: Answer) {
        self.change(State::Answered(answer));
    }

    /// Takes the answer of a ticket that led.
    pub(super) fn into_answer(self: Rc<Self>) -> Option<Answer> {
        match self.state.replace(State::Done) {
            State::Answered(answer) => Some(answer),
            State::InLine(_) | State::Leads | State::Done => None,
        }
    }

    fn become_leader(&self) {
        self.change(State::Leads);
    }

    fn change(&self, state: State) {
        if let State::InLine(Some(waker)) = self.state.replace(state) {
            waker.wake();
        }
    }

    /// `Some` is an answer, `None` the lead.
    fn poll(&self, context: &Context<'_>) -> Poll<Option<Answer>> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Done) {
            State::InLine(_) => {
                *state = State::InLine(Some(context.waker().clone()));
                Poll::Pending
            }
            State::Leads => Poll::Ready(None),
            State::Answered(answer) => Poll::Ready(Some(answer)),
            State::Done => unreachable!("a ticket is not polled after it was answered"),
        }
    }
}

/// Somebody in line; one who walks away neither blocks it nor keeps the lead.
struct Stand<'a> {
    queue: &'a Queue,
    ticket: Rc<Ticket>,
}

impl Drop for Stand<'_> {
    fn drop(&mut self) {
        let leads = match &*self.ticket.state.borrow() {
            State::InLine(_) => false,
            State::Leads => true,
            State::Answered(_) | State::Done => return,
        };
        self.queue.line.borrow_mut().retain(|ticket| !Rc::ptr_eq(ticket, &self.ticket));
        if leads {
            self.queue.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use super::*;
    use crate::event::{Ordinal, Timestamp};

    type Entering<'a> = Pin<Box<dyn Future<Output = Entered<'a>> + 'a>>;

    fn enter<'a>(queue: &'a Queue, count: usize, bytes: usize) -> Entering<'a> {
        let mut entering: Entering<'a> =
            Box::pin(queue.enter(vec![Bytes::from(vec![b'x'; bytes]); count]));
        // Its place in line is that of its first poll.
        let entered = poll(&mut entering);
        assert!(entered.is_none(), "somebody else leads");
        entering
    }

    fn poll<'a>(entering: &mut Entering<'a>) -> Option<Entered<'a>> {
        match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => Some(entered),
            Poll::Pending => None,
        }
    }

    fn lead<'a>(queue: &'a Queue, bodies: usize) -> Turn<'a> {
        let mut entering: Entering<'a> =
            Box::pin(queue.enter(vec![Bytes::from_static(b"x"); bodies]));
        turn(poll(&mut entering))
    }

    fn turn(entered: Option<Entered<'_>>) -> Turn<'_> {
        match entered {
            Some(Entered::Leads(turn)) => turn,
            Some(Entered::Answered(_)) | None => panic!("it should lead"),
        }
    }

    fn receipt() -> Answer {
        let first = Ordinal::new(1);
        Ok(Receipt { first, last: first, timestamp: Timestamp::EPOCH, withheld: Vec::new() })
    }

    #[test]
    fn those_who_wait_are_answered_by_the_leader_and_the_next_leads() {
        let queue = Queue::default();
        let turn_one = lead(&queue, 1);
        let mut second = enter(&queue, 1, 1);
        let group = turn_one.take_group();
        assert_eq!(group.len(), 2);
        let mut late = enter(&queue, 1, 1);
        for ticket in &group {
            ticket.answer(receipt());
        }
        assert!(poll(&mut late).is_none(), "the lead is not free yet");
        drop(turn_one);
        assert!(matches!(poll(&mut second), Some(Entered::Answered(Ok(_)))));
        let turn_two = turn(poll(&mut late));
        assert_eq!(turn_two.take_group().len(), 1, "a leader serves no group but its own");
    }

    #[test]
    fn a_group_is_bounded_on_both_sides_of_both_limits() {
        for (count, bytes, fits) in [
            (1, GROUP_BYTES_MAX - 1, true),
            (1, GROUP_BYTES_MAX, false),
            (GROUP_EVENTS_MAX - 1, 0, true),
            (GROUP_EVENTS_MAX, 0, false),
        ] {
            let queue = Queue::default();
            let turn = lead(&queue, 1);
            let _second = enter(&queue, count, bytes);
            assert_eq!(turn.take_group().len(), if fits { 2 } else { 1 }, "{count} {bytes}");
        }
        let queue = Queue::default();
        let turn = lead(&queue, GROUP_EVENTS_MAX + 1);
        assert_eq!(turn.take_group().len(), 1, "one that is too large goes alone");
    }

    #[test]
    fn who_wants_only_the_lead_splits_groups_and_keeps_its_place() {
        let queue = Queue::default();
        let turn = lead(&queue, 1);
        let mut maintenance = Box::pin(queue.lead());
        let mut context = Context::from_waker(Waker::noop());
        assert!(maintenance.as_mut().poll(&mut context).is_pending());
        let mut behind = enter(&queue, 1, 1);
        assert_eq!(turn.take_group().len(), 1);
        drop(turn);
        assert!(poll(&mut behind).is_none());
        let Poll::Ready(turn) = maintenance.as_mut().poll(&mut context) else {
            panic!("it is its turn");
        };
        drop(turn);
        assert!(matches!(poll(&mut behind), Some(Entered::Leads(_))));
    }

    #[test]
    fn one_who_walks_away_blocks_nobody() {
        let queue = Queue::default();
        let turn_one = lead(&queue, 1);
        let gone = enter(&queue, 1, 1);
        let told = enter(&queue, 1, 1);
        let mut last = enter(&queue, 1, 1);
        drop(gone);
        assert_eq!(turn_one.take_group().len(), 3);
        drop((turn_one, told));
        let queue_two = Queue::default();
        let turn_two = lead(&queue_two, 1);
        let next = enter(&queue_two, 1, 1);
        let mut after = enter(&queue_two, 1, 1);
        drop(turn_two.queue.line.borrow_mut().pop_front());
        drop(turn_two);
        drop(next);
        assert!(matches!(poll(&mut after), Some(Entered::Leads(_))), "the lead was handed on");
        assert!(poll(&mut last).is_none(), "its leader never answered");
    }
}
