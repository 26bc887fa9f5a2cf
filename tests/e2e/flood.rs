//! 200,000 events while 50 consumers join at random starts, and some leave and return.
//!
//! Every one sees exactly its continuation: ordinal by ordinal, each with the content that was
//! acknowledged under it, up to the last event.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::support::{
    Api, Dice, Foreign, Library, Listener, Server, Setup, everywhere, ordinal_of, wait_until,
};

everywhere!(everyone_sees_exactly_its_continuation);

const EVENTS: u64 = 200_000;
const PUBLISHERS: u64 = 4;
const BATCH: u64 = 100;
/// Consumers in this process, and by foreign libraries.
const OWN: u64 = 44;
const FOREIGN: u64 = 6;

/// An event as it was acknowledged.
struct Stored {
    ordinal: u64,
    timestamp: u64,
    body: String,
}

/// How far the publishers are.
struct Progress {
    events: AtomicU64,
    timestamp: AtomicU64,
}

/// Where a consumer began.
#[derive(Clone, Copy, Debug)]
enum Start {
    After(u64),
    At {
        timestamp: u64,
    },
    /// Live. At least `known` ordinals were given out before, at most `latest` until the 101.
    Next {
        known: u64,
        latest: u64,
    },
}

/// What a consumer asked for, the ordinal it saw first, and a digest of each event from there.
struct Account {
    start: Start,
    first: u64,
    digests: Vec<u64>,
}

fn everyone_sees_exactly_its_continuation(setup: Setup) {
    let mut dice = Dice::seeded(20_261_120);
    let server = Server::start(setup, &[]);
    let stream = server.create("flood");
    let clock = server.publish(stream.id, "the first").timestamp;
    let progress = Progress { events: AtomicU64::new(1), timestamp: AtomicU64::new(clock) };

    let (mut stored, accounts) = thread::scope(|scope| {
        let progress = &progress;
        let publish = |publisher| {
            let api = server.clone();
            scope.spawn(move || publish(&api, stream.id, publisher, progress))
        };
        let publishers: Vec<_> = (0..PUBLISHERS).map(publish).collect();
        let consume = |number| {
            let dice = dice.split();
            let (public, uuid) = (server.public(), stream.uuid.clone());
            let seat = Seat { public, uuid, number, clock, dice, progress };
            scope.spawn(move || seat.consume())
        };
        let consumers: Vec<_> = (0..OWN + FOREIGN).map(consume).collect();
        let stored =
            publishers.into_iter().flat_map(|one| one.join().expect("no publisher failed"));
        let stored: Vec<Stored> = stored.collect();
        let accounts: Vec<Account> =
            consumers.into_iter().map(|one| one.join().expect("no consumer failed")).collect();
        (stored, accounts)
    });

    stored.push(Stored { ordinal: 1, timestamp: clock, body: "the first".to_owned() });
    let count = stored.len();
    let sent: BTreeMap<u64, (u64, u64)> =
        stored.iter().map(|event| (event.ordinal, (event.timestamp, event.digest()))).collect();
    assert_eq!(sent.len(), count, "an ordinal was given out twice");
    assert!(sent.keys().copied().eq(1..=EVENTS + 1), "ordinals are dense");
    assert!(sent.values().is_sorted_by_key(|(timestamp, _)| timestamp), "time went back");
    for account in accounts {
        account.check(&sent);
    }
}

/// Publishes one publisher's share: texts and JSON, short and long.
fn publish(api: &Api, id: i64, publisher: u64, progress: &Progress) -> Vec<Stored> {
    let mut stored = Vec::new();
    for batch in 0..EVENTS / PUBLISHERS / BATCH {
        let bodies = (0..BATCH).map(|n| {
            let number = batch * BATCH + n;
            let padding = "\u{e9}~".repeat(usize::try_from(number % 97).expect("small"));
            if number.is_multiple_of(3) {
                format!("{{\"publisher\":{publisher},\"number\":{number},\"p\":\"{padding}\"}}")
            } else {
                format!("{publisher} {number} {padding}")
            }
        });
        let bodies: Vec<String> = bodies.collect();
        let published = api.publish_lines(id, &bodies.join("\n"));
        let timestamp = published.timestamp;
        assert_eq!(published.last - published.first + 1, BATCH);
        let events = (published.first..=published.last).zip(bodies);
        stored.extend(events.map(|(ordinal, body)| Stored { ordinal, timestamp, body }));
        progress.timestamp.fetch_max(timestamp, Ordering::AcqRel);
        progress.events.fetch_add(BATCH, Ordering::AcqRel);
    }
    stored
}

