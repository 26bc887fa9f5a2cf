//! A full disk: 507, nothing half-stored, and service again when there is space.
//!
//! On a small tmpfs of its own, which needs the right to mount: without it the test fails.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Curl, Foreign, Server, Setup, everywhere, ordinal_of, wait_until};

everywhere!(nothing_is_half_stored);

const EVENT_BYTES: usize = 256 * 1024;

fn nothing_is_half_stored(setup: Setup) {
    let disk = SmallDisk::mount("24m");
    let server = Server::start_in(setup, disk.path(), &[]);
    let stream = server.create("abc");
    let foreign: Vec<_> = Foreign::each().collect();
    let live: Vec<_> =
        foreign.iter().map(|foreign| foreign.open(&server.url(&stream.uuid, ""))).collect();
    let events = server.at(&format!("/event-stream/{}/events", stream.id));

    let mut stored = Vec::new();
    let mut number = 0;
    let mut publish = |stored: &mut Vec<(u64, String)>, lines: u64| {
        let bodies = (number..number + lines).map(|n| format!("{n} {}", "x".repeat(EVENT_BYTES)));
        let bodies: Vec<String> = bodies.collect();
        number += lines;
        let body = bodies.join("\n");
        let answer = Curl::post(&events, "application/x-ndjson", body.as_bytes()).send();
        if answer.status == 201 {
            let told: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            let first = told["first_ordinal"].as_u64().expect("an ordinal");
            stored.extend((first..).zip(bodies));
        }
        answer
    };
    let mut refused = None;
    wait_until("the disk to be full", || {
        let answer = publish(&mut stored, 4);
        let full = answer.status != 201;
        refused = full.then_some(answer);
        full
    });
    let refused = refused.expect("waited for it");
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(refused.text().starts_with("{\"detail\":"), "{refused:?}");
    assert!(stored.len() > 4, "the disk was full from the beginning");
    // Again and again; history and the rest of the API are still there.
    for _ in 0..3 {
        assert_eq!(publish(&mut stored, 40).status, 507);
    }
    assert_eq!(Curl::get(&server.at("/event-stream/")).send().status, 200);
    // Where not one more fits it isn't ready; a restart wouldn't help.
    wait_until("not one more event to fit", || publish(&mut stored, 1).status == 507);
    let (status, told) = server.ask("/readyz");
    let why = "\"disk\":{\"status\":\"trouble\",\"reason\":\"full: ";
    assert!(status == 503 && told.contains(why), "{told}");
    assert_eq!(server.ask("/livez").0, 200);
    let replay = foreign[0].open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    check(&replay.texts(stored.len()), &stored);

    // Space again: the next ordinal is the one that wasn't used.
    disk.resize("256m");
    assert_eq!(server.ask("/readyz").0, 200);
    wait_until("the service to store again", || publish(&mut stored, 4).status == 201);
    for consumer in &live {
        check(&consumer.texts(stored.len()), &stored);
    }
    check(&replay.texts(4), &stored[stored.len() - 4..]);
    server.kill();

    let server = Server::start_in(setup, disk.path(), &[]);
    let replay = foreign[1].open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    check(&replay.texts(stored.len()), &stored);
    let next = u64::try_from(stored.len()).expect("few") + 1;
    assert_eq!(server.publish(stream.id, "after the restart").first, next);
    assert_eq!(ordinal_of(&replay.text()), next);
}

fn check(seen: &[String], stored: &[(u64, String)]) {
    for (text, (ordinal, body)) in seen.iter().zip(stored) {
        assert!(text.starts_with(body.as_str()), "ordinal {ordinal} isn't what was acknowledged");
        assert_eq!(ordinal_of(text), *ordinal, "dense: nothing of what was refused is there");
    }
}

/// A tmpfs, unmounted when dropped.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    pub(crate) fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], folder.path());
        Self { folder }
    }

    fn resize(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}")], self.path());
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is about to be dropped may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn mount(args: &[&str], folder: &Path) {
    let output = Command::new("mount").args(args).arg(folder).output();
    let output = output.expect("the end-to-end tests need `mount` on PATH");
    assert!(
        output.status.success(),
        "a full disk can't be tried without the right to mount a tmpfs (run as root): {}",
        String::from_utf8_lossy(&output.stderr),
    );
}
