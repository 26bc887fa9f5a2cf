//! The command line against the running service: data on standard output, exit codes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use crate::support::{Server, Setup, binary, free_port};

#[test]
fn streams_are_created_listed_and_deleted() {
    let server = Server::start(Setup::USUAL, &[]);
    let made = ess(&server, &["streams", "create", "weather"], "");
    let stdout = String::from_utf8(made.stdout).expect("UTF-8");
    let (id, rest) = stdout.trim_end().split_once('\t').expect("an id and a tab");
    let (routing_key, location) = rest.split_once('\t').expect("a routing key and a tab");
    assert_eq!((made.status.code(), id, routing_key), (Some(0), "1", "weather"));

    let listed = ess(&server, &["streams", "list"], "");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), stdout);
    let json = ess(&server, &["streams", "list", "--json"], "");
    let item: serde_json::Value = serde_json::from_slice(&json.stdout).expect("an object a line");
    assert_eq!(item["location"], location);

    assert_eq!(ess(&server, &["streams", "delete", location], "").status.code(), Some(0));
    assert!(ess(&server, &["streams", "list"], "").stdout.is_empty());
    let unknown = ess(&server, &["streams", "delete", "weather"], "");
    assert!(!unknown.status.success() && unknown.stdout.is_empty());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("weather"));
}

#[test]
fn what_is_published_is_listened_to() {
    let server = Server::start(Setup::USUAL, &[]);
    server.create("weather");
    let published = ess(&server, &["publish", "weather", "it", "rains"], "");
    assert_eq!(published.stdout, b"1\n");
    let published = ess(&server, &["publish", "weather", "-"], "sun\n\n{\"wind\": 4}\n");
    assert_eq!(published.stdout, b"2\n3\n");

    let heard = ess(&server, &["listen", "weather", "-o", "1", "--count", "2"], "");
    assert_eq!(heard.status.code(), Some(0));
    let heard = String::from_utf8(heard.stdout).expect("UTF-8");
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!(lines.len(), 2, "{heard}");
    assert!(lines[0].starts_with("sun|ordinal: 2|timestamp: "), "{heard}");
    assert!(lines[1].starts_with("{\"ess_ordinal\":3,\"ess_timestamp\":"), "{heard}");

    let heard = ess(&server, &["listen", "weather", "-t", "0", "--count", "1", "--json"], "");
    let event: serde_json::Value = serde_json::from_slice(&heard.stdout).expect("an object");
    assert_eq!((&event["ordinal"], &event["text"]), (&1.into(), &"it rains".into()));

    let unknown = ess(&server, &["publish", "nobody", "hears"], "");
    assert!(!unknown.status.success() && unknown.stdout.is_empty());
}

#[test]
fn listening_goes_on_over_a_kill() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    let start = || Server::start_at(Setup::USUAL, data.path(), port, "localhost", &[]);
    let server = start();
    let stream = server.create("weather");
    let mut listening = Command::new(binary())
        .env_clear()
        .args(["listen", &server.url(&stream.uuid, ""), "-o", "0", "--count", "6"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary under test runs");
    let stdout = listening.stdout.take().expect("standard output is piped");
    let mut lines = BufReader::new(stdout).lines();
    let mut heard = |ordinals: std::ops::RangeInclusive<u64>| {
        for ordinal in ordinals {
            let line = lines.next().expect("a line").expect("UTF-8");
            assert!(line.contains(&format!("|ordinal: {ordinal}|")), "{line}");
        }
    };
    server.publish_lines(stream.id, "one\ntwo\nthree");
    heard(1..=3);
    server.kill();
    let server = start();
    server.publish_lines(stream.id, "four\nfive\nsix");
    heard(4..=6);
    assert_eq!(listening.wait().expect("it ends").code(), Some(0));
}

/// Runs a command of the client side to its end.
fn ess(server: &Server, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .env_clear()
        .env("ESS_API", server.at(""))
        .env("ESS_WS", format!("ws://{}", server.public()))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary under test runs");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}
