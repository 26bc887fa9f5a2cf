//! Durable appends beside the least that makes bytes durable, on this machine's disk.
//!
//! `cargo bench --bench append -- [--rounds 5] [--seconds 1] [--folder /tmp] [--json FILE]`
//!
//! The log appends batches of 1, 100 and 1,000 events of 256 bytes, one batch at a time, each
//! answered when it is durable. Bare is one write and one fdatasync of as many framed bytes, into a
//! file that was written before from end to end. Both go through the same io_uring, on one thread;
//! they take turns, and every other round runs the other way round. Run by `cargo test` it only shows
//! that it works.

mod workloads;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ess::clock::{Clock, monotonic, process_busy};
use ess::store::log::LogStore;
use ess::store::log::disk::{Io, RealDisk};
use ess::store::{Store, StreamStore};
use monoio::blocking::DefaultThreadPool;
use monoio::{IoUringDriver, RuntimeBuilder};
use workloads::log::{Nobody, bodies, name, options};
use workloads::{splice, text};

/// Events of a batch.
const BATCHES: [usize; 3] = [1, 100, 1_000];
/// Of the file that is there already: written again from its start when it is full.
const FILE_BYTES: usize = 64 << 20;

struct Asked {
    rounds: usize,
    time: Duration,
    folder: PathBuf,
    json: Option<PathBuf>,
}

/// Events a second, and processor time an event in microseconds, of every round.
#[derive(Default)]
struct Found {
    rates: Vec<f64>,
    cpu: Vec<f64>,
}

fn main() {
    let asked = asked();
    let pool = DefaultThreadPool::new(2);
    let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
    let Ok(mut runtime) = builder.attach_thread_pool(Box::new(pool)).build() else {
        eprintln!("append: io_uring is refused here; nothing was measured");
        return;
    };
    let found = runtime.block_on(measure(&asked));
    tell(&asked, &found);
}

fn asked() -> Asked {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    // `cargo bench` says so; `cargo test` doesn't.
    let real = arguments.iter().any(|argument| argument == "--bench");
    let number = |flag, usual: f64| value(flag).and_then(|text| text.parse().ok()).unwrap_or(usual);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let rounds = number("--rounds", if real { 5.0 } else { 1.0 }) as usize;
    Asked {
        rounds,
        time: Duration::from_secs_f64(number("--seconds", if real { 1.0 } else { 0.01 })),
        folder: value("--folder").map_or_else(env::temp_dir, PathBuf::from),
        json: value("--json").map(PathBuf::from),
    }
}

async fn measure(asked: &Asked) -> Vec<[Found; 2]> {
    let mut all: Vec<[Found; 2]> = BATCHES.map(|_| <[Found; 2]>::default()).into();
    for round in 0..asked.rounds {
        for (count, [bare_found, log_found]) in BATCHES.into_iter().zip(&mut all) {
            if round % 2 == 0 {
                bare(asked, count, bare_found).await;
                log(asked, count, log_found).await;
            } else {
                log(asked, count, log_found).await;
                bare(asked, count, bare_found).await;
            }
        }
    }
    all
}

async fn bare(asked: &Asked, count: usize, found: &mut Found) {
    let Ok(file) = prewritten(&asked.folder) else { panic!("the folder can be written to") };
    let Ok(file) = monoio::fs::File::from_std(file) else { panic!("a file is a file") };
    let body = text(256);
    let mut bytes = Vec::new();
    for _ in 0..count {
        splice(body.get(..256).unwrap_or_default().as_bytes(), 123_456, &mut bytes);
    }
    let mut place = 0;
    let mut watch = Watch::start(asked.time);
    while watch.goes_on(count) {
        if place + bytes.len() > FILE_BYTES {
            place = 0;
        }
        let (written, back) = file.write_all_at(bytes, place as u64).await;
        bytes = back;
        place += bytes.len();
        let synced = file.sync_data().await;
        assert!(written.is_ok() && synced.is_ok(), "the disk works");
    }
    watch.stop(found);
}

async fn log(asked: &Asked, count: usize, found: &mut Found) {
    let Ok(folder) = tempfile::tempdir_in(&asked.folder) else { panic!("it can be written to") };
    let streams = folder.path().join("streams");
    let store = LogStore::new(RealDisk::new(Io::Ring), streams, options(1 << 30), Clock::System);
    let Ok(stream) = store.open(&name(), Rc::new(Nobody)).await else { panic!("it opens") };
    let bodies = bodies(count);
    let mut watch = Watch::start(asked.time);
    while watch.goes_on(count) {
        assert!(stream.append(bodies.clone()).await.is_ok(), "the disk works");
    }
    watch.stop(found);
    assert!(stream.close().await.is_ok(), "the disk works");
}

fn prewritten(folder: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::FileExt;
    let file = tempfile::tempfile_in(folder)?;
    let piece = vec![b'x'; 1 << 20];
    for at in (0..FILE_BYTES).step_by(piece.len()) {
        file.write_all_at(&piece, at as u64)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Counts events until the time is over.
struct Watch {
    began: Instant,
    cpu: Duration,
    time: Duration,
    events: usize,
}

impl Watch {
    fn start(time: Duration) -> Self {
        Self { began: monotonic(), cpu: process_busy(), time, events: 0 }
    }

    /// Whether another batch fits in; it counts. There is at least one.
    fn goes_on(&mut self, count: usize) -> bool {
        let more = self.events == 0 || self.began.elapsed() < self.time;
        self.events += if more { count } else { 0 };
        more
    }

    fn stop(self, found: &mut Found) {
        let events = self.events as f64;
        found.rates.push(events / self.began.elapsed().as_secs_f64());
        found.cpu.push((process_busy() - self.cpu).as_secs_f64() / events * 1e6);
    }
}

/// Median, least, most.
fn spread(numbers: &[f64]) -> [f64; 3] {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    [at(sorted.len() / 2), at(0), at(sorted.len().saturating_sub(1))]
}

fn tell(asked: &Asked, all: &[[Found; 2]]) {
    println!(
        "| durable, events of 256 B a batch | events/s: median (min–max) | CPU, µs an event | ratio |"
    );
    println!("|---|---|---|---|");
    let mut rows = Vec::new();
    for (count, [bare, log]) in BATCHES.iter().zip(all) {
        for (side, found) in [("write + fdatasync", bare), ("**log**", log)] {
            let [median, least, most] = spread(&found.rates);
            let [cpu, ..] = spread(&found.cpu);
            let [of_bare, ..] = spread(&bare.rates);
            println!(
                "| {count}, {side} | {median:.0} ({least:.0}–{most:.0}) | {cpu:.3} | {:.2} |",
                median / of_bare
            );
            rows.push(serde_json::json!({ "batch": count, "side": side,
                "events_per_second": found.rates, "cpu_us_per_event": found.cpu }));
        }
    }
    if let Some(file) = &asked.json {
        let written = fs::write(file, format!("{:#}\n", serde_json::Value::from(rows)));
        assert!(written.is_ok(), "--json names a file that can be written");
    }
}
