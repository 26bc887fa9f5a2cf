//! One HTTP/1.1 connection: the machines of [`crate::proto::http`] on a socket, with time limits.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use log::info;
use monoio::time::timeout;

use crate::census::Port;
use crate::limits::{
    HTTP_BODY_TIMEOUT, HTTP_HEAD_TIMEOUT, HTTP_IDLE_TIMEOUT, HTTP_LINGER_BYTES_MAX,
    HTTP_LINGER_TIMEOUT, HTTP_READ_BYTES, HTTP_READS_MAX, HTTP_WRITE_TIMEOUT,
};
use crate::meter::Tally;
use crate::net::{Socket, Turnstile};
use crate::observe::logging::ACCESS;
use crate::proto::http::{
    Body, CONTINUE, Fault, Head, REQUEST_ID, Reply, RequestId, Response, parse,
};
use crate::store::Store;

use super::budget::{Budget, Share};
use super::context::Shard;
use super::request_ids::RequestIds;

/// The request's target as it was sent.
pub(super) fn target(head: &Head) -> String {
    match head.query() {
        Some(query) => format!("{}?{query}", head.path()),
        None => head.path().to_owned(),
    }
}

/// A connection between two requests.
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// Bytes that arrived and are not used yet.
    arrived: Vec<u8>,
    /// What is read lands here first: one for all connections of the shard.
    buffer: Rc<RefCell<Vec<u8>>>,
    /// Reads in a row that nobody had to wait for.
    reads: u32,
    turnstile: Turnstile,
    ids: Rc<RequestIds>,
    port: Port,
    responses: Rc<Tally<(Port, u16)>>,
}

