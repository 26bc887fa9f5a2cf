//! The broker that other suites stand on, itself: it keeps, dies, comes back and leaves nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Broker, Packing, Publisher, StreamPublisher, wait_until};

/// Makes [`holds_the_shared_broker`] hold it.
const HOLD: &str = "ESS_E2E_HOLD_BROKER";

/// Waits until the broker has counted so many events.
fn counted(publisher: &Publisher, stream: &str, events: u64) {
    wait_until(&format!("{events} events in {stream}"), || {
        // Just after a start the stream may not be up yet.
        publisher.messages(stream).is_ok_and(|counted| counted == Some(events))
    });
}

/// Whether a process runs: one that nobody waited for is as dead as any.
fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z')))
}

#[test]
fn events_and_ports_survive_a_kill_and_a_stop() {
    let mut broker = Broker::start_with(&[("stream.advertised_host", "broker.example")]);
    assert!(broker.ctl(&["status"]).contains("RabbitMQ version"));
    let advertised = broker.ctl(&["eval", "application:get_env(rabbitmq_stream,advertised_host)."]);
    assert!(advertised.contains("broker.example"), "{advertised}");
    let publisher = Publisher::start(&broker);
    publisher.declare("kept", &json!({ "x-max-age": "1h" }));
    publisher.publish_all("", "kept", &["event"], 1_000).expect("the broker stores");

    broker.kill();
    assert_eq!(broker.pid(), None);
    for port in [broker.amqp_port(), broker.stream_port()] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "somebody still listens");
    }
    assert!(publisher.messages("kept").is_err(), "the connection is broken");
    broker.restart();
    // The newcomer is ready as a node's own administrators see it.
    broker.ctl(&["await_startup"]);
    counted(&publisher, "kept", 1_000);

    publisher.publish("kept", "another");
    broker.stop();
    broker.restart();
    wait_until("the broken connection to be noticed", || publisher.messages("kept").is_err());
    counted(&publisher, "kept", 1_001);

    let (processes, folder) = (broker.processes(), broker.folder());
    assert!(processes.len() == 3 && processes.iter().all(|pid| lives(*pid)) && folder.exists());
    drop(broker);
    assert!(!processes.into_iter().any(lives), "a process outlives its broker");
    assert!(!folder.exists());
}

#[test]
fn every_way_of_publishing_reaches_a_stream() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let arguments =
        json!({ "x-max-length-bytes": 10_000_000, "x-stream-max-segment-size-bytes": 1_000_000 });
    publisher.declare("ways", &arguments);
    publisher.exchange("event-streams", "direct");
    publisher.bind("ways", "event-streams", "ways");
    publisher.publish("ways", [0, 0xff, b'x']);
    assert_eq!(publisher.publish_all("event-streams", "ways", &["a", "b"], 2), Ok(4));
    let streams = StreamPublisher::start(&broker);
    for packing in [Packing::Plain, Packing::Raw, Packing::Batch, Packing::GzipBatch] {
        assert_eq!(streams.publish_all("ways", &["a", "b"], 5, packing), Ok(10), "{packing:?}");
    }
    counted(&publisher, "ways", 45);
    publisher.recreate("ways", &json!({}));
    counted(&publisher, "ways", 0);
    publisher.delete("ways");
    assert_eq!(publisher.messages("ways"), Ok(None));
}

#[test]
fn what_nobody_takes_is_a_failure() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let failed = publisher.publish_all("", "untaken", &["event"], 1).expect_err("no such queue");
    assert!(failed.contains("NO_ROUTE"), "{failed}");
    let streams = StreamPublisher::start(&broker);
    let failed = streams.publish_all("untaken", &["event"], 1, Packing::Plain);
    assert!(failed.as_ref().is_err_and(|why| why.contains("StreamDoesNotExist")), "{failed:?}");
}

#[test]
fn a_certificate_is_a_login_and_none_is_refused() {
    let (broker, tls) = Broker::shared_tls();
    let publisher = Publisher::start_tls(&broker, tls);
    publisher.declare("login", &json!({}));
    publisher.publish("login", "event");
    let streams = StreamPublisher::start_tls(&broker, tls);
    assert_eq!(streams.publish_all("login", &["a", "b"], 1, Packing::Plain), Ok(2));
    counted(&publisher, "login", 3);
    let anonymous = Publisher::start_tls_anonymous(&broker, tls);
    let refused = anonymous.messages("login").expect_err("it has no certificate");
    assert!(refused.to_lowercase().contains("ssl"), "{refused}");
}

#[test]
fn no_broker_outlives_a_test_binary_that_is_killed() {
    let mut binary = Command::new(std::env::current_exe().expect("this is a program"))
        .args(["--exact", "broker::holds_the_shared_broker", "--ignored", "--nocapture"])
        .env(HOLD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test binary starts");
    let mut lines = BufReader::new(binary.stdout.take().expect("standard output is piped")).lines();
    let facts: Value = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| serde_json::from_str(line.strip_prefix("held: ")?).ok())
        .expect("the other binary tells what it holds");
    let pids = facts["processes"].as_array().expect("a list of processes");
    let pids: Vec<u32> = pids.iter().filter_map(|pid| u32::try_from(pid.as_u64()?).ok()).collect();
    let folder = PathBuf::from(facts["folder"].as_str().expect("a folder"));
    assert!(pids.len() == 3 && pids.iter().all(|pid| lives(*pid)) && folder.exists());
    binary.kill().expect("the other binary can be killed");
    binary.wait().expect("the other binary can be waited for");
    wait_until("the broker to be gone", || !pids.iter().any(|pid| lives(*pid)) && !folder.exists());
}

/// For [`no_broker_outlives_a_test_binary_that_is_killed`], which kills it.
#[test]
#[ignore = "holds a broker for another test until it is killed"]
fn holds_the_shared_broker() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let broker = Broker::shared();
    let facts = json!({ "processes": broker.processes(), "folder": broker.folder() });
    println!("\nheld: {facts}");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_node_does_not_outlive_the_program_that_runs_it() {
    let broker = Broker::start();
    let (processes, folder) = (broker.processes(), broker.folder());
    let program = processes.first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
    kill_process(program.expect("it runs"), Signal::KILL).expect("it can be killed");
    wait_until("the node to be gone", || !processes.iter().any(|pid| lives(*pid)));
    // Nobody is left to remove it.
    fs::remove_dir_all(Path::new(&folder)).expect("the folder is there");
}
