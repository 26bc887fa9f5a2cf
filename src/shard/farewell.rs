//! WebSockets that are no consumers: refused ones, and the echo of the conformance suites.

use log::info;
use monoio::time::timeout;

use crate::event::Reason;
use crate::limits::{
    ECHO_TIMEOUT, HTTP_READ_BYTES, HTTP_WRITE_TIMEOUT, REFUSED_TIMEOUT, WEBSOCKET_ECHO_BYTES_MAX,
};
use crate::net::{Socket, Turnstile};
use crate::observe::logging::ACCESS;
use crate::proto::http::RequestId;
use crate::proto::websocket::frame::{Opcode, put_header};
use crate::proto::websocket::{Fact, Ignored, Inbound, Sink, Slice, close};
use crate::store::Store;

use super::context::Shard;
use super::http::Connection;

/// Answers the handshake, tells why nothing follows, and waits for the peer's close.
pub(super) async fn refuse<S: Store>(
    shard: &Shard<S>,
    socket: Socket,
    greeting: &[u8],
    reason: &Reason,
    request: &RequestId,
) {
    let (peer, Reason { code, text, .. }) = (socket.peer(), reason);
    info!(
        target: ACCESS,
        request_id:% = request, peer:% = peer, method = "WEBSOCKET", code = *code, reason:% = text;
        "{peer} WEBSOCKET closed {code} {text:?}",
    );
    shard.meters.refusals.add(reason.cause, 1);
    let mut bytes = greeting.to_vec();
    bytes.extend_from_slice(&close::frame(reason.code, &reason.text));
    if let Ok(Ok(())) = timeout(HTTP_WRITE_TIMEOUT, socket.write_all(&bytes)).await {
        // Whoever doesn't answer in time is cut off.
        let _ = timeout(REFUSED_TIMEOUT, wait_for_close(&shard.turnstile, &socket)).await;
    }
}

async fn wait_for_close(turnstile: &Turnstile, socket: &Socket) {
    let mut inbound = Inbound::default();
    let mut buffer = [0; 512];
    while !inbound.ended() {
        match socket.read(&mut buffer).await {
            Ok(count) if count > 0 => {
                let mut rest = buffer.get_mut(..count).unwrap_or_default();
                while !rest.is_empty() {
                    let used = inbound.feed(rest, &mut Ignored).used;
                    rest = rest.get_mut(used..).unwrap_or_default();
                }
            }
            _ => return,
        }
        turnstile.next().await;
    }
}

/// Sends every message back, through the machines that consumers are served with: what a
/// conformance suite needs, and off unless asked for.
pub(super) async fn echo(connection: Connection, greeting: &[u8]) {
    let (socket, mut arrived) = connection.into_parts();
    // The suite drives one case at a time; a peer that is silent for so long is gone.
    let _ = timeout(ECHO_TIMEOUT, async {
        socket.write_all(greeting).await?;
        let mut inbound = Inbound::default();
        let mut message = Message::default();
        loop {
            let (answer, over) = answer(&mut inbound, &mut arrived, &mut message);
            socket.write_all(&answer).await?;
            if over {
                socket.shutdown_write();
                return Ok(());
            }
            arrived.resize(HTTP_READ_BYTES, 0);
            let count = socket.read(&mut arrived).await?;
            arrived.truncate(count);
            if count == 0 {
                return Ok::<_, std::io::Error>(());
            }
        }
    })
    .await;
}

/// What `arrived` is answered with, and whether the connection is over.
fn answer(inbound: &mut Inbound, arrived: &mut [u8], message: &mut Message) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut rest = arrived;
    while !rest.is_empty() {
        let fed = inbound.feed(rest, message);
        rest = rest.get_mut(fed.used..).unwrap_or_default();
        match fed.fact {
            None | Some(Fact::Pong(_)) => {}
            Some(Fact::Ping(payload)) => put(Opcode::Pong, &payload, &mut out),
            Some(Fact::Message { text }) => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                put(opcode, &std::mem::take(&mut message.0), &mut out);
            }
            Some(Fact::Close { code, .. }) => {
                out.extend_from_slice(&close::echo(code));
                return (out, true);
            }
            Some(Fact::Fault(fault)) => {
                out.extend_from_slice(&close::frame(fault.close_code(), fault.text()));
                return (out, true);
            }
        }
    }
    (out, false)
}

fn put(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    put_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// The message being collected for the echo.
#[derive(Default)]
struct Message(Vec<u8>);

impl Sink for Message {
    fn data(&mut self, slice: Slice<'_>) {
        if self.0.len() + slice.bytes.len() <= WEBSOCKET_ECHO_BYTES_MAX {
            self.0.extend_from_slice(slice.bytes);
        }
    }
}
