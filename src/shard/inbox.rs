//! What a consumer sends us: pings, pongs, its close; data is read and ignored.
//!
//! The one long-lived task of a session. It waits without a buffer; bytes are read into one buffer
//! shared by the shard, and the state of a half-arrived frame exists only while there is one.

use std::rc::Rc;

use crate::event::{Cause, Reason};
use crate::proto::websocket::{Fact, Ignored, Inbound, close};
use crate::store::Store;

use super::reasons;
use super::session::Session;

/// Reads until the connection is over, then takes the session out.
pub(super) async fn run<S: Store>(session: Rc<Session<S>>, key: usize) {
    let mut inbound: Option<Box<Inbound>> = None;
    let reason = loop {
        if session.socket.readable().await.is_err() {
            break reasons::BROKEN;
        }
        match read(&session, &mut inbound) {
            // A peer that always has something to say must not keep others waiting.
            Ok(true) => session.home.shard.turnstile.next().await,
            Ok(false) => break reasons::GONE,
            Err(_) => break reasons::BROKEN,
        }
    };
    session.ended.borrow_mut().get_or_insert(reason);
    session.socket.abort();
    session.home.leave(&session, key);
}

/// Reads what is there. False at the end of the connection.
fn read<S: Store>(
    session: &Rc<Session<S>>,
    inbound: &mut Option<Box<Inbound>>,
) -> std::io::Result<bool> {
    let mut buffer = session.home.shard.read_buffer.borrow_mut();
    let count = match session.socket.try_read(&mut buffer)? {
        None => return Ok(true),
        Some(0) => return Ok(false),
        Some(count) => count,
    };
    session.pings_unanswered.set(0);
    let machine = inbound.get_or_insert_with(Box::default);
    let mut rest = buffer.get_mut(..count).unwrap_or_default();
    while !rest.is_empty() {
        let fed = machine.feed(rest, &mut Ignored);
        rest = rest.get_mut(fed.used..).unwrap_or_default();
        if let Some(fact) = fed.fact {
            act(session, fact);
        }
    }
    if machine.at_rest() {
        *inbound = None;
    }
    session.advance();
    Ok(true)
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
