//! One connection to a broker's node, on its shard.
//!
//! One task reads: chunks go straight to the subscription they are for, answers to whoever asked.
//! Writes are made at once as far as the socket takes them; what it doesn't waits in the outbox for
//! a task that lives as long as there is something. Everybody who waits for something here learns
//! when the connection ends.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::{Sender, bounded};
use log::{debug, info};
use monoio::time::timeout;

use super::fault::Fault;
use super::ids::{Id, Ids, Publishes, Sink};
use super::places::Address;
use crate::clock::monotonic;
use crate::limits::{
    BROKER_ANSWER_TIMEOUT, BROKER_CHUNK_BYTES_MAX, BROKER_OUTBOX_BYTES_MAX, BROKER_READ_TURN_BYTES,
};
use crate::net::{Channel, Turnstile, tls_advice};
use crate::proto::rabbit::frames::{Frame, Frames};
use crate::proto::rabbit::handshake::{Handshake, Login, Opened, Refused};
use crate::proto::rabbit::{Code, Response, request};
use crate::wait::Bell;

/// An open connection.
pub(super) struct Connection {
    channel: Channel,
    /// What was agreed on.
    pub(super) opened: Opened,
    /// Where it leads to.
    pub(super) address: Address,
    turnstile: Turnstile,
    outbox: RefCell<Vec<u8>>,
    /// The writing task is at it.
    flushing: Cell<bool>,
    /// Rung when there is something for the writing task.
    wanting: Bell,
    /// Rung when the outbox has room again, or the connection has ended.
    drained: Bell,
    correlation: Cell<u32>,
    asked: RefCell<HashMap<u32, Asked>>,
    pub(super) subscriptions: Ids<dyn Sink>,
    pub(super) publishers: Ids<dyn Publishes>,
    heard: Cell<Instant>,
    said: Cell<Instant>,
    /// Why it has ended.
    end: RefCell<Option<Arc<str>>>,
}

/// What becomes of an answer.
enum Asked {
    /// Somebody waits for it.
    For(Sender<Response>),
    /// This subscription id is free again.
    Unsubscribed(u8),
    /// This publisher id is free again.
    Unpublished(u8),
}

impl Connection {
    /// Logs in over `channel` and starts reading.
    ///
    /// # Errors
    ///
    /// When the broker doesn't want us, or the connection breaks.
    pub(super) async fn open(
        channel: Channel,
        login: &Login<'_>,
        address: Address,
        turnstile: Turnstile,
    ) -> Result<Rc<Self>, Opening> {
        let mut frames = Frames::new(BROKER_CHUNK_BYTES_MAX);
        let opened = timeout(BROKER_ANSWER_TIMEOUT, shake_hands(&channel, &mut frames, login));
        let opened = match opened.await {
            Ok(opened) => opened?,
            Err(_) => return Err(Opening::Broken("the broker doesn't answer".into())),
        };
        let now = monotonic();
        let this = Rc::new(Self {
            channel,
            opened,
            address,
            turnstile,
            outbox: RefCell::default(),
            flushing: Cell::new(false),
            wanting: Bell::default(),
            drained: Bell::default(),
            correlation: Cell::new(1),
            asked: RefCell::default(),
            subscriptions: Ids::default(),
            publishers: Ids::default(),
            heard: Cell::new(now),
            said: Cell::new(now),
            end: RefCell::default(),
        });
        debug!("RabbitMQ {}: connected to {}", this.address, this.channel.peer());
        monoio::spawn(read(Rc::clone(&this), frames));
        monoio::spawn(write(Rc::clone(&this)));
        if this.opened.heartbeat > 0 {
            monoio::spawn(keep_alive(Rc::clone(&this)));
        }
        Ok(this)
    }

    /// Whether it still works.
    pub(super) fn alive(&self) -> bool {
        self.end.borrow().is_none()
    }

    /// What an operation fails with here once the connection has ended.
    pub(super) fn lost(&self) -> Fault {
        Fault::Lost(self.end.borrow().clone().unwrap_or_else(|| "it was closed".into()))
    }

