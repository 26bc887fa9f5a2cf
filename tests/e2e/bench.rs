//! `ess bench`: what it finds, and that nothing of it is left.

use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Broker, Server, Setup, binary, wait_until};

/// A measurement that runs.
fn bench(server: &Server, args: &[&str]) -> Child {
    Command::new(binary())
        .env_clear()
        .env("ESS_API", server.at(""))
        .env("ESS_WS", format!("ws://{}", server.public()))
        .arg("bench")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary under test runs")
}

fn ended(child: Child) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// All event streams.
fn listed(server: &Server) -> Vec<Value> {
    let (status, body) = server.ask("/event-stream/");
    assert_eq!(status, 200);
    let list: Value = serde_json::from_str(&body).expect("JSON");
    list["event_streams"].as_array().expect("a list").clone()
}

/// Waits until the measurement's stream has had an event, so that its consumers are connected.
fn under_way(server: &Server) {
    wait_until("the measurement publishes", || {
        let stream = listed(server).first().and_then(|one| one["id"].as_i64());
        stream.is_some_and(|id| server.item(id)["next_ordinal"].as_u64() > Some(2))
    });
}

#[test]
fn every_delivery_is_counted_and_the_stream_is_gone() {
    let server = Server::start(Setup::USUAL, &[]);
    let args = ["--consumers", "20", "--rate", "200", "--bytes", "100", "--time", "500ms"];
    let (code, out, err) = ended(bench(&server, &[&args[..], &["--json"]].concat()));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let found: Value = serde_json::from_str(&out).expect("an object");
    for (name, expected) in [
        ("consumers", 20),
        ("events_published", 100),
        ("deliveries", 2_000),
        ("deliveries_missing", 0),
    ] {
        assert_eq!(found[name], expected, "{name} of {out}");
    }
    for (name, count) in [
        ("connect_ms", 20),
        ("due_to_stored_ms", 100),
        ("due_to_consumer_ms", 2_000),
        ("due_to_last_consumer_ms", 100),
    ] {
        assert_eq!(found[name]["count"], count, "{name} of {out}");
        let at = |quantile: &str| found[name][quantile].as_f64().expect("a number");
        assert!(0.0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"), "{out}");
    }
    assert!(listed(&server).is_empty());

    let (code, out, _) = ended(bench(&server, &args));
    assert_eq!(code, Some(0));
    assert!(out.contains("delivered   2000 of 2000"), "{out}");
    assert!(out.contains("due to the last one"), "{out}");
}

#[test]
fn it_runs_beside_other_streams_and_touches_none() {
    let server = Server::start(Setup::USUAL, &[]);
    let other = server.create("weather");
    let left = server.create("ess-bench-of-a-run-that-was-killed");
    server.publish(other.id, "it rains");
    let (code, _, err) = ended(bench(&server, &["--consumers", "1", "--time", "100ms"]));
    assert_eq!(code, Some(0));
    assert!(err.contains(&format!("ess streams delete {}", left.id)), "{err}");
    let ids: Vec<_> = listed(&server).iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [other.id, left.id]);
}

#[test]
fn an_interrupted_measurement_takes_its_stream_away() {
    let server = Server::start(Setup::USUAL, &[]);
    for signal in [Signal::INT, Signal::TERM] {
        let child = bench(&server, &["--consumers", "3", "--rate", "50", "--time", "5m"]);
        under_way(&server);
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        let (code, out, err) = ended(child);
        assert_eq!((code, err.as_str()), (Some(130), ""), "{out}");
        assert!(out.contains("consumers   3"), "what was found so far is told: {out}");
        assert!(listed(&server).is_empty());
    }
}

#[test]
fn a_service_that_dies_is_told_and_so_is_what_is_left() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_in(Setup::USUAL, data.path(), &[]);
    let child = bench(&server, &["--consumers", "3", "--time", "5m"]);
    under_way(&server);
    server.kill();
    let (code, out, err) = ended(child);
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    assert!(err.contains("is left; try: ess streams delete"), "{err}");
}

#[test]
fn a_service_for_one_consumer_a_stream_is_measured_with_one() {
    let server = Server::start(Setup::USUAL, &["--exclusive=yes"]);
    let (code, _, err) = ended(bench(&server, &["--consumers", "2", "--time", "5m"]));
    assert_eq!(code, Some(5), "{err}");
    assert!(err.contains("ess bench --consumers 1"), "{err}");
    assert!(listed(&server).is_empty());
    let (code, ..) = ended(bench(&server, &["--consumers", "1", "--time", "100ms"]));
    assert_eq!(code, Some(0));
}

#[test]
fn what_would_hurt_is_refused() {
    let server = Server::start(Setup::USUAL, &[]);
    for args in [
        ["--consumers", "1001"],
        ["--consumers", "0"],
        ["--rate", "10001"],
        ["--bytes", "16385"],
        ["--bytes", "31"],
        ["--time", "301s"],
        ["--time", "0s"],
        ["--time", "soon"],
    ] {
        let (code, _, err) = ended(bench(&server, &args));
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(args[0]) && err.contains(args[1]), "{args:?}: {err}");
    }
    let (code, _, err) = ended(bench(&server, &["--consumers", "1000", "--rate", "101"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("at most 100000"), "{err}");
    assert!(listed(&server).is_empty());
}

#[test]
fn a_stream_in_the_broker_is_made_and_taken_away() {
    let broker = Broker::shared();
    let server = Server::start_on(&broker, Setup::USUAL, &[]);
    let args = ["--consumers", "5", "--rate", "100", "--time", "500ms", "--json"];
    let (code, out, err) = ended(bench(&server, &[&args[..], &["--declare"]].concat()));
    assert_eq!(code, Some(0), "{err}");
    let found: Value = serde_json::from_str(&out).expect("an object");
    assert_eq!((&found["deliveries"], &found["deliveries_missing"]), (&250.into(), &0.into()));
    assert!(listed(&server).is_empty());
    assert!(!broker.ctl(&["-q", "list_queues", "name"]).contains("ess-bench-"));

    let (code, _, err) = ended(bench(&server, &args));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("ess bench --declare"), "{err}");
    assert!(listed(&server).is_empty());
}
