//! Lives and deaths of the embedded log.
//!
//! `ESS_SIM_SEEDS=100000 cargo test --lib sim -- --nocapture` for more of them, from
//! `ESS_SIM_FROM` on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::history::{End, Fault, History};
use super::{Counts, Dice, SimDisk, Survival, run};
use crate::clock::Clock;
use crate::config::{Fsync, Retain};
use crate::event::Timestamp;
use crate::store::conformance::{self, Rig};
use crate::store::log::{Guards, LogOptions, LogStore};

const GUARDS: Guards = Guards { chain: true, fence: true, cut: true, rewrite: true };

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn seeds() -> std::ops::Range<u64> {
    let from = environment("ESS_SIM_FROM", 0);
    from..from + environment("ESS_SIM_SEEDS", 400)
}

/// Some lives of one log, with everything that can go wrong.
fn lives(seed: u64, fsync: Fsync, guards: Guards) -> Result<(Counts, u32), Fault> {
    let mut plan = Dice::new(seed ^ 0xFA7E);
    let mut history = History::new(seed, fsync, guards);
    // Without a sync for every group, a failed one may lose what was visible: nothing to check.
    let syncs_fail = plan.once_in(3) && fsync == Fsync::Always;
    history.disk.set_sync_fails_one_in(syncs_fail.then_some(25));
    for _ in 0..LIVES {
        if plan.once_in(2) {
            history.disk.power_fails_after(plan.below(120));
        }
        if plan.once_in(4) {
            history.disk.error_after(plan.below(80));
        }
        let space = plan.once_in(4).then(|| plan.below(6_000));
        history.disk.set_space(space);
        let steps = 1 + plan.below(14);
        match run(history.live(steps)) {
            Ok(()) | Err(End::Disk(_)) => {}
            Err(End::Broken(fault)) => return Err(fault),
        }
        history.disk.set_space(None);
        let survival = Survival::ALL[plan.below(5) as usize];
        if plan.once_in(3) { history.disk.restart() } else { history.power_cut(survival) }
    }
    history.disk.set_sync_fails_one_in(None);
    match run(history.live(10)) {
        Ok(()) => Ok((history.disk.counts(), history.disk.trace())),
        Err(End::Disk(error)) => Err(format!("on a sound disk: {error}")),
        Err(End::Broken(fault)) => Err(fault),
    }
}

#[test]
fn lives_and_deaths() {
    let mut total = Counts::default();
    for seed in seeds() {
        let fsync = if seed % 8 == 7 { Fsync::Never } else { Fsync::Always };
        let one = lives(seed, fsync, GUARDS);
        let (counts, trace) = one.unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        if seed % 16 == 0 {
            assert_eq!(lives(seed, fsync, GUARDS), Ok((counts, trace)), "seed {seed}: two worlds");
        }
        total.add(&counts);
    }
    println!("{} seeds: {total:?}", seeds().count());
    total.assert_all_happened();
}

#[test]
fn a_crash_at_every_operation_and_again_inside_recovery() {
    let (mut deaths, mut total) = (0, Counts::default());
    for seed in 0..environment("ESS_SIM_WORKLOADS", 1) {
        let operations = {
            let mut history = History::new(seed, Fsync::Always, GUARDS);
            assert!(run(history.live(STEPS)).is_ok(), "nothing goes wrong in a quiet life");
            history.disk.counts().operations
        };
        for operation in 0..operations {
            for survival in Survival::ALL {
                let mut history = History::new(seed, Fsync::Always, GUARDS);
                history.disk.power_fails_after(operation);
                // It may end well, when what failed last was an append that said so.
                if let Err(End::Broken(fault)) = run(history.live(STEPS)) {
                    panic!("{seed} {operation} {survival:?}: {fault}");
                }
                history.power_cut(survival);
                deaths += die_inside_recovery(&history, survival)
                    .unwrap_or_else(|fault| panic!("{seed} {operation} {survival:?}: {fault}"));
                total.add(&history.disk.counts());
            }
        }
    }
    println!("{deaths} deaths inside recovery: {total:?}");
    assert!(deaths > 1_000 && total.torn_files > 0 && total.lost_names > 0);
}

/// Lets the power fail at each operation of a recovery; the one after it must find everything.
fn die_inside_recovery(history: &History, survival: Survival) -> Result<u64, Fault> {
    for operation in 0.. {
        let mut history = history.fork();
        history.disk.power_fails_after(operation);
        let died = match run(history.open()) {
            Ok(_) => false,
            Err(End::Disk(_)) => true,
            Err(End::Broken(fault)) => return Err(fault),
        };
        history.power_cut(survival);
        match run(history.live(3)) {
            Ok(()) => {}
            Err(End::Disk(error)) => return Err(format!("on a sound disk: {error}")),
            Err(End::Broken(fault)) => return Err(format!("after {operation} more: {fault}")),
        }
        if !died {
            return Ok(operation);
        }
    }
    Ok(0)
}

/// Without its guards, recovery breaks promises, and this rig must see it: one that does not is
/// worth nothing. (The links between blocks have a test of their own beside `scan`.)
#[test]
fn every_canary_is_caught() {
    // Where the search begins only saves time: it goes on from there.
    let canaries = [
        ("no rewrite", 0, Guards { rewrite: false, ..GUARDS }),
        ("no fence", 240, Guards { fence: false, ..GUARDS }),
        ("no cut", 2_850, Guards { cut: false, ..GUARDS }),
    ];
    let caught = canaries.map(|(canary, from, guards)| {
        let seed = (from..from + CANARY_SEEDS).find(|seed| {
            let lives = AssertUnwindSafe(|| lives(*seed, Fsync::Always, guards));
            !matches!(catch_unwind(lives), Ok(Ok(_)))
        });
        (canary, seed)
    });
    for (canary, seed) in caught {
        println!("canary {canary}: {seed:?}");
        assert!(seed.is_some(), "the canary lives: {canary}");
    }
}

/// A store on a simulated disk that is in a good mood, apart from its short reads and writes.
struct SimRig {
    disk: SimDisk,
    clock: Clock,
}

impl Rig for SimRig {
    type Store = LogStore<SimDisk>;

    async fn store(&self, retain: Retain) -> LogStore<SimDisk> {
        let mut options = LogOptions::new(Fsync::Always, retain);
        options.segment_bytes_max = options.segment_bytes_max.min(128 * 1024);
        LogStore::new(self.disk.clone(), PathBuf::from("/streams"), options, self.clock.clone())
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

macro_rules! on_simulated_disk {
    ($property:ident) => {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        run(conformance::$property(&SimRig { disk: SimDisk::new(1), clock }));
    };
}

crate::conformance_tests!(on_simulated_disk);

const LIVES: u64 = 6;
/// Steps of the workload that is crashed at every operation.
const STEPS: u64 = 14;
/// Seeds within which each canary must be caught.
const CANARY_SEEDS: u64 = 10_000;