    /// Ends the connection; everybody who waits for something here is told.
    pub(super) fn end(&self, why: &str) {
        if !self.alive() {
            return;
        }
        info!("RabbitMQ {}: connection ended: {why}", self.address);
        *self.end.borrow_mut() = Some(why.into());
        self.channel.abort();
        self.asked.borrow_mut().clear();
        self.drained.ring();
        self.wanting.ring();
        for sink in self.subscriptions.clear() {
            sink.lost();
        }
        for publishes in self.publishers.clear() {
            publishes.lost();
        }
    }

    /// Closes it in good order, without waiting for the broker.
    pub(super) fn close(&self) {
        if self.alive() {
            self.send(&request::close(self.next_correlation(), "ess stops"));
            self.end("closed by us");
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// When the connection ends first, or the answer doesn't come in time, which ends it.
    pub(super) async fn ask(
        &self,
        request: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<Response, Fault> {
        if !self.alive() {
            return Err(self.lost());
        }
        let correlation = self.next_correlation();
        let (reply, answer) = bounded(1);
        self.asked.borrow_mut().insert(correlation, Asked::For(reply));
        self.send(&request(correlation));
        match timeout(BROKER_ANSWER_TIMEOUT, answer.recv()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => Err(self.lost()),
            Err(_) => {
                self.end("the broker doesn't answer");
                Err(self.lost())
            }
        }
    }

    /// As [`Connection::ask`], where the answer says no more than how it went.
    pub(super) async fn command(
        &self,
        request: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<Code, Fault> {
        match self.ask(request).await?.answers() {
            Some((_, code)) => Ok(code),
            None => Ok(Code::INTERNAL_ERROR),
        }
    }

    /// Ends a subscription; its id is used again once the broker has said so.
    pub(super) fn unsubscribe(&self, id: Id) {
        if self.subscriptions.leave(id) && self.alive() {
            let correlation = self.next_correlation();
            self.asked.borrow_mut().insert(correlation, Asked::Unsubscribed(id.number));
            self.send(&request::unsubscribe(correlation, id.number));
        }
    }

    /// Ends a publisher; its id is used again once the broker has said so.
    pub(super) fn unpublish(&self, id: Id) {
        if self.publishers.leave(id) && self.alive() {
            let correlation = self.next_correlation();
            self.asked.borrow_mut().insert(correlation, Asked::Unpublished(id.number));
            self.send(&request::delete_publisher(correlation, id.number));
        }
    }

    /// Sends what fits now; the rest follows by itself.
    pub(super) fn send(&self, bytes: &[u8]) {
        self.queue(bytes);
        self.flush();
    }

    /// As [`Connection::send`], but waits until the outbox has room: for what may be large.
    ///
    /// # Errors
    ///
    /// When the connection ends first.
    pub(super) async fn send_large(&self, bytes: &[u8]) -> Result<(), Fault> {
        while self.alive() && self.outbox.borrow().len() > BROKER_OUTBOX_BYTES_MAX {
            self.drained.rung().await;
        }
        if !self.alive() {
            return Err(self.lost());
        }
        self.send(bytes);
        Ok(())
    }

    /// Puts bytes behind what waits to be sent, for the next [`Connection::flush`].
    pub(super) fn queue(&self, bytes: &[u8]) {
        if self.alive() {
            self.outbox.borrow_mut().extend_from_slice(bytes);
            self.said.set(monotonic());
        }
    }

    /// Sends what waits as far as the socket takes it. False when some is left or it is broken.
    fn push(&self) -> bool {
        let mut outbox = self.outbox.borrow_mut();
        let mut sent = 0;
        let broken = loop {
            match outbox.get(sent..) {
                Some(rest) if !rest.is_empty() => match self.channel.try_write(rest) {
                    Ok(0) => break None,
                    Ok(count) => sent += count,
                    Err(fault) => break Some(fault),
                },
                _ => break self.channel.flush().err(),
            }
        };
        outbox.drain(..sent);
        if outbox.is_empty() && outbox.capacity() > BROKER_OUTBOX_BYTES_MAX {
            *outbox = Vec::new();
        }
        let left = !outbox.is_empty();
        drop(outbox);
        if sent > 0 {
            self.drained.ring();
        }
        if let Some(fault) = broken {
            self.end(&fault.to_string());
            return false;
        }
        !left && self.channel.flush().unwrap_or(true)
    }

    /// Sends what waits; what the socket doesn't take is the writing task's.
    pub(super) fn flush(&self) {
        if self.alive() && !self.flushing.get() && !self.push() && self.alive() {
            self.flushing.set(true);
            self.wanting.ring();
        }
    }

    fn next_correlation(&self) -> u32 {
        let correlation = self.correlation.get();
        self.correlation.set(correlation.wrapping_add(1));
        correlation
    }

    fn answered(&self, correlation: u32, response: Response) {
        // An answer to nothing is the broker's own affair.
        match self.asked.borrow_mut().remove(&correlation) {
            Some(Asked::For(reply)) => {
                // Whoever asked may have given up.
                let _ = reply.try_send(response);
            }
            Some(Asked::Unsubscribed(id)) => self.subscriptions.release(id),
            Some(Asked::Unpublished(id)) => self.publishers.release(id),
            None => {}
        }
    }

    fn take(&self, response: Response) {
        if let Some((correlation, _)) = response.answers() {
            return self.answered(correlation, response);
        }
        match response {
            Response::MetadataUpdate { code, stream } => {
                debug!("RabbitMQ {}: {stream}: {code}", self.address);
                for sink in self.subscriptions.remove_of(&stream) {
                    sink.lost();
                }
                for publishes in self.publishers.remove_of(&stream) {
                    publishes.lost();
                }
            }
            Response::Confirmed { publisher, ids } => {
                if let Some(publishes) = self.publishers.get(publisher) {
                    publishes.confirmed(&ids);
                }
            }
            Response::NotPublished { publisher, ids } => {
                if let Some(publishes) = self.publishers.get(publisher) {
                    publishes.refused(&ids);
                }
            }
            Response::CreditRefused { code, subscription } => {
                debug!("RabbitMQ {}: credit for {subscription}: {code}", self.address);
            }
            Response::Close { correlation, code, reason } => {
                self.send(&request::closed(correlation));
                self.end(&format!("the broker closes it: {code}: {reason}"));
            }
            Response::Heartbeat | Response::Tune { .. } | Response::Other { .. } => {}
            Response::Done { .. }
            | Response::PeerProperties { .. }
            | Response::SaslMechanisms { .. }
            | Response::Opened { .. }
            | Response::Metadata { .. }
            | Response::Sequence { .. } => unreachable!("answers were taken above"),
        }
    }
}

/// Logs in.
async fn shake_hands(
    channel: &Channel,
    frames: &mut Frames,
    login: &Login<'_>,
) -> Result<Opened, Opening> {
    let mut out = Vec::new();
    let mut handshake = Handshake::start(login, &mut out);
    loop {
        if let Err(fault) = write_all(channel, &out).await {
            // A broker that doesn't like our certificate says so before it hangs up.
            let said = next_response(channel, frames).await.err();
            let alert = said.filter(|why| tls_advice(why).is_some());
            return Err(Opening::Broken(alert.unwrap_or_else(|| fault.to_string())));
        }
        out.clear();
        let said = match next_response(channel, frames).await {
            Ok(said) => said,
            Err(why) => {
                return Err(handshake
                    .hung_up(login)
                    .map_or(Opening::Broken(why), Opening::Refused));
            }
        };
        if let Some(opened) = handshake.take(login, said, &mut out).map_err(Opening::Refused)? {
            return Ok(opened);
        }
    }
}

/// Why a connection could not be opened.
pub(super) enum Opening {
    /// It broke.
    Broken(String),
    /// The broker doesn't want us.
    Refused(Refused),
}

async fn write_all(channel: &Channel, bytes: &[u8]) -> std::io::Result<()> {
    let mut rest = bytes;
    loop {
        let count = channel.try_write(rest)?;
        rest = rest.get(count..).unwrap_or_default();
        if rest.is_empty() && channel.flush()? {
            return Ok(());
        }
        channel.writable().await?;
    }
}

async fn next_response(channel: &Channel, frames: &mut Frames) -> Result<Response, String> {
    loop {
        match frames.next_frame() {
            Ok(Some(Frame::Control(frame))) => {
                return Response::read(frame).ok_or_else(|| "a frame that can't be read".into());
            }
            Ok(Some(_)) => return Err("a chunk before the login".into()),
            Err(_) => return Err("it speaks another protocol; is this its stream port?".into()),
            Ok(None) => {}
        }
        match channel.try_read(frames.room()) {
            Ok(Some(0)) => return Err("the broker hung up; is this its stream port?".into()),
            Ok(Some(count)) => frames.filled(count),
            Ok(None) => channel.readable().await.map_err(|fault| fault.to_string())?,
            Err(fault) => return Err(fault.to_string()),
        }
    }
}

/// Reads until the connection ends.
async fn read(this: Rc<Connection>, mut frames: Frames) {
    while this.alive() {
        if let Err(fault) = this.channel.readable().await {
            return this.end(&fault.to_string());
        }
        let mut turn_bytes = 0;
        while this.alive() && turn_bytes < BROKER_READ_TURN_BYTES {
            match this.channel.try_read(frames.room()) {
                Ok(None) => break,
                Ok(Some(0)) => return this.end("the broker hung up"),
                Ok(Some(count)) => {
                    frames.filled(count);
                    turn_bytes += count;
                }
                Err(fault) => return this.end(&fault.to_string()),
            }
            if let Err(why) = take_all(&this, &mut frames) {
                return this.end(&why);
            }
        }
        this.heard.set(monotonic());
        this.flush();
        // A broker that always has something to say must not keep others waiting.
        this.turnstile.next().await;
    }
}

/// Takes every frame that is here.
fn take_all(this: &Connection, frames: &mut Frames) -> Result<(), String> {
    loop {
        match frames.next_frame() {
            Ok(None) => return Ok(()),
            Ok(Some(Frame::Deliver { subscription, chunk })) => {
                if let Some(sink) = this.subscriptions.get(subscription) {
                    sink.chunk(chunk);
                }
            }
            Ok(Some(Frame::Oversized { subscription, head, bytes })) => {
                if let Some(sink) = this.subscriptions.get(subscription) {
                    sink.oversized(head, bytes);
                }
            }
            Ok(Some(Frame::Control(frame))) => match Response::read(frame) {
                Some(response) => this.take(response),
                None => return Err("a frame that can't be read".into()),
            },
            Err(fault) => return Err(format!("not the stream protocol: {fault}")),
        }
        if !this.alive() {
            return Ok(());
        }
    }
}

/// Sends what the socket didn't take at once, whenever it takes more.
async fn write(this: Rc<Connection>) {
    while this.alive() {
        if this.push() {
            this.flushing.set(false);
            this.wanting.rung().await;
        } else if this.alive() && this.channel.writable().await.is_err() {
            return this.end("it can't be written to");
        }
    }
}

/// Says that we are alive, and notices when the broker isn't.
async fn keep_alive(this: Rc<Connection>) {
    let silence = Duration::from_secs(u64::from(this.opened.heartbeat));
    while this.alive() {
        monoio::time::sleep(silence / 4).await;
        let now = monotonic();
        if now.saturating_duration_since(this.heard.get()) > silence + silence / 2 {
            return this.end(&format!("nothing was heard for {} s", (silence * 3 / 2).as_secs()));
        }
        if now.saturating_duration_since(this.said.get()) >= silence / 2 {
            this.send(&request::heartbeat());
        }
    }
}
