//! What consumers send us: pings, pongs, their close; data is read and ignored.
//!
//! One task reads for all sessions of the shard, into one buffer, when the poller says that there
//! is something; the state of a half-arrived frame exists only while there is one. The poller also
//! tells when a full socket takes bytes again, which the task passes on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use log::error;
use slab::Slab;

use crate::event::{Cause, Reason};
use crate::limits::{INBOX_READS_MAX, READ_BUFFER_BYTES};
use crate::net::{Poller, Ready};
use crate::proto::websocket::{Fact, Ignored, close};
use crate::store::Store;

use super::context::Shard;
use super::reasons;
use super::session::Session;

/// The sessions of a shard, where their clients are listened to.
pub(super) struct Inbox<S: Store> {
    poller: Poller,
    /// By the poller's keys.
    sessions: RefCell<Slab<Rc<Session<S>>>>,
    buffer: RefCell<Vec<u8>>,
}

/// What listening to a client once came to.
enum Heard {
    /// All there was.
    All,
    /// There is more, but others want a turn.
    More,
    /// The connection is over.
    End(Reason),
}

impl<S: Store> Inbox<S> {
    /// Nobody yet.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            sessions: RefCell::default(),
            buffer: RefCell::new(vec![0; READ_BUFFER_BYTES]),
        })
    }

    /// Listens to the session's client from now on.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for it.
    pub(super) fn listen(&self, session: &Rc<Session<S>>) -> io::Result<()> {
        let mut sessions = self.sessions.borrow_mut();
        let entry = sessions.vacant_entry();
        self.poller.add(&session.socket, entry.key() as u64)?;
        entry.insert(Rc::clone(session));
        Ok(())
    }

    fn session(&self, key: usize) -> Option<Rc<Session<S>>> {
        self.sessions.borrow().get(key).cloned()
    }

    /// The connection is over: takes the session out.
    fn forget(&self, key: usize, session: &Rc<Session<S>>, reason: Reason) {
        self.poller.remove(&session.socket);
        self.sessions.borrow_mut().remove(key);
        session.ends_because(reason);
        session.socket.abort();
        session.home.leave(session);
    }

    /// Reads what the client has sent, within bounds.
    fn hear(&self, session: &Rc<Session<S>>) -> Heard {
        let mut buffer = self.buffer.borrow_mut();
        for _ in 0..INBOX_READS_MAX {
            match session.socket.try_read(&mut buffer) {
                Ok(None) => return Heard::All,
                Ok(Some(0)) => return Heard::End(reasons::GONE),
                Ok(Some(count)) => take(session, buffer.get_mut(..count).unwrap_or_default()),
                Err(_) => return Heard::End(reasons::BROKEN),
            }
        }
        Heard::More
    }
}

/// Listens until the shard ends.
pub(super) async fn run<S: Store>(shard: Rc<Shard<S>>) {
    let inbox = &shard.inbox;
    // Who was not heard out; told by nobody else again. At most each session once.
    let mut unheard: VecDeque<usize> = VecDeque::new();
    loop {
        if unheard.is_empty()
            && let Err(fault) = inbox.poller.wait().await
        {
            return error!("shard {}: consumers can't be heard: {fault}", shard.index);
        }
        for key in std::mem::take(&mut unheard) {
            listen(inbox, key, &mut unheard);
        }
        // Who is still unheard keeps its place in the line.
        match inbox.poller.ready() {
            Ok(ready) => ready.iter().for_each(|one| attend(inbox, one, &mut unheard)),
            Err(fault) => {
                return error!("shard {}: consumers can't be heard: {fault}", shard.index);
            }
        }
        // Clients that always have something to say must not keep others waiting.
        shard.turnstile.next().await;
    }
}

fn attend<S: Store>(inbox: &Inbox<S>, ready: &Ready, unheard: &mut VecDeque<usize>) {
    let Ok(key) = usize::try_from(ready.key) else { return };
    let Some(session) = inbox.session(key) else { return };
    if ready.writable {
        session.drained();
    }
    if ready.readable && !session.unheard.get() {
        listen(inbox, key, unheard);
    }
}

fn listen<S: Store>(inbox: &Inbox<S>, key: usize, unheard: &mut VecDeque<usize>) {
    let Some(session) = inbox.session(key) else { return };
    session.unheard.set(false);
    match inbox.hear(&session) {
        Heard::All => {}
        Heard::More => {
            session.unheard.set(true);
            unheard.push_back(key);
        }
        Heard::End(reason) => inbox.forget(key, &session, reason),
    }
}

/// Takes bytes that a client has sent.
fn take<S: Store>(session: &Rc<Session<S>>, bytes: &mut [u8]) {
    session.pings_unanswered.set(0);
    let mut inbound = session.inbound.take().unwrap_or_default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let fed = inbound.feed(rest, &mut Ignored);
        rest = rest.get_mut(fed.used..).unwrap_or_default();
        if let Some(fact) = fed.fact {
            act(session, fact);
        }
    }
    if !inbound.at_rest() {
        session.inbound.set(Some(inbound));
    }
    session.advance();
}

/// Does what a frame asks for.
fn act<S: Store>(session: &Rc<Session<S>>, fact: Fact) {
    match fact {
        Fact::Ping(payload) => session.pong(&payload),
        Fact::Pong(_) | Fact::Message { .. } => {}
        Fact::Close { code, reason } => {
            // 1005 stands for a close without a code (RFC 6455 §7.1.5).
            let ended = Reason::new(Cause::Client, code.unwrap_or(1005), reason);
            session.close_arrived(&close::echo(code), ended);
        }
        Fact::Fault(fault) => {
            session.fail(&Reason::fixed(Cause::Protocol, fault.close_code(), fault.text()));
        }
    }
}
