//! Random consumers on a random stream with random sockets: each gets exactly its continuation.

use proptest::prelude::*;

use super::model::{
    Event, Found, Push, Stream, any_bounds, any_push, bounds, framed, poison, withheld,
};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::hub::tail::Bounds;
use crate::hub::{Consumer, Follow, Outcome, Step, Stretch, Tail};
use crate::proto::websocket::frame::{Opcode, frame_len, put_header};
use crate::store::Kind;

/// Something happens. Who it happens to is counted around the consumers there are.
#[derive(Clone, Debug)]
enum Happening {
    Push(Push),
    /// So far from the ceiling, in events; the other number is a start in the future.
    Join(i64, Option<u64>),
    /// One step, of which the socket takes so much.
    Step(usize, Take),
    /// Everybody in turn, by the short way where that is open; each socket takes so much.
    Turn(usize, Take),
    /// The branch, where there is one, is given what it lacks: so many bytes and blocks of it.
    Pull(usize, usize),
    Control(usize, Opcode, usize),
    End(usize),
}

/// How much a socket takes of what it is offered.
#[derive(Clone, Copy, Debug)]
enum Take {
    All,
    AtMost(usize),
    AllBut(usize),
}

/// A consumer, and what its socket received.
struct Peer {
    consumer: Consumer,
    start: Ordinal,
    joined: Ordinal,
    not_before: Option<Timestamp>,
    socket: Vec<u8>,
    /// How many bytes of `socket` are events.
    data_bytes: u64,
    /// Control frames it may get, in order: each is distinct.
    offered: Vec<Vec<u8>>,
    over: bool,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let take = prop_oneof![
        Just(Take::All),
        (0_usize..20).prop_map(Take::AtMost),
        (0_usize..300).prop_map(Take::AtMost),
        (1_usize..4).prop_map(Take::AllBut),
    ];
    let opcode = prop_oneof![Just(Opcode::Ping), Just(Opcode::Pong)];
    let future = prop_oneof![3 => Just(None), 1 => (0_u64..6).prop_map(Some)];
    prop_oneof![
        30 => any_push().prop_map(Happening::Push),
        8 => (-30_i64..6, future).prop_map(|(from, future)| Happening::Join(from, future)),
        60 => (any::<usize>(), take.clone()).prop_map(|(who, take)| Happening::Step(who, take)),
        10 => (1_usize..500, take).prop_map(|(max, take)| Happening::Turn(max, take)),
        8 => (any::<usize>(), opcode, 2_usize..126).prop_map(|(who, opcode, payload)| {
            Happening::Control(who, opcode, payload)
        }),
        2 => any::<usize>().prop_map(Happening::End),
        6 => (1_usize..300, 1_usize..5).prop_map(|(bytes, blocks)| Happening::Pull(bytes, blocks)),
    ]
}

impl Peer {
    fn join(stream: &Stream, from: i64, future: Option<u64>) -> Self {
        let joined = stream.ceiling();
        let not_before = future.map(|later| Timestamp::from_millis(stream.now() + later));
        // As a store locates it: there may be events of this very millisecond already.
        let located = not_before
            .and_then(|timestamp| stream.events.iter().find(|event| event.timestamp >= timestamp));
        let (start, not_before) = match (located, not_before) {
            (Some(event), _) => (event.ordinal, None),
            (None, Some(timestamp)) => (joined, Some(timestamp)),
            (None, None) => {
                let start = joined.get().saturating_add_signed(from).max(1);
                (Ordinal::new(start), None)
            }
        };
        Self {
            consumer: Consumer::new(Cursor::before(start), joined, not_before),
            start,
            joined,
            not_before,
            socket: Vec::new(),
            data_bytes: 0,
            offered: Vec::new(),
            over: false,
        }
    }

