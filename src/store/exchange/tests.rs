//! What a broker has sent, on its way to consumers; no broker is asked.

use std::time::Duration;

use bytes::Bytes;
use monoio::{LegacyDriver, RuntimeBuilder};

use std::cell::Cell;

use super::*;
use crate::config::{BrokerHost, ExchangeKind, Secret};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::limits::TAIL_BYTES_FLOOR;
use crate::store::amqp::Message;
use crate::store::{Block, Kind, Located, ReadError, Reader, Reading, StreamStore};

/// Keeps what it is shown, and has it sent by a task of its own, as a home does.
#[derive(Default)]
struct Witness {
    blocks: RefCell<Vec<Block>>,
    /// Bytes shown and not sent yet, and the most there ever were.
    unsent: Rc<Cell<usize>>,
    most: Cell<usize>,
}

impl Observer for Witness {
    fn visible(&self, block: &Block) {
        self.blocks.borrow_mut().push(block.clone());
        if self.unsent.get() == 0 {
            let unsent = Rc::clone(&self.unsent);
            monoio::spawn(async move { unsent.set(0) });
        }
        self.unsent.set(self.unsent.get() + block.bytes.len());
        self.most.set(self.most.get().max(self.unsent.get()));
    }
}

/// Runs `test` on a stream of a broker that is never reached.
fn on_stream(test: impl AsyncFnOnce(Rc<ExchangeStream>, Rc<Witness>)) {
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build().unwrap();
    runtime.block_on(async {
        let broker = Arc::new(Broker {
            hosts: vec![BrokerHost { name: "127.0.0.1".into(), port: 1 }],
            user: "guest".into(),
            password: Secret::default(),
            vhost: "/".into(),
            heartbeat: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            external: false,
            tls: None,
            stream_host: None,
            stream_port: None,
            exchange: None,
            exchange_kind: ExchangeKind::Direct,
        });
        let (amqp, thread) = Amqp::start(Arc::clone(&broker), None).unwrap();
        let store = ExchangeStore::new(amqp.clone(), broker, Turnstile::start().unwrap());
        let witness = Rc::new(Witness::default());
        let name = StreamName::new("s").unwrap();
        let stream = store.open(&name, Rc::clone(&witness) as _).await.unwrap();
        test(stream, witness).await;
        amqp.close();
        thread.join().unwrap();
    });
}

fn message(body: &[u8]) -> Message {
    Message { id: None, body: Bytes::copy_from_slice(body) }
}

#[test]
fn bodies_are_framed_as_they_are_and_take_ordinals_of_our_own() {
    on_stream(async |stream, witness| {
        assert_eq!(stream.bounds().ceiling, Ordinal::new(1));
        let bodies: [&[u8]; 5] = [b"a", b"{no json", b"", b"\xFF", b"POISON"];
        stream.feed.take(&bodies.map(message)).await;
        let blocks = witness.blocks.borrow();
        let seen: Vec<_> = blocks.iter().map(|b| (b.first.get(), b.count, b.kind)).collect();
        assert_eq!(seen, [(1, 2, Kind::Framed), (3, 2, Kind::Withheld), (5, 1, Kind::Poison)]);
        assert_eq!(&blocks[0].bytes[..], b"\x81\x01a\x81\x08{no json");
        let bounds = stream.bounds();
        assert_eq!((bounds.floor, bounds.ceiling), (Ordinal::new(6), Ordinal::new(6)));
        assert!(bounds.ends_in_poison);
        let skipped = stream.feed.shared.skipped.get();
        assert_eq!(skipped, [(Skip::Empty, 1), (Skip::NotUtf8, 1)]);
    });
}

#[test]
fn whoever_is_below_the_ceiling_moves_up_to_it_but_not_inside_a_frame() {
    on_stream(async |stream, _| {
        stream.feed.take(&[message(b"a"), message(b"b")]).await;
        let from = Cursor::before(Ordinal::new(1));
        let mut reader = stream.reader(from);
        assert!(matches!(reader.read(9).await, Ok(Reading::End)));
        assert_eq!(reader.cursor(), Cursor::before(Ordinal::new(3)));
        let mut inside = stream.reader(Cursor { sent: 2, ..from });
        assert!(matches!(inside.read(9).await, Err(ReadError::Lost)));
        let located = stream.locate(Timestamp::EPOCH).await.unwrap();
        assert_eq!(located, Located::Beyond(Ordinal::new(3)));
        stream.close().await.unwrap();
        assert!(matches!(reader.read(9).await, Err(ReadError::Closed)));
    });
}

#[test]
fn others_have_their_turn_before_more_is_shown_than_the_smallest_tail_holds() {
    on_stream(async |stream, witness| {
        let largest = usize::try_from(TAIL_BYTES_FLOOR).unwrap();
        let body = vec![b'x'; largest / 3];
        stream.feed.take(&[(); 9].map(|()| message(&body))).await;
        assert_eq!(stream.bounds().ceiling, Ordinal::new(10));
        assert!(witness.most.get() > largest / 2, "{} bytes at once", witness.most.get());
        assert!(witness.most.get() <= largest, "{} bytes at once", witness.most.get());
    });
}

#[test]
fn a_broker_that_is_away_is_told_at_once_and_no_key_is_pretended_to_count() {
    on_stream(async |stream, _| {
        let fault = stream.attend().await.unwrap_err();
        assert!(matches!(&fault, ReadError::Unreachable(why) if why.contains("127.0.0.1:1")));
        let refused = stream.append_once("key", vec![Bytes::from_static(b"a")]).await.unwrap_err();
        assert!(refused.to_string().starts_with("Idempotency-Key"), "{refused}");
    });
}
