//! The root's side of a stream that more than one shard serves.
//!
//! The root decides: where a newcomer goes, what a branch is given, when one may go. Each branch
//! has a [`Limb`] here, and a task that answers it. What it costs a stream without branches is a
//! look at an empty list.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use async_channel::{Receiver, Sender, bounded};
use log::info;
use monoio::time::timeout;

use crate::census::Traffic;
use crate::event::{Cursor, Ordinal};
use crate::hub::{Follow, Tail};
use crate::limits::{CENSUS_TIMEOUT, LINE_REQUESTS_MAX, PULL_BLOCKS_MAX, PULL_BYTES_MAX};
use crate::store::{Block, Reader, Store, StreamStore};
use crate::wait::unless;

use super::home::Home;
use super::line::{Answer, Answered, Ask, Ending, Line, Request, Told};
use super::mailbox::Message;

/// The branches of a stream. A branch itself has none.
#[derive(Default)]
pub(super) struct Spread {
    limbs: RefCell<Vec<Rc<Limb>>>,
    /// What passed through branches that are gone.
    gone: Cell<Traffic>,
    /// The stream has ended: whoever pulls is told.
    ending: Cell<Option<Ending>>,
}

/// What the root knows of a branch.
struct Limb {
    shard: usize,
    line: Line,
    /// Consumers that were sent there.
    given: Cell<u64>,
    told: Cell<Told>,
    /// The pull that waits for the next block.
    waiting: Cell<Option<Pull>>,
}

struct Pull {
    from: Ordinal,
    reply: Sender<Answer>,
}

impl Limb {
    /// Consumers there, and on their way.
    fn consumers(&self) -> usize {
        let told = self.told.get();
        let under_way = usize::try_from(self.given.get() - told.taken).unwrap_or(usize::MAX);
        told.consumers.saturating_add(under_way)
    }
}

impl Spread {
    /// Consumers on all branches, and on their way.
    pub(super) fn consumers(&self) -> usize {
        self.limbs.borrow().iter().map(|limb| limb.consumers()).sum()
    }

    /// How many branches there are.
    pub(super) fn branches(&self) -> usize {
        self.limbs.borrow().len()
    }

    /// What the slowest consumer of all branches is owed next, as they told last.
    pub(super) fn slowest(&self) -> Option<Ordinal> {
        self.limbs.borrow().iter().filter_map(|limb| limb.told.get().slowest).min()
    }

    /// What passed through all branches, also those that are gone, as they told last.
    pub(super) fn traffic(&self) -> Traffic {
        let mut all = self.gone.get();
        self.limbs.borrow().iter().for_each(|limb| all.add(limb.told.get().traffic));
        all
    }

    /// The shard that a newcomer goes to: the one with the fewest consumers, or in doubt the
    /// root's, which has `here` of them.
    pub(super) fn fewest(&self, root: usize, here: usize, shards: usize) -> usize {
        let limbs = self.limbs.borrow();
        let there = |shard| {
            let limb = limbs.iter().find(|limb| limb.shard == shard);
            limb.map_or(0, |limb| limb.consumers())
        };
        let others = (0..shards).filter(|shard| *shard != root).map(|shard| (there(shard), shard));
        match others.min() {
            Some((fewest, shard)) if fewest < here => shard,
            _ => root,
        }
    }

    /// Answers the pulls that wait with the block that has become visible.
    pub(super) fn shown(&self, block: &Block) {
        for limb in &*self.limbs.borrow() {
            if let Some(Pull { from, reply }) = limb.waiting.take() {
                assert!(from == block.first, "a pull that waits has everything");
                // Whoever doesn't hear it is gone.
                let _ = reply.try_send(Answer::Blocks(vec![block.clone()]));
            }
        }
    }

    /// Answers a pull, now or with the next block.
    fn pulled(&self, limb: &Limb, tail: &Tail, pull: Pull) {
        let answer = match self.ending.get() {
            Some(ending) => Answer::Ended(ending),
            None => match tail.follow(pull.from, PULL_BYTES_MAX, PULL_BLOCKS_MAX) {
                Follow::Blocks(blocks) => Answer::Blocks(blocks),
                Follow::Gone { floor, poison } => Answer::Gone { floor, poison },
                Follow::Nothing => return limb.waiting.set(Some(pull)),
            },
        };
        let _ = pull.reply.try_send(answer);
    }

