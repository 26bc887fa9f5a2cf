//! What a restart leaves as it was: events, ordinals, event streams and their ids.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, kill_process};

use crate::support::{Curl, Foreign, Library, Server, Setup, everywhere, free_port};

everywhere!(
    history_survives,
    ids_are_never_reused,
    a_database_of_the_reference,
    the_same_port_after_a_kill,
);

/// How a life of the service ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Terminate,
    Interrupt,
    Kill,
}

fn history_survives(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_in(setup, data.path(), &[]);
    let stream = server.create("abc");
    server.kill();

    let foreign: Vec<_> = Foreign::each().collect();
    let mut expected = Vec::new();
    for end in [End::Terminate, End::Kill, End::Interrupt, End::Kill] {
        let server = Server::start_in(setup, data.path(), &["--drain", "100ms"]);
        let live = foreign[0].open(&server.url(&stream.uuid, ""));
        for body in ["text", "{\"a\":1}"] {
            let published = server.publish(stream.id, body);
            let (ordinal, timestamp) = (published.first, published.timestamp);
            let before = u64::try_from(expected.len()).expect("a few");
            assert_eq!(ordinal, before + 1, "ordinals go on");
            expected.push(if body == "text" {
                format!("text|ordinal: {ordinal}|timestamp: {timestamp}")
            } else {
                format!("{{\"ess_ordinal\":{ordinal},\"ess_timestamp\":{timestamp},\"a\":1}}")
            });
            assert_eq!(live.text(), expected[expected.len() - 1]);
        }
        for library in &foreign {
            let replay = library.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
            assert_eq!(replay.texts(expected.len()), expected);
        }
        match end {
            End::Terminate | End::Interrupt => {
                let terminate = matches!(end, End::Terminate);
                let signal = if terminate { Signal::TERM } else { Signal::INT };
                kill_process(server.pid(), signal).expect("the service can be signalled");
                assert_eq!(live.closed(), (1012, "Service restart".to_owned()));
                assert_eq!(server.ended().code(), Some(0), "{end:?}");
            }
            End::Kill => {
                server.kill();
                assert_eq!(live.closed().0, 1006, "no close frame");
            }
        }
    }
}