impl Stored {
    /// Of what is sent for it.
    fn digest(&self) -> u64 {
        let Self { ordinal, timestamp, body } = self;
        digest(&match body.strip_prefix('{') {
            Some(rest) => {
                format!("{{\"ess_ordinal\":{ordinal},\"ess_timestamp\":{timestamp},{rest}")
            }
            None => format!("{body}|ordinal: {ordinal}|timestamp: {timestamp}"),
        })
    }
}

impl Progress {
    fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }
}

/// Where one consumer sits.
struct Seat<'a> {
    public: SocketAddr,
    uuid: String,
    number: u64,
    clock: u64,
    dice: Dice,
    progress: &'a Progress,
}

impl Seat<'_> {
    /// Waits for its turn, then consumes to the last event.
    fn consume(mut self) -> Account {
        let turn = self.dice.below(EVENTS * 9 / 10);
        wait_until("this consumer's turn", || self.progress.events() >= turn);
        let known = self.progress.events();
        // A start of each kind in turn, somewhere in what is there now.
        let start = match self.number % 4 {
            0 => Start::Next { known, latest: 0 },
            1 => {
                let passed = self.progress.timestamp.load(Ordering::Acquire) - self.clock;
                Start::At { timestamp: self.clock + self.dice.below(passed + 1) }
            }
            _ => Start::After(self.dice.below(known + 1)),
        };
        let mut account = Account { start, first: 0, digests: Vec::new() };
        if self.number < OWN {
            self.listen(&mut account);
        } else {
            self.listen_foreign(&mut account);
        }
        account
    }

    /// Every other one leaves, in the middle of whatever is on its way, and returns.
    fn listen(&mut self, account: &mut Account) {
        let mut listener = Listener::open(self.public, &self.url(account.start));
        account.opened(self.progress);
        while !account.complete() {
            let leaves = self.number % 2 == 1 && self.dice.below(20_000) == 0;
            if leaves && let Some(last) = account.last() {
                listener = Listener::open(self.public, &self.url(Start::After(last)));
            }
            account.saw(&listener.text());
        }
    }

    fn listen_foreign(&self, account: &mut Account) {
        let libraries = u64::try_from(Library::ALL.len()).expect("three");
        let library = usize::try_from(self.number % libraries).expect("small");
        let foreign = Foreign::start(Library::ALL[library]);
        let mut consumer = foreign.open(&self.url(account.start));
        account.opened(self.progress);
        while !account.complete() {
            if account.digests.len() == 5_000
                && let Some(last) = account.last()
            {
                consumer.close(1000, "back soon");
                consumer = foreign.open(&self.url(Start::After(last)));
            }
            account.saw(&consumer.text());
        }
    }

    fn url(&self, start: Start) -> String {
        let query = match start {
            Start::After(ordinal) => format!("?stream_from_ordinal={ordinal}"),
            Start::At { timestamp } => format!("?stream_from_timestamp={timestamp}"),
            Start::Next { .. } => String::new(),
        };
        format!("ws://{}/event-stream/{}{query}", self.public, self.uuid)
    }
}

impl Account {
    /// The 101 is here: every ordinal given out until then is acknowledged or in flight.
    fn opened(&mut self, progress: &Progress) {
        if let Start::Next { latest, .. } = &mut self.start {
            *latest = progress.events() + PUBLISHERS * BATCH;
        }
    }

    fn saw(&mut self, text: &str) {
        let ordinal = ordinal_of(text);
        match self.last() {
            None => self.first = ordinal,
            Some(last) => assert_eq!(ordinal, last + 1, "{:?}: {text}", self.start),
        }
        self.digests.push(digest(text));
    }

    fn last(&self) -> Option<u64> {
        let seen = u64::try_from(self.digests.len()).expect("so many fit");
        seen.checked_sub(1).map(|before| self.first + before)
    }

    fn complete(&self) -> bool {
        self.last().is_some_and(|last| last > EVENTS)
    }

    fn check(&self, sent: &BTreeMap<u64, (u64, u64)>) {
        let (start, first) = (self.start, self.first);
        match start {
            Start::After(ordinal) => assert_eq!(first, ordinal + 1, "{start:?}"),
            Start::At { timestamp } => {
                let expected = sent.iter().find(|(_, (time, _))| *time >= timestamp);
                assert_eq!(Some(first), expected.map(|(ordinal, _)| *ordinal), "{start:?}");
            }
            Start::Next { known, latest } => {
                assert!(known < first && first <= latest + 1, "{start:?}: {first}");
            }
        }
        let expected = sent.range(first..);
        assert_eq!(self.digests.len(), expected.clone().count(), "{start:?}");
        for (seen, (ordinal, (_, digest))) in self.digests.iter().zip(expected) {
            assert_eq!(seen, digest, "{start:?}: {ordinal} isn't what was acknowledged");
        }
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
