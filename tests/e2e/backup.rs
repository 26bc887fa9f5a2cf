//! Backups taken beside a service that works, proved, and put back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::disk_full::SmallDisk;
use crate::support::{Api, Listener, Server, Setup, binary, ordinal_of, wait_until};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn command(words: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().args(words).args(paths).stdin(Stdio::null());
    command
}

fn run(words: &[&str], paths: &[&Path]) -> Output {
    command(words, paths).output().expect("the binary under test runs")
}

/// Runs `ess <words> <paths>`, which has to succeed; its lines and what it says.
#[track_caller]
fn done(words: &[&str], paths: &[&Path]) -> (Vec<String>, String) {
    let output = run(words, paths);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{words:?} {paths:?}: {said}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    (lines.lines().map(str::to_owned).collect(), said)
}

/// Runs what has to fail with this exit code; what it says.
#[track_caller]
fn refused(code: i32, words: &[&str], paths: &[&Path]) -> String {
    let output = run(words, paths);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{words:?} {paths:?}: {said}");
    said
}

fn backup(data: &Path, target: &Path) -> (Vec<String>, String) {
    done(&["backup", "--data-dir"], &[data, target])
}

fn restore(backup: &Path, data: &Path) {
    done(&["restore", "--data-dir"], &[data, backup]);
}

