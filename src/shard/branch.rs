//! A branch: a stream's consumers on a shard that isn't its home.
//!
//! A branch is a [`Home`] without a store: a tail of its own, which follows the root's by pulling,
//! and sessions of its own. Its history is read by the root. It is made by the first consumer that
//! the root sends, and goes when nobody was on it for a while, or with its stream.

use std::cell::Cell;
use std::rc::Rc;

use async_channel::bounded;
use log::{info, warn};

use crate::clock::Tick;
use crate::event::{Cursor, Ordinal, StreamName};
use crate::limits::BRANCH_GRACE;
use crate::store::{ReadError, Reading, Store};

use super::context::Shard;
use super::farewell;
use super::home::Home;
use super::line::{Answer, Answered, Ask, Ending, Graft, Line, Request, Told};
use super::reasons;

/// What a branch has instead of a store.
pub(super) struct Trunk {
    line: Line,
    /// Consumers that came by graft, ever.
    taken: Cell<u64>,
    told: Cell<Told>,
    /// Since when nobody is here.
    vacant: Cell<Option<Tick>>,
}

impl Trunk {
    fn new(line: Line) -> Self {
        let (taken, told, vacant) = Default::default();
        Self { line, taken, told, vacant }
    }

    /// Reads the history from `from` on, at the root.
    pub(super) fn reader(&self, from: Cursor) -> RootReader {
        RootReader { line: self.line.clone(), asks: None, cursor: from, floor: from.ordinal }
    }

    /// Tells the root how `branch` stands, where that has changed, and asks to go when nobody was
    /// here for a while. What the line has no room for is told the next time.
    pub(super) fn tell<S: Store>(&self, branch: &Home<S>, now: Tick) {
        let hub = branch.hub.borrow();
        let sessions = hub.sessions.iter().map(|(_, seat)| seat.session());
        let owed = sessions.filter(|session| session.ended.get().is_none());
        let slowest = owed.map(|session| session.standing().0.ordinal).min();
        let (taken, consumers) = (self.taken.get(), hub.sessions.len());
        let told = Told { taken, consumers, slowest, traffic: branch.flow.traffic() };
        if told != self.told.get() {
            if self.line.try_send(Request::Told(told)).is_err() {
                return;
            }
            self.told.set(told);
        }
        if consumers > 0 {
            return self.vacant.set(None);
        }
        let since = self.vacant.get().unwrap_or(now);
        self.vacant.set(Some(since));
        if now.since(since) >= BRANCH_GRACE {
            let _ = self.line.try_send(Request::Leave { taken });
        }
    }
}

impl<S: Store> Shard<S> {
    /// The branch of the stream `name` here.
    pub(super) fn branch(&self, name: &StreamName) -> Option<Rc<Home<S>>> {
        self.branches.borrow().get(name).cloned()
    }

    /// The branch at the end of this line, made where there is none; its tail begins at `ceiling`.
    fn branch_of(self: &Rc<Self>, name: &StreamName, line: &Line, ceiling: Ordinal) -> Rc<Home<S>> {
        let current = self.branch(name);
        let same = |home: &Rc<Home<S>>| home.trunk().is_some_and(|t| t.line.same_channel(line));
        if let Some(home) = current.filter(same) {
            return home;
        }
        let home = Home::branch(self, name.clone(), ceiling, Trunk::new(line.clone()));
        let before = self.branches.borrow_mut().insert(name.clone(), Rc::clone(&home));
        self.leaving.borrow_mut().extend(before);
        monoio::spawn(follow(Rc::clone(&home)));
        home
    }

    /// Takes the branch out, while its last consumers are still being sent away.
    fn cut(&self, branch: &Rc<Home<S>>) {
        let mut branches = self.branches.borrow_mut();
        if branches.get(&branch.name).is_some_and(|current| Rc::ptr_eq(current, branch)) {
            branches.remove(&branch.name);
            self.leaving.borrow_mut().push(Rc::clone(branch));
        }
    }
}

