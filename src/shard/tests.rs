//! A root and what its store hears, without sockets and threads.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_channel::bounded;
use bytes::Bytes;
use monoio::time::timeout;

use crate::census::Driver;
use crate::clock::{Clock, Tick};
use crate::config::{Config, Retain};
use crate::event::{Cursor, Ordinal, StreamName, Timestamp};
use crate::net::{Sockets, Turnstile};
use crate::store::{
    AppendError, Bounds, Located, MemoryReader, MemoryStore, MemoryStream, Observer, ReadError,
    Receipt, Store, StoreError, StreamStore,
};
use crate::wait::Permits;

use super::budget::Budget;
use super::context::Shard;
use super::directory::Directory;
use super::home::Home;
use super::inbox::Inbox;
use super::line::{Answer, Line, Request, Told};
use super::mailbox::Mailboxes;
use super::meters::Meters;
use super::request_ids::RequestIds;

/// A store in memory that keeps how many consumers it was told of last.
struct Watched(MemoryStore, Rc<Cell<usize>>);

struct WatchedStream(Rc<MemoryStream>, Rc<Cell<usize>>);

impl Store for Watched {
    type Stream = WatchedStream;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<WatchedStream>, StoreError> {
        let stream = self.0.open(name, observer).await?;
        Ok(Rc::new(WatchedStream(stream, Rc::clone(&self.1))))
    }

    async fn remove(&self, name: &StreamName) -> Result<(), StoreError> {
        self.0.remove(name).await
    }
}

impl StreamStore for WatchedStream {
    type Reader = MemoryReader;

    fn tend(&self, consumers: usize) {
        self.1.set(consumers);
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        self.0.append(bodies).await
    }

    async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError> {
        self.0.locate(timestamp).await
    }

    fn reader(&self, from: Cursor) -> MemoryReader {
        self.0.reader(from)
    }

    async fn retain(&self) -> Result<u64, StoreError> {
        self.0.retain().await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.0.sync().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }
}

/// The first of two shards; nobody reads the mailboxes.
fn shard<S: Store>(store: S) -> Rc<Shard<S>> {
    Rc::new(Shard {
        index: 0,
        config: Arc::new(Config { shards: 1, ..Config::with_defaults(1) }),
        store,
        directory: RefCell::new(Directory::new([])),
        homes: RefCell::default(),
        branches: RefCell::default(),
        leaving: RefCell::default(),
        mailboxes: Mailboxes::new(2).0,
        sockets: Sockets::new(1),
        turnstile: Turnstile::start().expect("a socket pair can be made"),
        inbox: Inbox::new().expect("an epoll set can be made"),
        history_permits: Permits::new(1),
        body_budget: Rc::new(Budget::new(1)),
        request_ids: Rc::new(RequestIds::new()),
        http_buffer: Rc::default(),
        requests: Cell::new(0),
        stopping: Cell::new(false),
        coarse_now: Cell::new(Tick::now()),
        driver: Driver::Epoll,
        meters: Meters::default(),
    })
}

fn memory() -> MemoryStore {
    MemoryStore::new(Retain::default(), Clock::System)
}

async fn opened<S: Store>(shard: &Rc<Shard<S>>) -> Rc<Home<S>> {
    let name = StreamName::new("abc").expect("a name");
    shard.open(&name).await.expect("memory opens");
    shard.home(&name).expect("it is open")
}

fn on_a_shard(test: impl Future<Output = ()>) {
    let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
    builder.build().expect("epoll is there").block_on(test);
}

/// Asks for what follows, as a branch does; `None` when the root lets it go instead.
async fn pull(line: &Line, from: Ordinal) -> Option<Answer> {
    let (reply, answer) = bounded(1);
    line.send(Request::Pull { from, reply }).await.ok()?;
    let answer = timeout(Duration::from_secs(10), answer.recv()).await;
    answer.expect("an answer, or the line's end").ok()
}

async fn tell(line: &Line, taken: u64, consumers: usize) {
    let told = Told { taken, consumers, ..Told::default() };
    line.send(Request::Told(told)).await.expect("the root is there");
}

#[test]
fn a_stream_is_attended_for_the_consumers_of_its_branches() {
    on_a_shard(async {
        let heard = Rc::new(Cell::new(usize::MAX));
        let shard = shard(Watched(memory(), Rc::clone(&heard)));
        let home = opened(&shard).await;
        let tended = || {
            home.tend(Tick::now());
            heard.get()
        };
        assert_eq!(tended(), 0, "nobody is here");
        let line = home.line_for_graft(1);
        assert_eq!(tended(), 1, "somebody is on the way to the branch");
        // Nobody is at the root, and what comes is the branch's.
        for consumers in [1, 1, 0] {
            let next = home.ceiling();
            let body = vec![Bytes::from_static(b"event")];
            home.store().expect("a root has one").append(body).await.expect("memory takes it");
            tell(&line, 1, consumers).await;
            let answer = pull(&line, next).await;
            assert!(matches!(answer, Some(Answer::Blocks(blocks)) if blocks[0].first == next));
            assert_eq!(tended(), consumers);
        }
    });
}

#[test]
fn who_asks_to_go_is_let_go_whatever_it_asks_before_it_knows() {
    on_a_shard(async {
        let shard = shard(memory());
        let home = opened(&shard).await;
        let line = home.line_for_graft(1);
        tell(&line, 1, 0).await;
        line.send(Request::Leave { taken: 1 }).await.expect("the root is there");
        assert!(pull(&line, home.ceiling()).await.is_none());
        assert!(line.is_closed());
        assert_eq!(home.spread.branches(), 0);
    });
}
