//! The lives of one log on the simulated disk, and what must hold after every death.
//!
//! - What was visible is there: same ordinal, same bytes, same timestamp, and nothing is between.
//! - What is there beyond that was being appended when the life ended, whole appends in their
//!   order; what an append said had failed, or an earlier recovery had not found, never appears.
//! - No ordinal is used for two events, no timestamp goes back, the floor is where the rules put
//!   it.
//!
//! With [`Fsync::Never`] and a power cut, less is promised: what is there is what was there, and
//! in order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;

use super::{Dice, SimDisk, Survival};
use crate::clock::Clock;
use crate::config::{Fsync, Retain};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::store::conformance::witness::{Seen, Witness, name, read_all, together};
use crate::store::log::{Guards, LogOptions, LogStore, LogStream};
use crate::store::{AppendError, Kind, Located, Receipt, Store, StreamStore};

/// What the rig found to be broken.
pub(super) type Fault = String;

/// Why a life ended early.
#[derive(Debug)]
pub(super) enum End {
    /// The disk failed.
    Disk(String),
    /// A promise was broken.
    Broken(Fault),
}

impl fmt::Debug for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text.trim_end_matches('x')),
            Self::Poison => out.write_str("POISON"),
            Self::Withheld => out.write_str("withheld"),
        }
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

/// What an event is.
#[derive(Clone, Eq, PartialEq)]
pub(super) enum What {
    Text(String),
    Poison,
    Withheld,
}

/// All that was ever done to a stream.
#[derive(Clone)]
pub(super) struct History {
    pub(super) disk: SimDisk,
    pub(super) dice: Dice,
    clock: Clock,
    options: LogOptions,
    /// Visible events, also those no longer retained.
    pub(super) known: BTreeMap<u64, (What, Timestamp)>,
    ceiling: u64,
    floor: u64,
    /// Appends of this life whose fate isn't known.
    doubtful: Vec<Vec<What>>,
    serial: u64,
    /// The power was cut since the last look, while not every append was synced.
    may_have_lost: bool,
    has_lost: bool,
}

pub(super) type Stream = Rc<LogStream<SimDisk>>;

impl History {
    pub(super) fn new(seed: u64, fsync: Fsync, guards: Guards) -> Self {
        let retain = Retain { events: Some(EVENTS_KEPT), ..Retain::default() };
        let mut options = LogOptions::new(fsync, retain);
        options.segment_bytes_max = 2_500;
        options.write_ahead_bytes_max = 400;
        options.segment_events_max = Some(25);
        // Always the same: bytes of one segment would pass in another, if nothing else held.
        options.salt = || 7;
        options.guards = guards;
        Self {
            disk: SimDisk::new(seed),
            dice: Dice::new(seed ^ 0x5EED),
            clock: Clock::manual(Timestamp::from_millis(1_000)),
            options,
            known: BTreeMap::new(),
            ceiling: 1,
            floor: 1,
            doubtful: Vec::new(),
            serial: 0,
            may_have_lost: false,
            has_lost: false,
        }
    }

    /// The same history on a disk of its own.
    pub(super) fn fork(&self) -> Self {
        Self { disk: self.disk.fork(), clock: Clock::manual(self.clock.now()), ..self.clone() }
    }

    /// The power fails, and comes back.
    pub(super) fn power_cut(&mut self, survival: Survival) {
        self.disk.crash(survival);
        self.may_have_lost = self.options.fsync != Fsync::Always;
    }

    fn store(&self) -> LogStore<SimDisk> {
        let streams = PathBuf::from("/streams");
        LogStore::new(self.disk.clone(), streams, self.options.clone(), self.clock.clone())
    }

    /// Opens the stream.
    pub(super) async fn open_unchecked(&self) -> Result<(Stream, Rc<Witness>), End> {
        let witness = Witness::new();
        let opened = self.store().open(&name("s"), Rc::clone(&witness) as _).await;
        Ok((opened.map_err(died)?, witness))
    }

    /// Opens the stream and checks what is there.
    pub(super) async fn open(&mut self) -> Result<(Stream, Rc<Witness>), End> {
        let (stream, witness) = self.open_unchecked().await?;
        self.check(&stream).await?;
        self.check_kept(&stream)?;
        Ok((stream, witness))
    }

