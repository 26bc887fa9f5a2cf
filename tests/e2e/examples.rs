//! The client examples of `docs/examples`: each keeps its place, tells a gap, and knows when it is
//! over.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Server, Setup, binary, node_path, python};

/// How an example is started, without its arguments.
fn example(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    let mut command = match name.rsplit_once('.') {
        Some((_, "py")) => Command::new(python()),
        Some((_, "mjs")) => Command::new("node"),
        Some((_, "sh")) => Command::new("bash"),
        _ => {
            let mut command = Command::new(env!("CARGO"));
            command.current_dir(env!("CARGO_MANIFEST_DIR"));
            command.args(["run", "--quiet", "--example", "listen", "--"]);
            return command;
        }
    };
    let ess = binary();
    let folder = ess.parent().expect("a binary is in a folder").display().to_string();
    let searched = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{folder}:{searched}")).env("NODE_PATH", node_path()).arg(path);
    command
}

/// Runs an example to its end.
fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = example(name);
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap_or_else(|fault| panic!("{name} can't be run: {fault}"))
}

/// `shown` is what it prints of the four events that are delivered; `gap` how it tells a gap.
#[track_caller]
fn keeps_its_place(name: &str, shown: [&str; 4], gap: &str) {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("weather");
    let url = server.url(&stream.uuid, "");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let position = folder.path().join("position");
    let path = position.to_str().expect("UTF-8");
    let listened = |count: usize| {
        let output = run(name, &[&url, path, &count.to_string()]);
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        let lines: Vec<String> = stdout.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), count, "{name}: {stdout}{stderr}");
        (lines, stderr)
    };

    server.publish_lines(stream.id, "it rains\n{\"wind\": 4}");
    let (first, _) = listened(2);
    assert_eq!(std::fs::read_to_string(&position).expect("it was made"), "2");
    // The third is no JSON: it has an ordinal and is delivered to nobody.
    server.publish(stream.id, "{\"wind\": ");
    server.publish_lines(stream.id, "a|b\nsun");
    let (more, told) = listened(2);
    assert_eq!(std::fs::read_to_string(&position).expect("it is there"), "5");
    for (line, wanted) in first.iter().chain(&more).zip(shown) {
        assert!(line.contains(wanted), "{name}: {line:?} has no {wanted:?}");
    }
    assert!(told.contains(gap), "{name}: {told}");

    server.delete(stream.id);
    let ended = run(name, &[&url, path]);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.stdout.is_empty() && told.contains("nknown"), "{name}: {told}");
}

const PLAIN: [&str; 4] = ["1 it rains", "\"wind\"", "4 a|b", "5 sun"];
const GAP: &str = "gap: events 3 to 3 are missing";

#[test]
fn the_python_example_keeps_its_place() {
    keeps_its_place("listen.py", PLAIN, GAP);
}

#[test]
fn the_javascript_example_keeps_its_place() {
    keeps_its_place("listen.mjs", PLAIN, GAP);
}

#[test]
fn the_browser_example_keeps_its_place() {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("weather");
    server.publish_lines(stream.id, "it rains\n{\"wind\": 4}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.env("NODE_PATH", node_path());
    command.arg(root.join("tests/e2e/clients/browser_example.cjs"));
    command.arg(root.join("docs/examples"));
    command.args([&server.url(&stream.uuid, ""), &server.at(""), &stream.id.to_string()]);
    let output = command.output().expect("node runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 6, "{shown}{told}");
    assert!(lines[0] == PLAIN[0] && lines[1].contains(PLAIN[1]), "{shown}");
    assert_eq!(lines[2..5], [GAP, PLAIN[2], PLAIN[3]]);
    assert_eq!(lines[5], "Ended: 1000 The stream has been deleted");
}

#[test]
fn the_rust_example_keeps_its_place() {
    keeps_its_place("listen.rs", PLAIN, GAP);
}

#[test]
fn the_shell_example_keeps_its_place() {
    let shown = ["\"text\":\"it rains\"", "\"wind\"", "\"text\":\"a|b\"", "\"text\":\"sun\""];
    keeps_its_place("listen.sh", shown, "gap: ordinal");
}

#[test]
fn the_shell_example_publishes() {
    let server = Server::start(Setup::USUAL, &[]);
    let mut command = example("publish.sh");
    command.env("ESS_API", server.at("")).args(["weather", "it rains", "sun"]);
    let output = command.stdin(Stdio::null()).output().expect("bash runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(output.status.success() && lines.len() == 3, "{stdout}");
    assert!(lines[0].starts_with("{\"id\":1,\"location\":\"ws://"), "{stdout}");
    assert!(lines[2].starts_with("{\"first_ordinal\":2,\"last_ordinal\":2,"), "{stdout}");
}
