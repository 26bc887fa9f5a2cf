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
    // The pull that waits goes, which tells the branch, and so does one that came too late: what
    // lies in a line stays there as long as the branch holds its end.
    limb.line.close();
    limb.waiting.take();
    while requests.try_recv().is_ok() {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::store::Kind;

    fn limb(spread: &Spread, shard: usize, given: u64, told: Told) -> Rc<Limb> {
        let (line, _) = bounded(1);
        let waiting = Cell::default();
        let (given, told) = (Cell::new(given), Cell::new(told));
        let limb = Rc::new(Limb { shard, line, given, told, waiting });
        spread.limbs.borrow_mut().push(Rc::clone(&limb));
        limb
    }

    fn told(taken: u64, consumers: usize) -> Told {
        let traffic = Traffic { events_out: 10 * taken, ..Traffic::default() };
        Told { taken, consumers, slowest: Some(Ordinal::new(taken)), traffic }
    }

    #[test]
    fn a_newcomer_goes_where_the_fewest_are_and_in_doubt_home() {
        let spread = Spread::default();
        assert_eq!(spread.fewest(0, 9, 1), 0, "nowhere else");
        assert_eq!(spread.fewest(1, 1, 3), 0, "the first of those without any");
        assert_eq!(spread.fewest(1, 0, 3), 1);
        limb(&spread, 0, 5, told(5, 5));
        assert_eq!(spread.fewest(1, 6, 3), 2);
        // Three of these have not arrived yet.
        let other = limb(&spread, 2, 7, told(4, 2));
        assert_eq!([spread.fewest(1, 6, 3), spread.fewest(1, 5, 3)], [0, 1]);
        assert_eq!((spread.consumers(), spread.slowest()), (10, Some(Ordinal::new(4))));
        other.told.set(told(7, 1));
        assert_eq!(spread.fewest(1, 5, 3), 2, "most of them have left");
    }

    #[test]
    fn a_pull_waits_for_the_next_block_or_the_end() {
        let (spread, from) = (Spread::default(), Ordinal::new(1));
        let limb = limb(&spread, 0, 1, told(1, 1));
        let mut tail = Tail::new(from, 1000);
        let pull = |from| {
            let (reply, answer) = bounded(1);
            (Pull { from, reply }, answer)
        };
        let (first, answer) = pull(from);
        spread.pulled(&limb, &tail, first);
        assert!(answer.is_empty(), "there is nothing yet");
        let (kind, timestamp) = (Kind::Poison, Timestamp::EPOCH);
        let block = Block { first: from, count: 1, timestamp, kind, bytes: bytes::Bytes::new() };
        tail.push(&block);
        spread.shown(&block);
        assert!(matches!(answer.try_recv(), Ok(Answer::Blocks(blocks)) if blocks == [block]));
        // Who comes later is answered at once.
        let (late, answer) = pull(from);
        spread.pulled(&limb, &tail, late);
        assert!(matches!(answer.try_recv(), Ok(Answer::Blocks(blocks)) if blocks.len() == 1));
        let (waiting, answer) = pull(from.next());
        spread.pulled(&limb, &tail, waiting);
        spread.end(Ending::Missing);
        assert!(matches!(answer.try_recv(), Ok(Answer::Ended(Ending::Missing))));
        let (after, answer) = pull(from);
        spread.pulled(&limb, &tail, after);
        assert!(matches!(answer.try_recv(), Ok(Answer::Ended(Ending::Missing))));
    }

    #[test]
    fn what_passed_through_a_branch_is_not_forgotten_when_it_goes() {
        let spread = Spread::default();
        let (one, two) = (limb(&spread, 0, 2, told(2, 0)), limb(&spread, 2, 3, told(3, 0)));
        let out = || spread.traffic().events_out;
        assert_eq!(out(), 50);
        spread.remove(&one);
        spread.remove(&one);
        assert_eq!((out(), spread.branches()), (50, 1));
        spread.release_all();
        assert!(two.line.is_closed());
        assert_eq!((out(), spread.branches()), (50, 0));
        spread.remove(&two);
        assert_eq!(out(), 50);
    }

    #[test]
    #[should_panic(expected = "a consumer's place is one in the tail that was")]
    fn nobody_is_let_go_who_has_consumers_on_the_way() {
        let spread = Spread::default();
        limb(&spread, 0, 1, Told::default());
        spread.release_all();
    }
}