    /// Compares everything that can be read with what must be there.
    pub(super) async fn check(&mut self, stream: &Stream) -> Result<(), End> {
        let bounds = stream.bounds();
        let (floor, ceiling) = (bounds.floor.get(), bounds.ceiling.get());
        let bytes_max = [1, 100, 1_000, 100_000][self.dice.below(4) as usize];
        let seen = read_all(&**stream, Cursor::default(), bytes_max).await.map_err(died)?;
        if self.may_have_lost {
            self.lose(ceiling, &seen);
        }
        ensure(ceiling >= self.ceiling, || format!("ceiling {ceiling} < {}", self.ceiling))?;
        let kept = self.floor.max(ceiling.saturating_sub(EVENTS_KEPT));
        ensure(floor <= kept, || format!("floor {floor} beyond {kept}"))?;
        self.adopt(ceiling, &seen)?;
        let expected = self.expected(floor);
        let read = seen_as_known(&seen);
        ensure(read == expected, || format!("read {read:?}\nexpected {expected:?}"))?;
        let newest = self.known.last_key_value().map_or(Timestamp::EPOCH, |(_, (_, at))| *at);
        ensure(bounds.newest >= newest, || format!("newest {} < {newest}", bounds.newest))?;
        let poison = self.known.get(&(ceiling - 1)).is_some_and(|(what, _)| *what == What::Poison);
        let ends = bounds.ends_in_poison || floor == ceiling;
        ensure(poison == bounds.ends_in_poison || ends && floor == ceiling, || "poison".into())?;
        self.floor = self.floor.max(floor);
        Ok(())
    }

    /// What the weak promises allow to be gone: then the rest is what is known. Events that are
    /// never sent can't be seen to be gone, so from here on nobody knows where a timestamp stands.
    fn lose(&mut self, ceiling: u64, seen: &[Seen]) {
        (self.may_have_lost, self.has_lost) = (false, true);
        let there: Vec<u64> = seen.iter().map(|seen| seen.ordinal.get()).collect();
        self.known.retain(|ordinal, (what, _)| {
            *what == What::Withheld && *ordinal < ceiling || there.contains(ordinal)
        });
        self.ceiling = self.ceiling.min(ceiling);
        self.floor = self.floor.min(ceiling);
    }

    /// Takes in what a recovery found of the appends that were going on.
    fn adopt(&mut self, ceiling: u64, seen: &[Seen]) -> Result<(), Fault> {
        let mut doubtful = std::mem::take(&mut self.doubtful).into_iter();
        while self.ceiling < ceiling {
            let here = seen.iter().find(|seen| seen.ordinal.get() == self.ceiling);
            let first = here.map(text_of).ok_or_else(|| format!("no event {}", self.ceiling))?;
            let Some(append) = doubtful.find(|append| append[0] == first) else {
                return Err(format!("{first:?} at {} was not being appended", self.ceiling));
            };
            let timestamp = here.map_or(Timestamp::EPOCH, |seen| seen.timestamp);
            for what in append {
                self.known.insert(self.ceiling, (what, timestamp));
                self.ceiling += 1;
            }
            ensure(self.ceiling <= ceiling, || "half an append is there".into())?;
        }
        Ok(())
    }

    /// What a reader finds from `floor` on.
    pub(super) fn expected(&self, floor: u64) -> Vec<(u64, What, Timestamp)> {
        let visible = self.known.range(floor..).filter(|(_, (what, _))| *what != What::Withheld);
        visible.map(|(ordinal, (what, at))| known_as(*ordinal, what, *at)).collect()
    }

    /// Some appends side by side; what becomes visible is known from then on.
    pub(super) async fn append(
        &mut self,
        stream: &Stream,
        witness: &Witness,
        appends: usize,
    ) -> Result<(), End> {
        let before = witness.blocks().len();
        let appends: Vec<Vec<What>> = (0..appends).map(|_| self.bodies()).collect();
        let futures = appends.iter().map(|append| stream.append(append.iter().map(body).collect()));
        let answers = together(futures).await;
        self.learn(witness, before)?;
        let mut end = Ok(());
        for (append, answer) in appends.into_iter().zip(answers) {
            match answer {
                Ok(receipt) => self.check_receipt(&append, &receipt)?,
                Err(AppendError::NoSpace | AppendError::Failed(_)) => {}
                Err(error @ AppendError::Poisoned(_)) => {
                    self.doubtful.push(append);
                    end = Err(died(error));
                }
                Err(error) => return Err(End::Broken(error.to_string())),
            }
        }
        end
    }

    fn check_receipt(&self, append: &[What], receipt: &Receipt) -> Result<(), Fault> {
        let range = receipt.first.get()..=receipt.last.get();
        let stored: Vec<_> = self.known.range(range).collect();
        let whats = stored.iter().map(|(_, (what, _))| what);
        ensure(whats.eq(append.iter()), || format!("{receipt:?} is not for {append:?}"))?;
        let times = stored.iter().all(|(_, (_, at))| *at == receipt.timestamp);
        ensure(times, || format!("{receipt:?} names another time"))?;
        let withheld: Vec<u64> = receipt.withheld.iter().map(|(at, _)| at.get()).collect();
        let expected = stored.iter().filter(|(_, (what, _))| *what == What::Withheld);
        ensure(expected.map(|(at, _)| **at).eq(withheld), || "withheld".into())
    }