fn ids_are_never_reused(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let mut next = 1;
    for end in [End::Kill, End::Terminate, End::Kill] {
        let server = Server::start_in(setup, data.path(), &[]);
        for _ in 0..3 {
            let streams = [server.create("abc"), server.create("abc")];
            for stream in &streams {
                assert_eq!(stream.id, next);
                next += 1;
            }
            // The newest ones, so that a database counting from what is there would begin again.
            for stream in streams {
                server.delete(stream.id);
            }
        }
        Curl::get(&server.at("/event-stream/")).send().assert_json(200, r#"{"event_streams":[]}"#);
        if matches!(end, End::Kill) {
            server.kill();
        } else {
            server.terminate();
            assert_eq!(server.ended().code(), Some(0));
        }
    }
}

/// Made by Python's own SQLite, with the statements of the reference.
fn a_database_of_the_reference(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let rows = [(1, "vytxeTZskVKR7C7WgdSP3d", "abc"), (7, "nUKsKEKFUwdXL6QcWpVCzR", "d\u{e9}f")];
    // The reference accepted an empty routing key; its record harms nobody and keeps its id.
    let unusable = (9, "KJkEVhGw9hGeXSkd3Rxvxk", "");
    let all = [rows.as_slice(), &[unusable]].concat();
    make_reference_database(&data.path().join("event-streams.db"), &all);
    for _life in 0..2 {
        let server = Server::start_in(setup, data.path(), &[]);
        let items = rows.map(|(id, uuid, key)| {
            let location = format!("ws://localhost:8080/event-stream/{uuid}");
            format!(r#"{{"id":{id},"location":"{location}","routing_key":"{key}"}}"#)
        });
        let list = format!(r#"{{"event_streams":[{}]}}"#, items.join(","));
        Curl::get(&server.at("/event-stream/")).send().assert_json(200, &list);
        for foreign in Foreign::each() {
            for (id, uuid, _) in rows {
                let consumer = foreign.open(&server.url(uuid, ""));
                let published = server.publish(id, "event");
                let expected = format!("event|ordinal: {}|", published.first);
                assert!(consumer.text().starts_with(&expected));
            }
        }
        server.kill();
    }

    let server = Server::start_in(setup, data.path(), &[]);
    server.delete(7);
    server.kill();
    let server = Server::start_in(setup, data.path(), &[]);
    let stream = server.create("d\u{e9}f");
    assert_eq!(stream.id, 10, "7 and 9 were given out by the reference");
    let foreign = Foreign::start(Library::WebsocketClient);
    let gone = foreign.open(&server.url("nUKsKEKFUwdXL6QcWpVCzR", "")).closed();
    assert_eq!(gone.0, 1000);
}

fn make_reference_database(path: &Path, rows: &[(i64, &str, &str)]) {
    let values = rows.iter().map(|(id, uuid, key)| format!("({id}, '{uuid}', '{key}')"));
    let values: Vec<String> = values.collect();
    let script = format!(
        "import sqlite3\n\
         db = sqlite3.connect({path:?})\n\
         db.execute('CREATE TABLE es (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT)')\n\
         db.execute(\"INSERT INTO es VALUES {}\")\n\
         db.commit()\n",
        values.join(", ")
    );
    let status = Command::new("python3").arg("-c").arg(script).status();
    assert!(status.expect("the end-to-end tests need `python3` on PATH").success());
}

#[test]
fn each_life_may_have_other_shards_and_another_driver() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let keys: Vec<String> = (0..8).map(|number| format!("stream {number}")).collect();
    let lives = [("io-uring", 1), ("epoll", 2), ("io-uring", 3), ("epoll", 1), ("io-uring", 2)];
    let foreign = Foreign::start(Library::Ws);
    let mut streams = Vec::new();
    for (life, (driver, shards)) in lives.into_iter().enumerate() {
        let server = Server::start_in(Setup { driver, shards }, data.path(), &[]);
        if streams.is_empty() {
            streams = keys.iter().map(|key| server.create(key)).collect();
        }
        for (stream, key) in streams.iter().zip(&keys) {
            server.publish(stream.id, &format!("{key}, life {life}"));
            let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
            for earlier in 0..=life {
                let expected = format!("{key}, life {earlier}|ordinal: {}|", earlier + 1);
                let text = replay.text();
                assert!(text.starts_with(&expected), "{text}, expected {expected}");
            }
        }
        server.kill();
    }
}

/// Whenever the disk is asked to write, the events are the kernel's before they are acknowledged.
#[test]
fn every_way_to_sync_survives_a_kill() {
    for fsync in ["always", "interval=10", "interval=60000", "never"] {
        let data = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start_in(Setup::USUAL, data.path(), &["--fsync", fsync]);
        let stream = server.create("abc");
        let last = (0..50).map(|n| server.publish(stream.id, &n.to_string()).last).max();
        server.kill();
        let server = Server::start_in(Setup::USUAL, data.path(), &["--fsync", fsync]);
        let foreign = Foreign::start(Library::Websockets);
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        for n in 0..50 {
            let text = replay.text();
            assert!(text.starts_with(&format!("{n}|ordinal: {}|", n + 1)), "{fsync}: {text}");
        }
        let next = server.publish(stream.id, "next").first;
        assert_eq!(Some(next), last.map(|last| last + 1), "{fsync}");
    }
}

/// The kernel lets go of a killed process' listeners a little later than of the process.
fn the_same_port_after_a_kill(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    for _ in 0..30 {
        let server = Server::start_at(setup, data.path(), port, "localhost", &[]);
        let _connected: Vec<_> =
            (0..5).map(|_| TcpStream::connect(server.public()).expect("it listens")).collect();
        server.kill();
    }
}