    /// The events it asked for.
    fn wanted<'a>(&self, stream: &'a Stream) -> impl Iterator<Item = &'a Event> {
        let not_before = self.not_before.unwrap_or_default();
        stream.from(self.start).iter().filter(move |event| event.timestamp >= not_before)
    }

    /// The POISONs that end it by the contract, oldest first, where the last event of the stream is
    /// the one before `ceiling`.
    fn ends(&self, stream: &Stream, ceiling: Ordinal) -> Vec<Ordinal> {
        let poison = |event: &&Event| event.kind == Kind::Poison;
        let published = stream.from(self.joined).iter().filter(poison).map(|event| event.ordinal);
        let there = |event: &&Event| event.ordinal < ceiling;
        let last = self.wanted(stream).take_while(there).last().filter(poison);
        let mut ends: Vec<_> =
            last.map(|event| event.ordinal).into_iter().chain(published).collect();
        ends.sort();
        ends.dedup();
        ends
    }

    /// How many bytes of events it is owed before `end`.
    fn owed(&self, stream: &Stream, end: Ordinal) -> u64 {
        let events = self.wanted(stream).take_while(|event| event.ordinal < end);
        events.map(|event| event.frame.len() as u64).sum()
    }

    /// Whether what it received may be all before one of `ends`. A consumer that waits while
    /// several POISONs go by may be ended by a later one of them. On a branch that has less than
    /// when it joined, the last word is that of then.
    fn ended_rightly(&self, stream: &Stream, tail: &Tail) -> bool {
        let ends = self.ends(stream, tail.ceiling().max(self.joined));
        let waited = self.not_before.is_some() || self.start > self.joined;
        let count = if waited { ends.len() } else { 1 };
        ends.iter().take(count).any(|end| self.owed(stream, *end) == self.data_bytes)
    }

    fn received(&mut self, bytes: &[u8]) {
        self.data_bytes += bytes.len() as u64;
        self.socket.extend_from_slice(bytes);
    }

    /// Does one step. False when nothing more can be done now.
    fn step(
        &mut self,
        stream: &Stream,
        tail: &Tail,
        take: Take,
        max: usize,
    ) -> Result<bool, TestCaseError> {
        if self.over {
            return Ok(false);
        }
        let at = self.consumer.cursor();
        let ending = self.consumer.ending();
        // The place it says is the place counted in bytes.
        prop_assert_eq!(self.owed(stream, at.ordinal) + at.sent, self.data_bytes);
        match self.consumer.step(tail, max) {
            Step::Control(bytes) => {
                prop_assert!(!bytes.is_empty() && bytes.len() <= 4 * 127);
                let (sent, length) = (take.of(bytes.len()), bytes.len());
                self.socket.extend_from_slice(&bytes[..sent]);
                self.consumer.sent_control(Outcome::of(sent, length));
                Ok(sent > 0)
            }
            Step::Tail(bytes, end) => {
                prop_assert!(!bytes.is_empty() && bytes.len() <= max);
                if ending {
                    prop_assert!(at.sent > 0, "an ending consumer begins no frame");
                    let frame = stream.from(at.ordinal)[0].frame.len() as u64;
                    prop_assert!(bytes.len() as u64 <= frame - at.sent);
                }
                let (sent, length) = (take.of(bytes.len()), bytes.len());
                let bytes = bytes[..sent].to_vec();
                self.received(&bytes);
                self.consumer.sent_tail(tail, Outcome::of(sent, length), end);
                Ok(sent > 0)
            }
            Step::History(from) => {
                let frame_only = self.consumer.frame_only();
                prop_assert_eq!(from, self.consumer.cursor());
                let ahead = from.ordinal >= tail.ceiling() && from.sent > 0;
                prop_assert!(from.ordinal < tail.floor() || ahead);
                prop_assert!(!frame_only || from.sent > 0);
                prop_assert!(frame_only || !ending);
                self.read(stream, tail, from, frame_only, take)?;
                Ok(true)
            }
            Step::Poisoned => {
                prop_assert!(!ending && self.ended_rightly(stream, tail));
                self.end();
                Ok(true)
            }
            Step::Idle => {
                prop_assert!(!ending);
                // By the history it may have come further than the tail.
                let shown =
                    tail.ceiling().max(self.consumer.cursor().ordinal).min(stream.ceiling());
                let ends = self.ends(stream, tail.ceiling().max(self.joined));
                let overlooked = ends.iter().any(|end| *end < shown.min(tail.ceiling()));
                prop_assert!(!overlooked, "a POISON was overlooked");
                prop_assert_eq!(self.data_bytes, self.owed(stream, shown));
                prop_assert!(self.consumer.cursor().ordinal >= tail.ceiling());
                Ok(false)
            }
            Step::Closed => {
                prop_assert!(ending);
                self.over = true;
                Ok(false)
            }
        }
    }

    /// Takes its part in a turn. Whoever can't, or isn't done then, makes a step.
    fn keep_up<'a>(
        &mut self,
        stream: &Stream,
        tail: &'a Tail,
        stretch: &mut Option<Stretch<'a>>,
        take: Take,
        max: usize,
    ) -> Result<(), TestCaseError> {
        let Some(place) = self.consumer.owed_tail_only().filter(|_| !self.over) else {
            return self.step(stream, tail, take, max).map(drop);
        };
        if stretch.is_none_or(|stretch| stretch.from() != place) {
            *stretch = Stretch::of(tail, place, max);
        }
        let Some(stretch) = stretch else { return self.step(stream, tail, take, max).map(drop) };
        let length = stretch.bytes().len();
        prop_assert!(length > 0 && length <= max);
        let (sent, before) = (take.of(length), self.consumer.delivered());
        self.received(&stretch.bytes()[..sent]);
        let outcome = Outcome::of(sent, length);
        let events = if outcome == Outcome::Whole {
            self.consumer.went_along(stretch.end());
            stretch.events()
        } else {
            stretch.sent(&mut self.consumer, tail, outcome)
        };
        prop_assert_eq!(events, self.consumer.delivered() - before);
        self.step(stream, tail, take, max).map(drop)
    }

    /// Reads the history and sends what the socket takes.
    fn read(
        &mut self,
        stream: &Stream,
        tail: &Tail,
        from: Cursor,
        frame_only: bool,
        take: Take,
    ) -> Result<(), TestCaseError> {
        if let Some(timestamp) = self.consumer.not_before()
            && let Some(event) = stream.from(from.ordinal).first()
            && event.timestamp < timestamp
            && event.kind != Kind::Poison
        {
            self.consumer.sent_history(Cursor::before(event.ordinal.next()));
            return Ok(());
        }
        match stream.read(from, 300) {
            Found::Bytes(mut bytes) => {
                if frame_only {
                    let frame = stream.from(from.ordinal)[0].frame.len();
                    bytes.truncate(frame - usize::try_from(from.sent).unwrap());
                }
                // The piece may hold older and newer events: the driver cuts between them.
                let sent = take.of(bytes.len());
                self.received(&bytes[..sent]);
                if sent > 0 {
                    self.consumer.sent_history(stream.advance(from, sent as u64));
                }
            }
            Found::Poison(ordinal) if self.consumer.ends_at(ordinal, tail.ceiling()) => {
                prop_assert!(self.ended_rightly(stream, tail));
                self.end();
            }
            Found::Poison(ordinal) => {
                self.consumer.sent_history(Cursor::before(ordinal.next()));
            }
            Found::End(cursor) => self.consumer.sent_history(cursor),
        }
        Ok(())
    }

    fn control(&mut self, opcode: Opcode, payload: usize) {
        let frame = control(opcode, payload, self.offered.len());
        self.consumer.control(&frame);
        if !self.consumer.ending() {
            self.offered.push(frame);
        }
    }

    fn end(&mut self) {
        let frame = control(Opcode::Close, 2, self.offered.len());
        self.consumer.end(&frame);
        self.offered.push(frame);
    }

    /// What the socket received, frame by frame, is what it was owed and offered.
    fn check(&self, stream: &Stream) -> Result<(), TestCaseError> {
        let mut owed = self.wanted(stream).filter(|event| event.kind == Kind::Framed);
        let mut offered = self.offered.iter();
        let (mut rest, mut closed) = (self.socket.as_slice(), false);
        while !rest.is_empty() {
            prop_assert!(!closed, "nothing follows a close frame");
            let length = frame_len(rest).unwrap_or(u64::MAX).min(rest.len() as u64);
            let frame = &rest[..usize::try_from(length).unwrap()];
            if frame[0] == 0x81 {
                let event = owed.next();
                let want = event.map(|event| event.frame.as_slice()).unwrap_or_default();
                prop_assert!(want.starts_with(frame), "{:?}: {:?}", event, frame);
            } else {
                let found = offered.find(|offer| offer.starts_with(frame));
                prop_assert!(found.is_some(), "a control frame nobody offered, or out of order");
                closed = frame[0] == 0x88 && found.is_some_and(|found| found.len() == frame.len());
            }
            rest = &rest[frame.len()..];
        }
        prop_assert_eq!(closed, self.over);
        if !self.consumer.ending() {
            // The newest of each kind is not lost.
            for kind in [0x89, 0x8A] {
                let newest = self.offered.iter().rfind(|offer| offer[0] == kind);
                prop_assert!(newest.is_none_or(|newest| contains(&self.socket, newest)));
            }
        }
        Ok(())
    }
}