/// Takes in a consumer that the root has placed, or says why not.
pub(super) async fn take_in<S: Store>(shard: Rc<Shard<S>>, graft: Graft) {
    let Graft { line, socket, event_stream, placement, greeting, request } = graft;
    let known = shard.directory.borrow().by_uuid(&event_stream.uuid).is_some();
    let branch = (!line.is_closed())
        .then(|| shard.branch_of(&event_stream.routing_key, &line, placement.joined));
    if let Some(trunk) = branch.as_ref().and_then(|branch| branch.trunk()) {
        trunk.taken.set(trunk.taken.get() + 1);
    }
    let reason = match branch {
        _ if shard.stopping.get() => reasons::RESTART,
        _ if !known => reasons::DELETED,
        Some(branch) => {
            return branch.take_in(socket, event_stream, placement, &greeting, &request).await;
        }
        None => reasons::not_found(&event_stream.uuid),
    };
    match socket.unpark() {
        Ok(socket) => farewell::refuse(&shard, socket, &greeting, &reason, &request).await,
        Err(fault) => {
            let index = shard.index;
            warn!(request_id:% = request; "shard {index} can't take over a connection: {fault}");
        }
    }
}

/// Follows the root until the branch has to go.
async fn follow<S: Store>(branch: Rc<Home<S>>) {
    let Some(trunk) = branch.trunk() else { return };
    let ending = loop {
        let (reply, answer) = bounded(1);
        let from = branch.ceiling();
        if trunk.line.send(Request::Pull { from, reply }).await.is_err() {
            break None;
        }
        match answer.recv().await {
            Ok(Answer::Blocks(blocks)) => branch.show(&blocks),
            Ok(Answer::Gone { floor, poison }) => branch.move_up(floor, poison),
            Ok(Answer::Ended(ending)) => break Some(ending),
            Err(_) => break None,
        }
    };
    branch.shard.cut(&branch);
    match ending {
        Some(Ending::Deleted) => branch.end_all(&reasons::DELETED, |_| true),
        // A root that lets a branch go has sent nobody there that isn't gone.
        Some(Ending::Missing) | None => branch.end_as_missing(),
    }
    branch.frames_finished().await;
    trunk.line.close();
    info!("{}: shard {} serves it no more", branch.name, branch.shard.index);
}

/// Reads a stream's history at its root.
pub(super) struct RootReader {
    line: Line,
    asks: Option<async_channel::Sender<Ask>>,
    cursor: Cursor,
    floor: Ordinal,
}

impl RootReader {
    /// As [`crate::store::Reader::cursor`].
    pub(super) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The oldest event that was retained at the last reading.
    pub(super) const fn floor(&self) -> Ordinal {
        self.floor
    }

    /// As [`crate::store::Reader::ready`]. A reader whose waiting was dropped reads no more.
    pub(super) async fn ready(&mut self) -> Result<(), ReadError> {
        let (reply, ready) = bounded(1);
        self.ask(Ask::Ready { reply }).await?;
        ready.recv().await.unwrap_or(Err(ReadError::Closed)).map_err(missing)
    }

    /// As [`crate::store::Reader::read`].
    pub(super) async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        let (reply, answered) = bounded(1);
        self.ask(Ask::Read { bytes_max, reply }).await?;
        let Ok(Answered { reading, cursor, floor }) = answered.recv().await else {
            return Err(ReadError::Missing);
        };
        (self.cursor, self.floor) = (cursor, floor);
        reading.map_err(missing)
    }

    async fn ask(&mut self, ask: Ask) -> Result<(), ReadError> {
        let asks = match self.asks.take() {
            Some(asks) => asks,
            None => {
                let (sender, asks) = bounded(1);
                let request = Request::History { from: self.cursor, asks };
                self.line.send(request).await.map_err(|_| ReadError::Missing)?;
                sender
            }
        };
        asks.send(ask).await.map_err(|_| ReadError::Missing)?;
        self.asks = Some(asks);
        Ok(())
    }
}

/// A root closes its store under a branch only because the stream is gone.
fn missing(fault: ReadError) -> ReadError {
    if matches!(fault, ReadError::Closed) { ReadError::Missing } else { fault }
}
