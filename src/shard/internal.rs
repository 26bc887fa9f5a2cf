//! The internal port: the Account Server's REST API, on shard 0.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use log::error;

use monoio::time::timeout;

use crate::census::Port;
use crate::clock::monotonic;
use crate::config::StoreKind;
use crate::doors::management::answer::{self, Ingress};
use crate::doors::management::health::{self, Health, Probe};
use crate::doors::management::{Call, Publication, call, guarded, metrics, route};
use crate::limits::{DISK_FREE_BYTES_MIN, HEALTH_TIMEOUT};
use crate::net::Socket;
use crate::observe::disk::disk;
use crate::observe::logging::{self, HTTP};
use crate::proto::http::{Framing, Head, Reply, RequestId, Response};
use crate::registry::EventStream;
use crate::store::{AppendError, Bounds, ReadError, Store};

use super::census::Taker;
use super::context::Shard;
use super::http::{Connection, Stop};
use super::mailbox::Message;
use super::registrar::{ChangeError, Registrar};
use super::status;

/// Those who do what takes more than one shard.
pub(super) struct Desk {
    pub(super) registrar: Registrar,
    pub(super) taker: Taker,
    pub(super) exporter: metrics::Exporter,
}

/// Serves one connection until it is closed.
pub(super) async fn serve<S: Store>(shard: Rc<Shard<S>>, desk: Rc<Desk>, socket: Socket) {
    let mut connection = Connection::new(&shard, socket, Port::Internal);
    let mut first = true;
    loop {
        let Some((head, id)) = connection.request(first).await else { return };
        first = false;
        let in_flight = InFlight::new(&shard);
        let responded = respond(&shard, &desk, &mut connection, &head, &id).await;
        let (response, intact) = match responded {
            Ok(response) => (response, true),
            Err(Stop::Answer(response)) => (response, false),
            Err(Stop::Gone) => return,
        };
        connection.log(&head, &response, &id);
        let mut reply = Reply::to(&head);
        if !intact || shard.stopping.get() {
            reply = reply.closing();
        }
        if connection.answer(guarded(response), reply, &id).await.is_err() {
            return;
        }
        drop(in_flight);
        if !reply.keep_alive {
            return connection.linger().await;
        }
    }
}

/// A request being answered: stopping waits for it.
struct InFlight<S: Store>(Rc<Shard<S>>);

impl<S: Store> InFlight<S> {
    fn new(shard: &Rc<Shard<S>>) -> Self {
        shard.requests.set(shard.requests.get() + 1);
        Self(Rc::clone(shard))
    }
}

impl<S: Store> Drop for InFlight<S> {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
    }
}

/// The response to one request. An error leaves the connection unusable.
async fn respond<S: Store>(
    shard: &Rc<Shard<S>>,
    desk: &Desk,
    connection: &mut Connection,
    head: &Head,
    id: &RequestId,
) -> Result<Response, Stop> {
    let event_bytes_max = shard.config.event_bytes_max;
    let ruled = route(head).and_then(|route| Ok((route, route.body_rule(head, event_bytes_max)?)));
    let (route, rule) = match ruled {
        Ok(ruled) => ruled,
        // The body is not read, so the next request can't be found.
        Err(response) if head.framing() != Framing::None => return Err(Stop::Answer(response)),
        Err(response) => return Ok(response),
    };
    let (body, _share) = connection.body(head, rule.bytes_max(), &shard.body_budget).await?;
    Ok(match call(route, head, body, event_bytes_max) {
        Ok(call) => perform(shard, desk, call, id).await,
        Err(response) => response,
    })
}

async fn perform<S: Store>(
    shard: &Rc<Shard<S>>,
    desk: &Desk,
    call: Call,
    request: &RequestId,
) -> Response {
    let config = &shard.config;
    let ingress = Ingress { location: &config.ingress_location, secure: config.ingress_secure };
    match call {
        Call::Version => answer::version(),
        Call::Status(question) => status::answer(shard, &desk.taker, &question).await,
        Call::OpenApi => answer::openapi(),
        Call::Docs => answer::docs(),
        Call::Asset { asset, known } => asset.answer(known),
        Call::Health(probe) => health::answer(probe, &examine(shard, probe).await),
        Call::Metrics => desk.exporter.answer(&desk.taker.census(shard).await),
        Call::List => {
            let all = shard.directory.borrow().all();
            answer::listed(all.iter().map(|one| &**one), ingress)
        }
        Call::LogLevel => answer::log_level(logging::level()),
        Call::SetLogLevel(level) => {
            logging::set_level(level, &format!("request {request}"));
            answer::log_level(logging::level())
        }
        Call::Create(creation) => match desk.registrar.create(shard, creation, request).await {
            Ok((event_stream, declared)) => {
                answer::created(&event_stream, ingress, declared.as_ref())
            }
            Err(fault) => failed(&fault, request),
        },
        Call::Delete { id, force } => {
            match desk.registrar.delete(shard, id, force, request).await {
                Ok(Some(_)) => answer::deleted(),
                Ok(None) => answer::not_known(&id),
                Err(fault) => failed(&fault, request),
            }
        }
        Call::Show { id } => show(shard, id, ingress).await,
        Call::Publish { id, publication } => publish(shard, id, publication, request).await,
    }
}