impl Take {
    fn of(self, length: usize) -> usize {
        match self {
            Self::All => length,
            Self::AtMost(most) => length.min(most),
            Self::AllBut(less) => length.saturating_sub(less),
        }
    }
}

/// A control frame that tells its number.
fn control(opcode: Opcode, payload: usize, number: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    put_header(opcode, payload, &mut frame);
    let number = u16::try_from(number).unwrap().to_be_bytes();
    frame.extend(number.iter().chain([0; 123].iter()).take(payload));
    frame
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Gives `branch` what it lacks of `root`; false when it lacks nothing.
fn pull(branch: &mut Tail, root: &Tail, bytes: usize, blocks: usize) -> bool {
    match root.follow(branch.ceiling(), bytes, blocks) {
        Follow::Nothing => return false,
        Follow::Blocks(blocks) => blocks.iter().for_each(|block| branch.push(block)),
        Follow::Gone { floor, poison } => branch.restart(floor, poison),
    }
    true
}

/// Lets it happen. With `branch` consumers are served from a tail with these bounds, which follows
/// the stream's.
fn play(
    first: u64,
    bounds: Bounds,
    branch: Option<Bounds>,
    happenings: Vec<Happening>,
) -> Result<(), TestCaseError> {
    let mut stream = Stream::new(first, bounds);
    let mut branch = branch.map(|bounds| Tail::bounded(Ordinal::new(first), bounds));
    let mut peers: Vec<Peer> = Vec::new();
    for happening in happenings {
        let count = peers.len().max(1);
        match happening {
            Happening::Push(push) => stream.push(&push),
            Happening::Join(from, future) => peers.push(Peer::join(&stream, from, future)),
            Happening::Step(who, take) => {
                if let Some(peer) = peers.get_mut(who % count) {
                    let tail = branch.as_ref().unwrap_or(&stream.tail);
                    peer.step(&stream, tail, take, 1 + who % 500)?;
                }
            }
            Happening::Pull(bytes, blocks) => {
                if let Some(branch) = &mut branch {
                    pull(branch, &stream.tail, bytes, blocks);
                }
            }
            Happening::Turn(max, take) => {
                let tail = branch.as_ref().unwrap_or(&stream.tail);
                let mut stretch = None;
                for peer in &mut peers {
                    peer.keep_up(&stream, tail, &mut stretch, take, max)?;
                }
            }
            Happening::Control(who, opcode, payload) => {
                if let Some(peer) = peers.get_mut(who % count) {
                    peer.control(opcode, payload);
                }
            }
            Happening::End(who) => {
                if let Some(peer) = peers.get_mut(who % count).filter(|p| !p.consumer.ending()) {
                    peer.end();
                }
            }
        }
    }
    while branch.as_mut().is_some_and(|branch| pull(branch, &stream.tail, 100, 3)) {}
    let tail = branch.as_ref().unwrap_or(&stream.tail);
    prop_assert_eq!(tail.ceiling(), stream.ceiling());
    for peer in &mut peers {
        let mut steps = 0;
        while peer.step(&stream, tail, Take::All, 250)? {
            steps += 1;
            prop_assert!(steps < 20_000, "a consumer that can always send comes to an end");
        }
        let cursor = peer.consumer.cursor();
        prop_assert!(peer.over || cursor.ordinal >= stream.ceiling());
        peer.check(&stream)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_consumer_gets_exactly_its_continuation(
        first in 1_u64..3,
        bounds in any_bounds(),
        happenings in proptest::collection::vec(any_happening(), 1..150),
    ) {
        play(first, bounds, None, happenings)?;
    }

    #[test]
    fn on_a_branch_every_consumer_gets_exactly_its_continuation(
        first in 1_u64..3,
        bounds in any_bounds(),
        branch in any_bounds(),
        happenings in proptest::collection::vec(any_happening(), 1..150),
    ) {
        play(first, bounds, Some(branch), happenings)?;
    }
}

/// Consumers that stand at each place there is, at the same time, and take a byte at a time.
#[test]
fn a_byte_at_a_time_from_everywhere() {
    let bounds = bounds(120, 40);
    let push = |sizes: &[usize]| Happening::Push(framed(sizes));
    let mut happenings = vec![Happening::Push(poison()), push(&[0, 5, 126])];
    happenings.push(Happening::Push(withheld(2)));
    happenings.extend((-8..3).map(|from| Happening::Join(from, None)));
    happenings.extend([push(&[1, 0, 9]), Happening::Push(withheld(1)), push(&[125])]);
    happenings.extend((0..11 * 200).map(|turn| Happening::Step(turn, Take::AtMost(1))));
    if let Err(fault) = play(1, bounds, None, happenings) {
        panic!("{fault}");
    }
}