/// Why no request can be had from a connection.
pub(super) enum Stop {
    /// It is closed, broken or silent: nobody waits for an answer.
    Gone,
    /// The peer's fault: answer this, then close.
    Answer(Response),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Answer(fault.response())
    }
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Connection {
    /// A fresh connection.
    pub(super) fn new<S: Store>(shard: &Shard<S>, socket: Socket, port: Port) -> Self {
        let (turnstile, responses) = (shard.turnstile.clone(), Rc::clone(&shard.meters.responses));
        let (ids, buffer) = (Rc::clone(&shard.request_ids), Rc::clone(&shard.http_buffer));
        let (arrived, reads) = (Vec::new(), 0);
        Self { socket, arrived, buffer, reads, turnstile, ids, port, responses }
    }

    /// The next request's head and the name of the request; `None` when there will be none, and
    /// whoever was at fault has been told. `first`: the connection is new, so it should come soon.
    pub(super) async fn request(&mut self, first: bool) -> Option<(Head, RequestId)> {
        match self.head(first).await {
            Ok(head) => {
                let id = self.ids.of(&head);
                Some((head, id))
            }
            Err(Stop::Gone) => None,
            Err(Stop::Answer(response)) => {
                let (id, peer, status) = (self.ids.make(), self.socket.peer(), response.status());
                info!(
                    target: ACCESS,
                    request_id:% = id, peer:% = peer, status = status;
                    "{peer} - {status}",
                );
                // A peer that can't read its answer has nothing left to be told.
                let _ = self.answer(response, Reply::CLOSE, &id).await;
                self.linger().await;
                None
            }
        }
    }

    async fn head(&mut self, first: bool) -> Result<Head, Stop> {
        if self.arrived.is_empty() && !first {
            match timeout(HTTP_IDLE_TIMEOUT, self.more()).await {
                Ok(Ok(true)) => {}
                _ => return Err(Stop::Gone),
            }
        }
        match timeout(HTTP_HEAD_TIMEOUT, self.whole_head()).await {
            Ok(result) => result,
            Err(_) if self.arrived.is_empty() => Err(Stop::Gone),
            Err(_) => Err(Stop::Answer(Response::detail(408, "The request head took too long"))),
        }
    }

    async fn whole_head(&mut self) -> Result<Head, Stop> {
        loop {
            if let Some((head, used)) = parse(&self.arrived)? {
                self.arrived.drain(..used);
                return Ok(head);
            }
            if !self.more().await? {
                return Err(Stop::Gone);
            }
        }
    }

    /// The body of the request `head`, at most `bytes_max` long, inside `budget`.
    pub(super) async fn body(
        &mut self,
        head: &Head,
        bytes_max: usize,
        budget: &Rc<Budget>,
    ) -> Result<(Bytes, Share), Stop> {
        let mut body = Body::new(head.framing(), bytes_max)?;
        let mut share = Share::of(budget);
        if head.expects_continue() && self.arrived.is_empty() {
            self.write(CONTINUE).await?;
        }
        let progress = body.feed(&self.arrived)?;
        self.arrived.drain(..progress.used);
        while !body.done() {
            if !share.grow_to(body.arrived() + HTTP_READ_BYTES) {
                let busy = "Too many large requests at once; try again";
                return Err(Stop::Answer(
                    Response::detail(503, busy).with_header("retry-after", "1"),
                ));
            }
            match timeout(HTTP_BODY_TIMEOUT, self.more_of(&mut body)).await {
                Ok(more) => more?,
                Err(_) => {
                    let late = "The request body stopped arriving";
                    return Err(Stop::Answer(Response::detail(408, late)));
                }
            }
        }
        Ok((body.take().into(), share))
    }

    /// Waits for more of a body.
    async fn more_of(&mut self, body: &mut Body) -> Result<(), Stop> {
        // Straight from where it lands: a large body is copied once.
        let more = self.taking(|bytes, arrived| {
            let behind = bytes.get(body.feed(bytes)?.used..).unwrap_or_default();
            arrived.extend_from_slice(behind);
            Ok(())
        });
        if more.await? { Ok(()) } else { Err(Stop::Gone) }
    }

    /// The access log's line about a request.
    pub(super) fn log(&self, head: &Head, response: &Response, id: &RequestId) {
        let (peer, method, status) = (self.socket.peer(), head.method_name(), response.status());
        let target = target(head);
        info!(
            target: ACCESS,
            request_id:% = id, peer:% = peer, method = method, url = target, status = status;
            "{peer} {method} {target} {status}",
        );
    }

    /// Writes the response to the request `id`.
    pub(super) async fn answer(
        &self,
        response: Response,
        reply: Reply,
        id: &RequestId,
    ) -> io::Result<()> {
        self.responses.add((self.port, response.status()), 1);
        let response = response.with_header(REQUEST_ID, id.to_string());
        let mut bytes = Vec::new();
        response.encode(reply, &mut bytes);
        self.write(&bytes).await
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let limit = HTTP_WRITE_TIMEOUT + Duration::from_micros(bytes.len() as u64);
        let written = timeout(limit, self.socket.write_all(bytes)).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Closes so that the peer can read our answer even when it is still sending.
    pub(super) async fn linger(&self) {
        self.socket.shutdown_write();
        let drained = async {
            let mut sink = vec![0; HTTP_READ_BYTES];
            let mut left = HTTP_LINGER_BYTES_MAX;
            while let Ok(count) = self.socket.read(&mut sink).await {
                left = left.saturating_sub(count);
                if count == 0 || left == 0 {
                    break;
                }
                self.turnstile.next().await;
            }
        };
        // A peer that goes on for longer has had its time.
        let _ = timeout(HTTP_LINGER_TIMEOUT, drained).await;
    }

    /// What arrived behind the last head: the connection speaks another protocol from here on.
    pub(super) fn into_parts(self) -> (Socket, Vec<u8>) {
        (self.socket, self.arrived)
    }

    /// Waits for more bytes; false at the end.
    async fn more(&mut self) -> Result<bool, Stop> {
        self.taking(|bytes, arrived| {
            arrived.extend_from_slice(bytes);
            Ok(())
        })
        .await
    }

    /// Waits for more bytes, and lets `take` have them, which puts what it doesn't use behind what
    /// has arrived; false at the end. A peer that always has some ready doesn't keep others waiting
    /// for long.
    async fn taking(
        &mut self,
        mut take: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        if self.arrived.is_empty() {
            // Nothing is held while the connection is quiet.
            self.arrived = Vec::new();
        }
        loop {
            if let Some(count) = self.read_now(&mut take)? {
                self.reads += 1;
                if self.reads == HTTP_READS_MAX {
                    self.reads = 0;
                    self.turnstile.next().await;
                }
                return Ok(count > 0);
            }
            self.reads = 0;
            self.socket.readable().await?;
        }
    }

    /// Reads what is there: memory grows with what has arrived.
    fn read_now(
        &mut self,
        take: &mut impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Stop>,
    ) -> Result<Option<usize>, Stop> {
        let mut buffer = self.buffer.borrow_mut();
        let count = self.socket.try_read(&mut buffer)?;
        if let Some(count) = count {
            take(buffer.get(..count).unwrap_or_default(), &mut self.arrived)?;
        }
        Ok(count)
    }
}
