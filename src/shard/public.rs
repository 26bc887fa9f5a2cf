//! The public port: requests that become consumers, and the few that don't.

use std::rc::Rc;
use std::sync::Arc;

use log::{info, warn};

use crate::census::Port;
use crate::clock::Clock;
use crate::doors::events::{Admission, admit, start};
use crate::event::{Cause, Reason, Start};
use crate::net::Socket;
use crate::observe::logging::ACCESS;
use crate::proto::http::{Framing, Head, Reply, RequestId};
use crate::registry::EventStream;
use crate::store::Store;

use super::context::Shard;
use super::farewell::{self, echo};
use super::http::{Connection, target};
use super::mailbox::{Arrival, Message};
use super::reasons;

/// Serves one connection until it is closed or has become a consumer.
pub(super) async fn serve<S: Store>(shard: Rc<Shard<S>>, socket: Socket) {
    let mut connection = Connection::new(&shard, socket, Port::Public);
    let mut first = true;
    loop {
        let Some((head, id)) = connection.request(first).await else { return };
        first = false;
        match admit(&head, &shard.config.allowed_origins, shard.config.echo) {
            Admission::Upgrade { uuid, accept } => {
                let greeting = accept.response(&id);
                return upgrade(&shard, connection, &head, id, &uuid, greeting).await;
            }
            Admission::Echo(accept) => return echo(connection, &accept.response(&id)).await,
            Admission::Answer(response) => {
                connection.log(&head, &response, &id);
                // A public GET has no body that anybody would wait for.
                let mut reply = Reply::to(&head);
                if head.framing() != Framing::None || shard.stopping.get() {
                    reply = reply.closing();
                }
                if connection.answer(response, reply, &id).await.is_err() {
                    return;
                }
                if !reply.keep_alive {
                    return connection.linger().await;
                }
            }
        }
    }
}

/// Makes a consumer of the connection, at the home of its stream, or says why not.
async fn upgrade<S: Store>(
    shard: &Rc<Shard<S>>,
    connection: Connection,
    head: &Head,
    request: RequestId,
    uuid: &str,
    greeting: Vec<u8>,
) {
    let (socket, early) = connection.into_parts();
    let (peer, target) = (socket.peer(), target(head));
    info!(
        target: ACCESS,
        request_id:% = request, peer:% = peer, method = "WEBSOCKET", url = target, status = 101;
        "{peer} WEBSOCKET {target} 101",
    );
    let wanted = destination(shard, head, uuid);
    let (event_stream, start) = match wanted {
        Ok(_) if !early.is_empty() => {
            let reason =
                Reason::fixed(Cause::Protocol, 1002, "Data before the handshake was answered");
            return farewell::refuse(shard, socket, &greeting, &reason, &request).await;
        }
        Ok(wanted) => wanted,
        Err(reason) => {
            return farewell::refuse(shard, socket, &greeting, &reason, &request).await;
        }
    };
    let home = shard.home_of(&event_stream.routing_key);
    if home == shard.index {
        return join(shard, socket, event_stream, start, greeting, request).await;
    }
    match socket.park() {
        Ok(socket) => {
            let arrival = Arrival { socket, event_stream, start, greeting, request };
            shard.mailboxes.send(home, Message::Adopt(arrival)).await;
        }
        Err(fault) => {
            warn!(request_id:% = request; "a connection can't move to shard {home}: {fault}");
        }
    }
}

/// Which event stream the client wants, and where to begin.
fn destination<S: Store>(
    shard: &Shard<S>,
    head: &Head,
    uuid: &str,
) -> Result<(Arc<EventStream>, Start), Reason> {
    if shard.stopping.get() {
        return Err(reasons::RESTART);
    }
    let event_stream =
        shard.directory.borrow().by_uuid(uuid).ok_or_else(|| reasons::unknown(uuid))?;
    let start = start(head, Clock::System.now())?;
    if start != Start::Next && !shard.store.keeps_history() {
        return Err(reasons::NO_HISTORY);
    }
    Ok((event_stream, start))
}

/// Takes over a consumer from another shard.
pub(super) async fn adopt<S: Store>(shard: Rc<Shard<S>>, arrival: Arrival) {
    let Arrival { socket, event_stream, start, greeting, request } = arrival;
    match socket.unpark() {
        Ok(socket) => join(&shard, socket, event_stream, start, greeting, request).await,
        Err(fault) => {
            let index = shard.index;
            warn!(request_id:% = request; "shard {index} can't take over a connection: {fault}");
        }
    }
}

async fn join<S: Store>(
    shard: &Rc<Shard<S>>,
    socket: Socket,
    event_stream: Arc<EventStream>,
    start: Start,
    greeting: Vec<u8>,
    request: RequestId,
) {
    // It may have been deleted while the socket was on its way.
    let known = shard.directory.borrow().by_uuid(&event_stream.uuid).is_some();
    let reason = match shard.home(&event_stream.routing_key) {
        _ if shard.stopping.get() => reasons::RESTART,
        _ if !known => reasons::unknown(&event_stream.uuid),
        None => reasons::not_found(&event_stream.uuid),
        Some(home) => {
            let event_stream = Arc::clone(&event_stream);
            match home.join(socket, event_stream, start, &greeting, &request).await {
                Ok(()) => return,
                Err((socket, reason)) => {
                    return farewell::refuse(shard, socket, &greeting, &reason, &request).await;
                }
            }
        }
    };
    farewell::refuse(shard, socket, &greeting, &reason, &request).await;
}
