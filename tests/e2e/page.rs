//! The page for people in a real browser, and what a browser must not be made to do; the API's
//! description against the service that gives it.
//!
//! The browser is Debian's Chromium, driven by `clients/page.cjs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{
    Broker, Curl, Server, Setup, contract_python, everywhere, free_port, node_path,
};

#[test]
fn a_person_sees_and_does_everything_at_a_desk_in_the_light() {
    walk_through("1280x800", "light");
}

#[test]
fn a_person_sees_and_does_everything_on_a_phone_in_the_dark() {
    walk_through("360x740", "dark");
}

/// A size of window and a colour scheme.
fn walk_through(size: &str, scheme: &str) {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    // The browser has to find the public port where locations say it is.
    let port = free_port();
    let server =
        Server::start_at(Setup::USUAL, data.path(), port, &format!("127.0.0.1:{port}"), &[]);
    let mut command = Command::new("node");
    command.env("NODE_PATH", node_path()).arg(program("page.cjs"));
    run(command.args([&server.at(""), size, scheme]));
}

#[test]
fn a_person_sees_what_lies_in_a_broker_and_when_it_is_away() {
    let mut broker = Broker::start();
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let (url, stream_port) = (broker.url(), broker.stream_port().to_string());
    let env = [("ESS_AMPQ_URL", &*url), ("ESS_STREAM_PORT", &stream_port)];
    let ingress = format!("127.0.0.1:{port}");
    let server = Server::start_at(Setup::USUAL, data.path(), port, &ingress, &env);
    let drive = |broker: &str| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", node_path()).arg(program("page_broker.cjs"));
        run(command.args([&server.at(""), broker]));
    };
    drive("there");
    server.create("kept");
    broker.kill();
    drive("away");
}

#[test]
fn every_documented_example_is_answered_as_documented() {
    let server = Server::start(Setup::USUAL, &[]);
    let mut command = Command::new(contract_python());
    run(command.arg(program("openapi_examples.py")).arg(server.at("")));
}

#[test]
fn schemathesis_finds_no_answer_that_is_not_documented() {
    let server = Server::start(Setup::USUAL, &[]);
    let mut command = Command::new(contract_python().with_file_name("st"));
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").env("PYTHONPATH", program(""));
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.args(["run", &server.at("/openapi.json"), "--checks", "all", "--continue-on-failure"]);
    command.args(["--seed", "1", "--max-examples", "15", "--no-shrink"]);
    run(&mut command);
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients").join(name)
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let (out, err) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    );
}

everywhere!(pages_of_other_sites_change_nothing, files_are_served_once);

fn pages_of_other_sites_change_nothing(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("weather");
    let one = format!("/event-stream/{}", stream.id);
    let events = format!("{one}/events");
    let own = format!("http://{}", server.internal());
    let ask = |method: &str, path: &str, origin: &str| {
        let curl = Curl::request(method, &server.at(path)).header("Content-Type", "text/plain");
        curl.header("Origin", origin).body(b"it rains").send().status
    };
    for origin in ["http://elsewhere.example", "null", "http://127.0.0.1", "file://"] {
        for (method, path) in
            [("POST", "/event-stream/"), ("POST", &*events), ("DELETE", &*one), ("PUT", &*one)]
        {
            assert_eq!(ask(method, path, origin), 403, "{method} {path} from {origin}");
        }
        assert_eq!(ask("GET", &one, origin), 200, "reading changes nothing");
        let preflight = Curl::request("OPTIONS", &server.at(&events)).header("Origin", origin);
        let preflight = preflight.header("Access-Control-Request-Method", "POST").send();
        assert_eq!(preflight.status, 403);
        assert_eq!(preflight.header("access-control-allow-origin"), None);
    }
    assert_eq!(ask("POST", &events, &own), 201, "our own page");
    // The body of a refused request isn't taken for the next one.
    let answer = Curl::post(&server.at(&events), "text/plain", b"sun").send();
    assert_eq!((answer.status, answer.header("x-content-type-options")), (201, Some("nosniff")));
    assert_eq!(server.item(stream.id)["next_ordinal"], 3);
    assert_eq!(ask("DELETE", &one, &own), 204);
}

fn files_are_served_once(setup: Setup) {
    let server = Server::start(setup, &[]);
    for path in ["/", "/page/main.js", "/page/page.css", "/page/icon.svg"] {
        let first = Curl::get(&server.at(path)).send();
        assert_eq!((first.status, first.header("cache-control")), (200, Some("no-cache")));
        let tag = first.header("etag").expect("a file has a tag");
        let again = Curl::get(&server.at(path)).header("If-None-Match", tag).send();
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    let page = Curl::get(&server.at("/")).send();
    let policy = page.header("content-security-policy").expect("the page has a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    Curl::get(&server.at("/page/index.html")).send().assert_json(404, r#"{"detail":"Not Found"}"#);
}
