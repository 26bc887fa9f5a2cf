//! What serves a consumer that can't be served in one go: its socket is full, or it reads history.
//!
//! A pump holds no event while it waits for the socket: it waits first, then reads a piece and
//! hands over what fits; the rest is read again. A stalled consumer so costs a task and nothing
//! else.

use std::rc::Rc;

use log::{debug, error};

use crate::event::{Cursor, Ordinal, Reason};
use crate::limits::{HISTORY_READ_BYTES_MAX, HISTORY_READ_BYTES_MIN};
use crate::store::{Piece, ReadError, Reading, Run, Store};
use crate::wait::unless;

use super::reading::HistoryReader;
use super::session::{Drive, Session};

/// Serves `session` until nothing is owed to it.
pub(super) async fn pump<S: Store>(session: Rc<Session<S>>) {
    let mut history = History { reader: None, bytes_max: HISTORY_READ_BYTES_MAX };
    loop {
        match session.drive() {
            Drive::Idle | Drive::Over => break,
            Drive::Blocked => session.writable().await,
            Drive::More => session.home.shard.turnstile.next().await,
            Drive::History(from) => {
                session.roomy().await;
                if !history.serve(&session, from).await {
                    session.broken();
                    break;
                }
            }
        }
    }
    session.pumping.set(false);
}

/// Reading a stream's history for one consumer.
struct History<S: Store> {
    reader: Option<HistoryReader<S>>,
    /// How much to read: what the socket took last, or more while it takes all. What it doesn't
    /// take is read again, and a large event from its beginning.
    bytes_max: usize,
}

impl<S: Store> History<S> {
    /// Reads a piece from `from` and sends what fits. False when the connection is over.
    async fn serve(&mut self, session: &Rc<Session<S>>, from: Cursor) -> bool {
        let shard = &session.home.shard;
        let mut reader = match self.reader.take() {
            Some(reader) if reader.cursor() == from => reader,
            _ => match HistoryReader::new(&session.home, from) {
                Some(reader) => reader,
                None => return false,
            },
        };
        match unless(session.stirred.rung(), reader.ready()).await {
            Some(Ok(())) => {}
            Some(Err(fault)) => return unreadable(session, &fault),
            // Something is to be put in, or it ends: that doesn't wait for the history.
            None => return true,
        }
        // The permit bounds the memory of all readings under way on this shard.
        let permit = shard.history_permits.take().await;
        let reading = reader.read(self.bytes_max).await;
        shard.meters.log_reads.add(1);
        let floor = reader.floor(&session.home).unwrap_or(from.ordinal);
        match &reading {
            Ok(Reading::Piece(piece)) => missed(session, from, piece.runs.first(), floor),
            Ok(Reading::End) => missed(session, from, None, floor),
            Ok(Reading::Poison(_)) | Err(_) => {}
        }
        let open = match reading {
            Ok(Reading::Piece(piece)) if pass_over(session, &piece) => true,
            Ok(Reading::Piece(piece)) => {
                let whole = self.send(session, &piece);
                if whole == Some(true) {
                    self.reader = Some(reader);
                }
                whole.is_some()
            }
            Ok(Reading::Poison(ordinal)) => {
                let mut consumer = session.consumer();
                if consumer.ends_at(ordinal, session.home.ceiling()) {
                    drop(consumer);
                    session.end_here(&super::reasons::DELETED);
                } else {
                    consumer.passed_history(Cursor::before(ordinal.next()));
                    self.reader = Some(reader);
                }
                true
            }
            Ok(Reading::End) => {
                session.consumer().passed_history(reader.cursor());
                true
            }
            Err(fault) => unreadable(session, &fault),
        };
        drop(permit);
        open
    }

    /// Sends what the socket takes of `piece`: whether that was all of it, `None` when the
    /// connection is broken.
    fn send(&mut self, session: &Session<S>, piece: &Piece) -> Option<bool> {
        // Asked after the reading: the end, or a pong to put in, may have come meanwhile.
        let frame_only = session.consumer().frame_only();
        let owed = if frame_only { piece.rest_of_frame() } else { piece.bytes.len() };
        let bytes = piece.bytes.get(..owed).unwrap_or(&piece.bytes);
        if bytes.is_empty() {
            return Some(false);
        }
        let sent = session.socket.try_write(bytes).ok()?;
        let whole = sent == piece.bytes.len();
        if sent > 0 {
            session.progress.set(session.home.shard.now());
            let cursor = if whole { piece.end } else { piece.cursor_at(sent) };
            let mut consumer = session.consumer();
            let before = consumer.delivered();
            consumer.sent_history(cursor);
            session.home.sent(consumer.delivered() - before, sent as u64);
        }
        let wanted = if whole { 2 * self.bytes_max } else { sent };
        self.bytes_max = wanted.clamp(HISTORY_READ_BYTES_MIN, HISTORY_READ_BYTES_MAX);
        Some(whole)
    }
}

/// Counts what is no longer retained of what the consumer is owed from `from` on, where the history
/// goes on with `run`, or has nothing, and begins at `floor`.
fn missed<S: Store>(session: &Session<S>, from: Cursor, run: Option<&Run>, floor: Ordinal) {
    let there = run.is_some_and(|run| run.from.ordinal <= from.ordinal);
    if there || !from.at_boundary() {
        return;
    }
    let end = run.map_or(floor, |run| run.from.ordinal.min(floor));
    let count = end.since(from.ordinal);
    if count > 0 {
        session.home.lost(count);
        session.consumer().passed_history(Cursor::before(end));
    }
}

/// Passes over what is older than the consumer wants: true when the piece begins with that.
fn pass_over<S: Store>(session: &Session<S>, piece: &Piece) -> bool {
    let mut consumer = session.consumer();
    let Some(timestamp) = consumer.not_before() else { return false };
    let wanted = piece.runs.iter().find(|run| run.timestamp >= timestamp);
    match wanted {
        Some(run) if run.position == 0 => false,
        Some(run) => {
            consumer.passed_history(run.from);
            true
        }
        None => {
            consumer.passed_history(piece.end);
            true
        }
    }
}

/// What a failed reading means for the consumer. False when the connection is over.
fn unreadable<S: Store>(session: &Rc<Session<S>>, fault: &ReadError) -> bool {
    match fault {
        ReadError::Missing => return gone(session),
        ReadError::Closed => {}
        ReadError::Lost => {
            let (name, peer) = (&session.home.name, session.socket.peer());
            debug!(request_id:% = session.request; "{name}: {peer} {fault}");
        }
        ReadError::Damaged(_) | ReadError::Failed(_) | ReadError::Unreachable(_) => {
            let name = &session.home.name;
            error!(request_id:% = session.request; "{name}: history can't be read: {fault}");
        }
    }
    ends(session, &super::reasons::UNREADABLE)
}

/// The stream is gone from where it was kept.
fn gone<S: Store>(session: &Rc<Session<S>>) -> bool {
    ends(session, &super::reasons::not_found(&session.event_stream.uuid))
}

/// Ends the consumer. False when it stands inside a frame whose rest can't be had: then the
/// connection is over.
fn ends<S: Store>(session: &Rc<Session<S>>, reason: &Reason) -> bool {
    if session.consumer().cursor().at_boundary() {
        session.end_here(reason);
        return true;
    }
    false
}
