//! The store's contract on a real broker: one private node for all of these tests.
//!
//! Left out of the suite is what the broker decides: retention, and which names a stream may have.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::clock::Clock;
use crate::config::{BrokerHost, ExchangeKind, Retain, Secret};
use crate::event::Timestamp;
use crate::proto::rabbit::{Code, request};
use crate::store::StreamStore;
use crate::store::conformance::{self, Rig};

/// The ports of the node, which ends with this process: it sees its standard input close.
fn node() -> (u16, u16) {
    static NODE: OnceLock<(Child, u16, u16)> = OnceLock::new();
    let (_, amqp, stream) = NODE.get_or_init(|| {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broker/run");
        let mut child = Command::new("python3")
            // Room for the suite's largest event in a frame.
            .args([program, "--orders", "--set", "stream.frame_max=8388608"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests need python3");
        let mut line = String::new();
        let out = child.stdout.take().expect("standard output is piped");
        BufReader::new(out).read_line(&mut line).expect("the program answers");
        let told: Value = serde_json::from_str(&line).expect("a line of JSON");
        let ports = &told["done"]["ports"];
        let port = |name: &str| {
            let port = ports[name].as_u64().unwrap_or_else(|| panic!("no RabbitMQ: {line}"));
            u16::try_from(port).expect("a port")
        };
        let (amqp, stream) = (port("amqp"), port("stream"));
        (child, amqp, stream)
    });
    (*amqp, *stream)
}

fn broker() -> Arc<Broker> {
    let (port, stream) = node();
    Arc::new(broker_at(port, Some(stream)))
}

/// A broker on this machine.
pub(super) fn broker_at(port: u16, stream_port: Option<u16>) -> Broker {
    Broker {
        hosts: vec![BrokerHost { name: "127.0.0.1".into(), port }],
        user: "guest".into(),
        password: Secret::new("guest".into()),
        vhost: "/".into(),
        heartbeat: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(10),
        external: false,
        tls: None,
        stream_host: None,
        stream_port,
        exchange: None,
        exchange_kind: ExchangeKind::default(),
    }
}

/// A store whose streams are made and removed as the Account Server does it, each property's apart
/// from the others'.
struct Declaring {
    store: RabbitStore,
    property: &'static str,
}

impl Declaring {
    fn named(&self, name: &StreamName) -> StreamName {
        StreamName::new(&format!("{}-{name}", self.property)).unwrap()
    }

    async fn ask(&self, request: impl FnOnce(u32) -> Vec<u8>, or: Code) {
        let pool = &self.store.shared.pool;
        let asked = pool.any().await.unwrap().command(request).await.unwrap();
        assert!(asked.is_ok() || asked == or, "{asked}");
    }
}

impl Store for Declaring {
    type Stream = RabbitStream;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<RabbitStream>, StoreError> {
        let name = self.named(name);
        let create = |correlation| request::create_stream(correlation, name.as_str(), &[]);
        self.ask(create, Code::STREAM_EXISTS).await;
        let stream = self.store.open(&name, observer).await?;
        stream.attend().await.unwrap();
        Ok(stream)
    }

    async fn remove(&self, name: &StreamName) -> Result<(), StoreError> {
        let name = self.named(name);
        let delete = |correlation| request::delete_stream(correlation, name.as_str());
        self.ask(delete, Code::STREAM_DOES_NOT_EXIST).await;
        self.store.remove(&name).await
    }
}

struct RabbitRig {
    property: &'static str,
    clock: Clock,
    turnstile: Turnstile,
}

impl Rig for RabbitRig {
    type Store = Declaring;

    async fn store(&self, _retain: Retain) -> Declaring {
        // Its thread ends with the store.
        let (amqp, _) = Amqp::start(broker(), None).expect("a thread can be started");
        let store = RabbitStore::new(broker(), None, amqp, 4, self.turnstile.clone());
        Declaring { store, property: self.property }
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

macro_rules! on_a_broker {
    ($property:ident) => {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().expect("epoll is there").block_on(async {
            let rig = RabbitRig {
                property: stringify!($property),
                clock: Clock::manual(Timestamp::from_millis(1_000)),
                turnstile: Turnstile::start().expect("a socket pair"),
            };
            conformance::$property(&rig).await;
        });
    };
}

crate::conformance_tests!(on_a_broker:
    a_new_stream_is_empty,
    ordinals_are_dense_and_receipts_say_them,
    the_observer_sees_everything_before_the_answer,
    appends_that_meet_stay_whole_and_in_order,
    timestamps_never_go_back,
    what_is_never_sent_takes_an_ordinal,
    a_closed_stream_refuses,
    a_removed_stream_begins_anew,
    streams_do_not_mix,
    readers_yield_what_the_observer_saw_from_any_cursor,
    a_reader_goes_on_when_more_is_appended,
    a_cursor_beyond_the_ceiling_waits,
    a_poison_is_told_in_its_place,
    large_events_come_in_pieces,
    everything_survives_being_opened_again,
    locate_finds_the_first_not_older,
);