    /// The stream has ended: every branch is told, now or when it asks.
    pub(super) fn end(&self, ending: Ending) {
        self.ending.set(Some(ending));
        for limb in &*self.limbs.borrow() {
            if let Some(pull) = limb.waiting.take() {
                let _ = pull.reply.try_send(Answer::Ended(ending));
            }
        }
    }

    /// Lets all branches go, on which nobody is.
    ///
    /// # Panics
    ///
    /// When somebody is.
    pub(super) fn release_all(&self) {
        self.gone.set(self.traffic());
        for limb in self.limbs.take() {
            assert!(limb.consumers() == 0, "a consumer's place is one in the tail that was");
            limb.line.close();
            limb.waiting.take();
        }
    }

    fn remove(&self, limb: &Rc<Limb>) {
        let mut limbs = self.limbs.borrow_mut();
        if let Some(at) = limbs.iter().position(|one| Rc::ptr_eq(one, limb)) {
            limbs.swap_remove(at);
            let mut gone = self.gone.get();
            gone.add(limb.told.get().traffic);
            self.gone.set(gone);
        }
    }
}

impl<S: Store> Home<S> {
    /// The line of the branch on this shard, made where there is none; counts a consumer that is
    /// sent there.
    pub(super) fn line_for_graft(self: &Rc<Self>, shard: usize) -> Line {
        let mut limbs = self.spread.limbs.borrow_mut();
        let known = limbs.iter().find(|limb| limb.shard == shard);
        // A branch that has closed its line is on its way out.
        let limb = match known.filter(|limb| !limb.line.is_closed()) {
            Some(limb) => Rc::clone(limb),
            None => {
                let (line, requests) = bounded(LINE_REQUESTS_MAX);
                let (given, told, waiting) = Default::default();
                let limb = Rc::new(Limb { shard, line, given, told, waiting });
                limbs.push(Rc::clone(&limb));
                info!("{}: shard {shard} serves it too", self.name);
                monoio::spawn(answer(Rc::clone(self), Rc::clone(&limb), requests));
                limb
            }
        };
        limb.given.set(limb.given.get() + 1);
        limb.line.clone()
    }

    /// How many consumers the branches have that came through the event stream `uuid`.
    pub(super) async fn consumers_on_branches(&self, uuid: &str) -> usize {
        let shards: Vec<_> = self.spread.limbs.borrow().iter().map(|limb| limb.shard).collect();
        if shards.is_empty() {
            return 0;
        }
        let (reply, answers) = bounded(shards.len());
        let mut all = 0;
        let asking = async {
            for shard in shards {
                let (name, uuid, reply) = (self.name.clone(), uuid.to_owned(), reply.clone());
                self.shard.mailboxes.send(shard, Message::Count { name, uuid, reply }).await;
            }
            drop(reply);
            while let Ok(count) = answers.recv().await {
                all += count;
            }
        };
        // Of a shard that doesn't answer in time nothing is told: the census says so.
        let _ = timeout(CENSUS_TIMEOUT, asking).await;
        all
    }
}

/// Answers a branch until it is gone.
async fn answer<S: Store>(home: Rc<Home<S>>, limb: Rc<Limb>, requests: Receiver<Request>) {
    while let Ok(request) = requests.recv().await
        && !limb.line.is_closed()
    {
        match request {
            Request::Pull { from, reply } => {
                let hub = home.hub.borrow();
                home.spread.pulled(&limb, &hub.tail, Pull { from, reply });
            }
            Request::Told(told) => limb.told.set(told),
            Request::Leave { taken } if taken == limb.given.get() => break,
            // Somebody is on the way there.
            Request::Leave { .. } => {}
            Request::History { from, asks } => {
                monoio::spawn(read(Rc::clone(&home), from, asks));
            }
        }
    }
    // The pull that waits goes with the limb, which tells the branch.
    limb.waiting.take();
    home.spread.remove(&limb);
}

/// Reads the history for a consumer of a branch, until it asks for no more.
async fn read<S: Store>(home: Rc<Home<S>>, from: Cursor, asks: Receiver<Ask>) {
    let Some(store) = home.store() else { return };
    let mut reader = store.reader(from);
    while let Ok(ask) = asks.recv().await {
        match ask {
            Ask::Ready { reply } => {
                let given_up = async { reply.closed().await };
                let Some(ready) = unless(given_up, reader.ready()).await else { return };
                let _ = reply.try_send(ready);
            }
            Ask::Read { bytes_max, reply } => {
                let reading = reader.read(bytes_max).await;
                let (cursor, floor) = (reader.cursor(), store.bounds().floor);
                let _ = reply.try_send(Answered { reading, cursor, floor });
            }
        }
    }
}