    /// Takes in what the observer saw.
    fn learn(&mut self, witness: &Witness, from: usize) -> Result<(), Fault> {
        let events = witness.events();
        for block in &witness.blocks()[from..] {
            for ordinal in block.first.get()..block.next().get() {
                ensure(ordinal == self.ceiling, || format!("{ordinal} is used again"))?;
                let seen = events.iter().find(|seen| seen.ordinal.get() == ordinal);
                let what = match block.kind {
                    Kind::Withheld => What::Withheld,
                    Kind::Framed | Kind::Poison => seen.map_or(What::Withheld, text_of),
                };
                self.known.insert(ordinal, (what, block.timestamp));
                self.ceiling += 1;
            }
        }
        Ok(())
    }

    /// Bodies of an append: it begins and ends with texts that come once.
    fn bodies(&mut self) -> Vec<What> {
        let mut whats = vec![self.text()];
        for _ in 0..self.dice.below(4) {
            whats.push(match self.dice.below(8) {
                0 => What::Poison,
                1 => What::Withheld,
                _ => self.text(),
            });
        }
        whats.push(self.text());
        whats
    }

    fn text(&mut self) -> What {
        self.serial += 1;
        let length = [0, 10, 150, 700][self.dice.below(4) as usize];
        What::Text(format!("{}{}", self.serial, "x".repeat(length)))
    }

    /// A life of so many steps, ended by the disk or not at all.
    pub(super) async fn live(&mut self, steps: u64) -> Result<(), End> {
        let (mut stream, mut witness) = self.open().await?;
        for _ in 0..steps {
            match self.dice.below(12) {
                0..6 => {
                    let appends = 1 + self.dice.below(4) as usize;
                    self.append(&stream, &witness, appends).await?;
                }
                6 => {
                    let millis = self.clock.now().millis() + 10 - self.dice.below(14);
                    self.clock.set(Timestamp::from_millis(millis));
                }
                7 => {
                    stream.retain().await.map_err(died)?;
                    self.check_kept(&stream)?;
                }
                8 => stream.sync().await.map_err(died)?,
                9 => self.check(&stream).await?,
                10 => self.check_located(&stream).await?,
                _ => {
                    stream.close().await.map_err(died)?;
                    (stream, witness) = self.open().await?;
                }
            }
        }
        Ok(())
    }

    /// The floor is where the rule puts it, right after it was applied.
    fn check_kept(&mut self, stream: &Stream) -> Result<(), Fault> {
        let bounds = stream.bounds();
        self.floor = self.floor.max(bounds.floor.get());
        let kept = bounds.ceiling.since(bounds.floor);
        ensure(kept <= EVENTS_KEPT, || format!("{kept} events are kept"))
    }

    async fn check_located(&mut self, stream: &Stream) -> Result<(), End> {
        let millis = self.clock.now().millis() + 5 - self.dice.below(100);
        let timestamp = Timestamp::from_millis(millis);
        let located = stream.locate(timestamp).await.map_err(died)?;
        let floor = stream.bounds().floor.get();
        let first = self.known.range(floor..).find(|(_, (_, at))| *at >= timestamp);
        let expected = match first {
            Some((ordinal, _)) => Located::At(Ordinal::new(*ordinal)),
            None => Located::Beyond(Ordinal::new(self.ceiling)),
        };
        Ok(ensure(located == expected || self.has_lost, || {
            format!("{located:?}, expected {expected:?}")
        })?)
    }
}

fn died(error: impl fmt::Display) -> End {
    End::Disk(error.to_string())
}

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn body(what: &What) -> Bytes {
    match what {
        What::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
        What::Poison => Bytes::from_static(b"POISON"),
        What::Withheld => Bytes::new(),
    }
}

/// The body in a frame that was delivered.
fn text_of(seen: &Seen) -> What {
    if seen.frame.is_empty() {
        return What::Poison;
    }
    let header = if seen.frame[1] < 126 { 2 } else { 4 };
    let text = String::from_utf8(seen.frame[header..].to_vec()).unwrap();
    let end = text.rfind("|ordinal: ").unwrap();
    assert!(text[end..].starts_with(&format!("|ordinal: {}|", seen.ordinal)));
    What::Text(text[..end].to_owned())
}

pub(super) fn seen_as_known(seen: &[Seen]) -> Vec<(u64, What, Timestamp)> {
    seen.iter().map(|seen| known_as(seen.ordinal.get(), &text_of(seen), seen.timestamp)).collect()
}

/// A POISON that was read has no timestamp.
fn known_as(ordinal: u64, what: &What, at: Timestamp) -> (u64, What, Timestamp) {
    let at = if *what == What::Poison { Timestamp::EPOCH } else { at };
    (ordinal, what.clone(), at)
}

const EVENTS_KEPT: u64 = 60;
