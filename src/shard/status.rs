//! `GET /status`: the census, and those streams that were asked for and are too far down in it.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use async_channel::{Receiver, bounded};
use monoio::time::timeout;

use crate::census::{Census, StreamCensus};
use crate::clock::Clock;
use crate::config::StoreKind;
use crate::doors::management::answer::Ingress;
use crate::doors::management::status::{self, Question, Service, Told};
use crate::event::StreamName;
use crate::limits::CENSUS_TIMEOUT;
use crate::proto::http::Response;
use crate::store::Store;

use super::census::Taker;
use super::context::Shard;
use super::mailbox::Message;

/// Answers the question.
pub(super) async fn answer<S: Store>(
    shard: &Rc<Shard<S>>,
    taker: &Taker,
    question: &Question,
) -> Response {
    let census = taker.census(shard).await;
    let registered = shard.directory.borrow().names();
    let (matching, chosen) = question.choose(registered, &census);
    let mut more = look(shard, &census, &chosen).await;
    for branch in census.shards.iter().flat_map(|shard| &shard.branches) {
        more.iter_mut().filter(|one| one.name == branch.name).for_each(|one| one.join(branch));
    }
    let known: HashMap<_, _> = census
        .shards
        .iter()
        .flat_map(|shard| &shard.streams)
        .chain(&more)
        .map(|stream| (&stream.name, stream))
        .collect();
    let streams = chosen.iter().map(|name| Told {
        name,
        shard: shard.home_of(name),
        census: known.get(name).copied(),
        event_streams: shard.directory.borrow().of_stream(name),
    });
    let config = &shard.config;
    let service = Service {
        store: match config.store {
            StoreKind::Log => "log",
            StoreKind::RabbitMq => "rabbitmq",
            StoreKind::Exchange => "exchange",
        },
        at: Clock::System.now(),
        ingress: Ingress { location: &config.ingress_location, secure: config.ingress_secure },
    };
    status::answer(&service, &census, question, matching, streams)
}

/// The streams that the census of their shard didn't tell of one by one.
async fn look<S: Store>(
    shard: &Rc<Shard<S>>,
    census: &Census,
    chosen: &[StreamName],
) -> Vec<StreamCensus> {
    let (reply, answers) = bounded(shard.mailboxes.len());
    let told: HashSet<_> =
        census.shards.iter().flat_map(|shard| &shard.streams).map(|stream| &stream.name).collect();
    for counted in census.shards.iter().filter(|counted| counted.others.streams > 0) {
        let names: Vec<_> = chosen
            .iter()
            .filter(|name| shard.home_of(name) == counted.index && !told.contains(name))
            .cloned()
            .collect();
        if !names.is_empty() {
            let (mailboxes, reply, index) = (shard.mailboxes.clone(), reply.clone(), counted.index);
            monoio::spawn(timeout(CENSUS_TIMEOUT, async move {
                mailboxes.send(index, Message::Look { names, reply }).await;
            }));
        }
    }
    drop(reply);
    let mut found = Vec::new();
    // Of whoever is late nothing is told.
    let _ = timeout(CENSUS_TIMEOUT, collect(&answers, &mut found)).await;
    found
}

async fn collect(answers: &Receiver<Vec<StreamCensus>>, found: &mut Vec<StreamCensus>) {
    while let Ok(answer) = answers.recv().await {
        found.extend(answer);
    }
}