async fn show<S: Store>(shard: &Rc<Shard<S>>, id: i64, ingress: Ingress<'_>) -> Response {
    let found = shard.directory.borrow().by_id(id);
    let Some(event_stream) = found else { return answer::not_known(&id) };
    match describe(shard, &event_stream).await {
        Ok((bounds, consumers)) => answer::shown(&event_stream, ingress, &bounds, consumers),
        Err(ReadError::Missing) => {
            answer::failed("The broker has no such stream; create that first")
        }
        Err(fault @ ReadError::Unreachable(_)) => answer::unavailable(&fault.to_string()),
        Err(_) => answer::failed("The stream's log can't be opened; see the service's log"),
    }
}

async fn publish<S: Store>(
    shard: &Rc<Shard<S>>,
    id: i64,
    publication: Publication,
    request: &RequestId,
) -> Response {
    let found = shard.directory.borrow().by_id(id);
    let Some(event_stream) = found else { return answer::not_known(&id) };
    let begun = monotonic();
    match shard.append(&event_stream.routing_key, publication).await {
        Ok(receipt) => {
            shard.meters.publishes.add(monotonic().saturating_duration_since(begun));
            answer::published(&receipt)
        }
        Err(AppendError::Closed) if shard.directory.borrow().by_id(id).is_some() => {
            answer::failed("The stream's log can't be opened; see the service's log")
        }
        Err(fault) => {
            let name = &event_stream.routing_key;
            error!(target: HTTP, request_id:% = request; "{name}: {fault}");
            answer::not_appended(id, &fault)
        }
    }
}

/// What the stream holds and how many consumers came through the event stream.
async fn describe<S: Store>(
    shard: &Rc<Shard<S>>,
    event_stream: &Arc<EventStream>,
) -> Result<(Bounds, usize), ReadError> {
    let (reply, state) = async_channel::bounded(1);
    let home = shard.home_of(&event_stream.routing_key);
    let event_stream = Arc::clone(event_stream);
    shard.mailboxes.send(home, Message::Describe { event_stream, reply }).await;
    state.recv().await.unwrap_or(Err(ReadError::Closed))
}

/// Asks every shard how it is.
async fn examine<S: Store>(shard: &Rc<Shard<S>>, probe: Probe) -> Health {
    let mut health = Health::default();
    let (mut passing, mut lasting) = (Vec::new(), Vec::new());
    for index in 0..shard.mailboxes.len() {
        let (reply, answer) = async_channel::bounded(1);
        let asking = async {
            shard.mailboxes.send(index, Message::Trouble { reply }).await;
            answer.recv().await
        };
        let trouble = match timeout(HEALTH_TIMEOUT, asking).await {
            Ok(Ok(troubles)) => {
                passing.extend(troubles.passing);
                lasting.extend(troubles.lasting);
                None
            }
            Ok(Err(_)) => Some("it has ended".to_owned()),
            Err(_) => Some(format!("no answer within {} s", HEALTH_TIMEOUT.as_secs())),
        };
        health.part(format!("shard {index}"), trouble);
    }
    // The shards share what keeps their events, and so its troubles.
    if probe == Probe::Ready {
        let stopping = shard.stopping.get().then(|| "the service is stopping".to_owned());
        health.part("service", stopping);
        health.part("store", lasting.into_iter().chain(passing).next());
        if shard.config.store == StoreKind::Log {
            health.part("disk", full(shard.config.data_dir.clone()).await);
        }
    } else if probe == Probe::Live {
        health.part("store", lasting.into_iter().next());
    }
    health
}

/// Whether the disk of `data_dir` has no room for events, or doesn't answer.
async fn full(data_dir: PathBuf) -> Option<String> {
    let asking = monoio::spawn_blocking(move || disk(&data_dir));
    let Ok(Ok(asked)) = timeout(HEALTH_TIMEOUT, asking).await else {
        return Some(format!("no answer within {} s", HEALTH_TIMEOUT.as_secs()));
    };
    let free = match asked {
        Ok(disk) if disk.free_bytes >= DISK_FREE_BYTES_MIN => return None,
        Ok(disk) => disk.free_bytes,
        Err(fault) => return Some(format!("the data directory can't be asked for room: {fault}")),
    };
    Some(format!("full: {free} bytes are free for the data directory, publishing answers 507"))
}

fn failed(fault: &ChangeError, request: &RequestId) -> Response {
    error!(target: HTTP, request_id:% = request; "{fault}");
    Response::detail(fault.status(), &fault.to_string())
}