fn segments(folder: &Path, stream: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(folder.join("streams").join(stream)).expect("it has segments");
    let mut found: Vec<_> = found.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

/// Somebody who publishes without a pause: event `n` says `event n`, if nobody else publishes.
struct Flood {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Flood {
    fn start(api: &Api, id: i64) -> Self {
        const BATCH: u64 = 50;
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (api, stopped, last) = (api.clone(), Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = thread::spawn(move || {
            for first in (1..).step_by(usize::try_from(BATCH).expect("fits")) {
                let lines: Vec<_> = (first..first + BATCH).map(|n| format!("event {n}")).collect();
                let published = api.publish_lines(id, &lines.join("\n"));
                assert_eq!(published.first, first, "nobody else publishes");
                last.store(published.last, Ordering::SeqCst);
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { stop, acknowledged, thread }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn wait_for(&self, ordinal: u64) -> u64 {
        wait_until("the flood to go on", || self.acknowledged() >= ordinal);
        self.acknowledged()
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("every publish was acknowledged");
        self.acknowledged.load(Ordering::SeqCst)
    }
}

#[test]
fn a_backup_in_a_flood_has_everything_acknowledged_before_it_began() {
    let (place, data) = (folder(), folder());
    // A segment holds 500 events, so that there are many; nothing is dropped meanwhile.
    let many = ["--retain-events", "4000", "--retain-interval", "1d"];
    let server = Server::start_in(Setup::USUAL, data.path(), &many);
    let (orders, idle) = (server.create("orders"), server.create("idle"));
    server.publish(idle.id, "lonely");
    let flood = Flood::start(&server, orders.id);
    flood.wait_for(1_000);
    let mut client = Listener::open(server.public(), &server.url(&orders.uuid, FROM_THE_FIRST));
    (1..=700).for_each(|n| assert_eq!(ordinal_of(&client.text()), n));

    let target = place.path().join("backup");
    let before = flood.wait_for(2_000);
    let (lines, said) = backup(data.path(), &target);
    let after = flood.wait_for(flood.acknowledged() + 100);
    let last = flood.end();
    assert!(last >= after && segments(data.path(), "orders").len() > 3, "it was a flood");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(said.contains("backed up 2 event streams and 2 logs"), "{said}");
    server.kill();

    done(&["verify"], &[&target]);
    let restored = place.path().join("restored");
    restore(&target, &restored);
    let server = Server::start_in(Setup::USUAL, &restored, &[]);
    let next = server.item(orders.id)["next_ordinal"].as_u64().expect("an ordinal");
    assert!((before + 1..=last + 1).contains(&next), "{before} {next} {last}");
    // The same location, every event from the first on, and the client goes on where it was.
    let mut all = Listener::open(server.public(), &server.url(&orders.uuid, FROM_THE_FIRST));
    for n in 1..next {
        let text = all.text();
        assert_eq!((ordinal_of(&text), text.split('|').next()), (n, Some(&*format!("event {n}"))));
    }
    let on = server.url(&orders.uuid, "stream_from_ordinal=700");
    assert_eq!(ordinal_of(&Listener::open(server.public(), &on).text()), 701);
    assert_eq!(server.publish(orders.id, "goes on").first, next);
    assert!(all.text().starts_with("goes on|"));
    assert_eq!(server.publish(idle.id, "goes on").first, 2);
}

const FROM_THE_FIRST: &str = "stream_from_ordinal=0";

#[test]
fn retention_and_deletions_meanwhile_leave_whole_backups() {
    let (place, data) = (folder(), folder());
    let short = ["--retain-events", "400", "--retain-interval", "10ms"];
    let server = Server::start_in(Setup::USUAL, data.path(), &short);
    let orders = server.create("orders");
    let flood = Flood::start(&server, orders.id);
    let stop = Arc::new(AtomicBool::new(false));
    let (api, stopped): (Api, _) = (Api::clone(&server), Arc::clone(&stop));
    let restless = thread::spawn(move || {
        let mut count = 0;
        while !stopped.load(Ordering::SeqCst) {
            let one = api.create("restless");
            api.publish(one.id, "soon gone");
            // One that lives shorter than a look at it takes can't be copied.
            thread::sleep(Duration::from_millis(10));
            api.delete(one.id);
            count += 1;
        }
        count
    });
    // Retention lets nothing be appended while it works, so what is acknowledged behind this comes
    // after whole segments went.
    wait_until("events to be dropped", || server.floor(orders.id) > 200);
    let mut target = place.path().join("0");
    for round in 1..=8 {
        let before = flood.wait_for(flood.acknowledged() + 500);
        target = place.path().join(round.to_string());
        let (lines, _) = backup(data.path(), &target);
        done(&["verify"], &[&target]);
        let row = lines.iter().find(|line| line.starts_with("orders\t")).expect("it is there");
        let cells: Vec<u64> = row.split('\t').filter_map(|cell| cell.parse().ok()).collect();
        assert!(cells[0] > 1 && cells[1] > before, "retention is at work: {row}, {before}");
    }
    stop.store(true, Ordering::SeqCst);
    assert!(restless.join().expect("nothing was refused") > 0);
    flood.end();
    drop(server);
    let restored = place.path().join("restored");
    restore(&target, &restored);
    let server = Server::start_in(Setup::USUAL, &restored, &[]);
    let (status, text) = server.ask("/event-stream/");
    assert_eq!(status, 200);
    let listed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for one in listed["event_streams"].as_array().expect("a list") {
        let id = one["id"].as_i64().expect("an id");
        let next = server.item(id)["next_ordinal"].as_u64().expect("every one can be used");
        assert_eq!(server.publish(id, "goes on").first, next);
    }
}

#[test]
fn the_segment_that_is_written_to_is_copied_as_far_as_it_is_whole() {
    let (place, data) = (folder(), folder());
    let server = Server::start_in(Setup::USUAL, data.path(), &[]);
    let flood = Flood::start(&server, server.create("orders").id);
    // One segment, and zeros in it where the service writes meanwhile.
    for round in 0..12 {
        let before = flood.wait_for(flood.acknowledged() + 1);
        let target = place.path().join(round.to_string());
        let (lines, _) = backup(data.path(), &target);
        done(&["verify"], &[&target]);
        let next = lines[0].split('\t').nth(2).and_then(|cell| cell.parse::<u64>().ok());
        assert!(next.is_some_and(|next| next > before), "{lines:?} {before}");
        // It ends with an event's timestamp, not with what is written ahead.
        let copied = fs::read(&segments(&target, "orders")[0]).expect("readable");
        assert!(copied.last().is_some_and(u8::is_ascii_digit), "zeros are no part of a backup");
        done(&["verify"], &[data.path()]);
    }
    flood.end();
}

/// A data directory of a stopped service, with a stream of some segments.
fn stopped(events: u64, bytes: usize) -> TempDir {
    let data = folder();
    let kept = (2 * events).max(800).to_string();
    let many = ["--retain-events", &kept, "--retain-interval", "1d"];
    let server = Server::start_in(Setup::USUAL, data.path(), &many);
    let orders = server.create("orders");
    for _ in 0..events / 100 {
        server.publish_lines(orders.id, &vec!["x".repeat(bytes); 100].join("\n"));
    }
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    data
}

#[test]
fn of_a_stopped_service_every_byte_is_there() {
    let (place, data) = (folder(), stopped(300, 100));
    let target = place.path().join("backup");
    fs::create_dir(&target).expect("an empty directory is fine");
    backup(data.path(), &target);
    let (mine, theirs) = (segments(&target, "orders"), segments(data.path(), "orders"));
    assert_eq!((mine.len(), mine.len() > 2), (theirs.len(), true));
    for (mine, theirs) in mine.iter().zip(&theirs) {
        assert_eq!(mine.file_name(), theirs.file_name());
        assert!(fs::read(mine).expect("readable") == fs::read(theirs).expect("readable"));
    }
    let manifest = fs::read_to_string(target.join("backup.json")).expect("it has a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["streams"][0]["next_ordinal"], 301);
    // The backup is a data directory itself.
    let server = Server::start_in(Setup::USUAL, &target, &[]);
    assert_eq!(server.item(1)["next_ordinal"], 301);
}

#[test]
fn one_that_was_interrupted_looks_like_none() {
    let (place, data) = (folder(), stopped(4_000, 4_000));
    let (target, draft) = (place.path().join("backup"), place.path().join(".backup.partial"));
    let mut interrupted = 0;
    for copied in [0, 1, 2, 3, 4] {
        let mut child: Child = command(&["backup", "--data-dir"], &[data.path(), &target])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary under test runs");
        let under_way = || {
            let there = fs::read_dir(draft.join("streams/orders")).map_or(0, Iterator::count);
            draft.exists() && there >= copied
        };
        wait_until("the backup to be under way", || {
            under_way() || child.try_wait().expect("it can be waited for").is_some()
        });
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
        if target.exists() {
            done(&["verify"], &[&target]);
            fs::remove_dir_all(&target).expect("removable");
        } else {
            assert!(draft.exists(), "what is there says that it is a part");
            interrupted += 1;
        }
    }
    assert!(interrupted > 0, "none of them was caught at work");
    // The next one clears up.
    backup(data.path(), &target);
    assert!(!draft.exists());
    done(&["verify"], &[&target]);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_left() {
    let (place, data) = (folder(), stopped(300, 100));
    let target = place.path().join("backup");
    let gone = || {
        assert!(!target.exists());
        assert_eq!(fs::read_dir(place.path()).expect("readable").count(), 0);
    };
    // Not a data directory; something that is there; a link where a stream should be.
    let said = refused(1, &["backup", "--data-dir"], &[place.path(), &target]);
    assert!(said.contains("is it the data directory?"), "{said}");
    gone();
    fs::create_dir(&target).expect("writable");
    fs::write(target.join("precious"), "").expect("writable");
    let said = refused(1, &["backup", "--data-dir"], &[data.path(), &target]);
    assert!(said.contains("is there already"), "{said}");
    fs::remove_dir_all(&target).expect("removable");
    let (streams, moved) = (data.path().join("streams/orders"), data.path().join("elsewhere"));
    fs::rename(&streams, &moved).expect("movable");
    symlink(&moved, &streams).expect("linkable");
    let said = refused(1, &["backup", "--data-dir"], &[data.path(), &target]);
    assert!(said.contains("no link is followed"), "{said}");
    gone();
    fs::remove_file(&streams).expect("removable");
    fs::rename(&moved, &streams).expect("movable");
    let segment = &segments(data.path(), "orders")[0];
    fs::rename(segment, &moved).expect("movable");
    symlink(&moved, segment).expect("linkable");
    refused(1, &["backup", "--data-dir"], &[data.path(), &target]);
    gone();
    fs::remove_file(segment).expect("removable");
    fs::rename(&moved, segment).expect("movable");
    // A disk that is too small for it.
    let disk = SmallDisk::mount("1m");
    let small = disk.path().join("backup");
    let said = refused(1, &["backup", "--data-dir"], &[data.path(), &small]);
    assert!(said.contains("no room in") && said.contains("nothing was copied"), "{said}");
    assert_eq!(fs::read_dir(disk.path()).expect("readable").count(), 0);
}

#[test]
fn damage_is_found_and_not_restored_unasked() {
    let (place, data) = (folder(), stopped(300, 100));
    let target = place.path().join("backup");
    backup(data.path(), &target);
    let restored = place.path().join("restored");
    let wrong = |what: &str| {
        let said = refused(1, &["verify"], &[&target]);
        assert!(said.contains(what), "{said}");
        let said = refused(1, &["restore", "--data-dir"], &[&restored, &target]);
        assert!(said.contains("the backup is not whole"), "{said}");
        assert!(!restored.exists());
    };
    // A flipped bit, a lost segment, a lost stream.
    let first = &segments(&target, "orders")[0];
    let mut flipped = fs::read(first).expect("readable");
    flipped[2_000] ^= 1;
    fs::write(first, &flipped).expect("writable");
    wrong("damaged from event 1 on");
    fs::remove_file(first).expect("removable");
    wrong("had the events from 1 to before 301");
    fs::rename(target.join("streams/orders"), place.path().join("aside")).expect("movable");
    wrong("stream \"orders\" is missing");
    fs::rename(place.path().join("aside"), target.join("streams/orders")).expect("movable");
    fs::write(first, &flipped).expect("writable");
    refused(1, &["restore", "--damaged", "--data-dir"], &[&restored, &target]);
    let server = Server::start_in(Setup::USUAL, &restored, &[]);
    assert_eq!(server.item(1)["next_ordinal"], 301, "what there is was restored");
    drop(server);
    // Damage in the data directory is copied as it is, and told.
    let second = place.path().join("second");
    let said = refused(1, &["backup", "--data-dir"], &[&restored, &second]);
    assert!(said.contains("the data directory is damaged") && second.exists(), "{said}");
}

#[test]
fn a_restore_meets_nobody_and_nothing() {
    let (place, data) = (folder(), stopped(300, 100));
    let target = place.path().join("backup");
    backup(data.path(), &target);
    let said = refused(1, &["restore", "--data-dir"], &[data.path(), &target]);
    assert!(said.contains("is not empty"), "{said}");
    // A service that has just started over an empty directory.
    let fresh = place.path().join("fresh");
    let server = Server::start_in(Setup::USUAL, &fresh, &[]);
    let said = refused(1, &["restore", "--data-dir"], &[&fresh, &target]);
    assert!(said.contains("stop it first"), "{said}");
    drop(server);
    // An interrupted restore isn't served, and the same command goes on.
    let half = place.path().join("half");
    fs::create_dir_all(half.join("restore.partial/streams")).expect("writable");
    fs::create_dir_all(half.join("streams/orders")).expect("writable");
    let words = ["--log-dir", "-", "--public-addr", "127.0.0.1:0"];
    let words = [&words[..], &["--internal-addr", "127.0.0.1:0", "--data-dir"]].concat();
    let said = refused(1, &words, &[&half]);
    assert!(said.contains("a restore was interrupted"), "{said}");
    // Links where its own are made: they may lead anywhere, and root follows none.
    let (precious, trap) = (place.path().join("precious"), place.path().join("trap"));
    fs::create_dir_all(precious.join("kept")).expect("writable");
    fs::create_dir(&trap).expect("writable");
    for name in ["ess.lock", "restore.partial"] {
        symlink(&precious, trap.join(name)).expect("linkable");
        refused(1, &["restore", "--data-dir"], &[&trap, &target]);
        assert!(precious.join("kept").exists(), "{name} was followed");
        fs::remove_file(trap.join(name)).expect("removable");
    }
    restore(&target, &half);
    let server = Server::start_in(Setup::USUAL, &half, &[]);
    assert_eq!(server.item(1)["next_ordinal"], 301);
}
