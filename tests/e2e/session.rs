//! The documents' sessions are run as they stand there, and print what they show.
//!
//! A fenced block right below the comment `<!-- test:session -->` is run, in its document's order,
//! all of a document in one bash (those below `<!-- test:session rabbitmq -->` in another, with a
//! service whose events lie in a broker, and those of `rabbitmq-tls` in a third one, where that is
//! reached by TLS), in a folder where `target/release/ess`, also on `PATH`, is
//! the binary under test and a service is running over an empty data directory, `/var/lib/ess`:
//!
//! - in a `console` block a line beginning with `$ ` is a command (continued on lines beginning with
//!   `> `), the lines below it are what it prints, both outputs together, line by line. A uuid and a
//!   timestamp in milliseconds stand for any other;
//! - in an `sh` block each line is a command, which has to succeed (for curl that includes the
//!   status); what it prints is free.
//!
//! Any other block of commands has `<!-- not run: <why> -->` above it.
//!
//! A command that fails ends the test, unless the last line shown for it is `(exit <status>)`.
//! `localhost:8080` and `localhost:8081` stand for the ports that the test got, `/var/lib/ess` and
//! `/backups` for folders in the test's own, `/etc/ess` for one with certificates; a file `events.ndjson` of two events is there. A block
//! may be indented, as in a list.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::support::{Broker, DEADLINE, Server, Setup, binary, free_port};

/// Runs the sessions of a document.
fn document(path: &str) {
    let text = fs::read_to_string(path).expect("the document is readable");
    let steps = steps(&text, PLAIN);
    assert!(steps.len() > 1, "{path} has a session to run: {steps:#?}");
    run(&steps, &[]);
}

const PLAIN: &str = "<!-- test:session -->";
const RABBITMQ: &str = "<!-- test:session rabbitmq -->";
const RABBITMQ_TLS: &str = "<!-- test:session rabbitmq-tls -->";

#[test]
fn the_readme_shows_what_happens() {
    document("README.md");
}

#[test]
fn the_operations_guide_shows_what_happens() {
    document("docs/operate/README.md");
}

#[test]
fn the_configuration_shows_what_happens() {
    document("docs/configuration.md");
}

#[test]
fn the_protocol_reference_shows_what_happens() {
    document("docs/protocol.md");
}

#[test]
fn no_session_of_any_document_is_left_out() {
    let run = ["README.md", "operate/README.md", "configuration.md", "protocol.md", "rabbitmq.md"];
    for folder in ["docs", "docs/operate"] {
        for entry in fs::read_dir(folder).expect("a folder of documents") {
            let path = entry.expect("an entry").path();
            let is_text = path.extension().is_some_and(|extension| extension == "md");
            if is_text && fs::read_to_string(&path).expect("readable").contains("<!-- test:") {
                assert!(run.iter().any(|known| path.ends_with(known)), "{}", path.display());
            }
        }
    }
}

#[test]
fn what_no_session_runs_says_why() {
    let folders = [".", "docs", "docs/operate", "deploy/seccomp"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&path).expect("readable");
        let mut before = "";
        for line in text.lines().map(str::trim_start) {
            let block = line.starts_with("```sh") || line.starts_with("```console");
            let said = before.starts_with("<!-- test:") || before.starts_with("<!-- not run: ");
            assert!(!block || said, "{}: {line} below {before:?}", path.display());
            before = line;
        }
    }
}

#[test]
fn the_guide_to_rabbitmq_shows_what_happens() {
    let text = fs::read_to_string("docs/rabbitmq.md").expect("the guide is readable");
    let steps = steps(&text, RABBITMQ);
    assert!(steps.len() > 3, "the guide has a session to run: {steps:#?}");
    let broker = Broker::start();
    let port = broker.stream_port().to_string();
    run(&steps, &[("ESS_AMPQ_URL", &broker.url()), ("ESS_STREAM_PORT", &port)]);
}

#[test]
fn the_guide_to_tls_shows_what_happens() {
    let text = fs::read_to_string("docs/rabbitmq.md").expect("the guide is readable");
    let steps = steps(&text, RABBITMQ_TLS);
    assert!(steps.len() > 3, "the guide has a session to run: {steps:#?}");
    let (broker, certificates) = Broker::shared_tls();
    let (url, port) = (broker.tls_url(), broker.stream_tls_port().to_string());
    let folder = certificates.folder().display().to_string();
    let steps = steps.into_iter().map(|step| {
        let command = step.command.replace("/etc/ess", &folder);
        Step { command: command.replace("broker.example:5671", "localhost:5671"), ..step }
    });
    let file = |name: &str| certificates.file(name).display().to_string();
    let env = [
        ("ESS_AMPQ_URL", &*url),
        ("ESS_STREAM_PORT", &port),
        ("ESS_BROKER_CA", &file("ca.pem")),
        ("ESS_BROKER_CERT", &file("client.pem")),
        ("ESS_BROKER_KEY", &file("client-key.pem")),
    ];
    run(&steps.collect::<Vec<_>>(), &env);
}

#[test]
fn a_session_that_shows_something_else_is_found() {
    let session = |shown: &str| {
        let text = format!(
            "<!-- test:session -->\n```console\n$ export PATH=$PWD/target/release:$PATH\n\
             $ ess streams create weather > /dev/null\n$ ess publish \\\n> weather 'it rains'\n\
             {shown}\n$ test -e /nowhere\n(exit 1)\n```\n"
        );
        let steps = steps(&text, "<!-- test:session -->");
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[2].command, "ess publish \\\nweather 'it rains'");
        std::panic::catch_unwind(move || run(&steps, &[]))
    };
    assert!(session("1").is_ok());
    assert!(session("2").is_err(), "a wrong line was not seen");
    assert!(session("1\n1").is_err(), "a missing line was not seen");
}

/// A command, and what it shows; `None` where that is free.
#[derive(Debug)]
struct Step {
    command: String,
    shown: Option<Vec<String>>,
    status: i32,
}

/// The commands of the marked blocks, in order.
fn steps(text: &str, mark: &str) -> Vec<Step> {
    // A block in a list is indented; what is in ours is not.
    let text: String = text
        .lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let mark = format!("{mark}\n```");
    let mut steps: Vec<Step> = Vec::new();
    for marked in text.split(&mark).skip(1) {
        let (kind, rest) = marked.split_once('\n').expect("a block has a first line");
        let (block, _) = rest.split_once("\n```").expect("a block ends");
        let free = |line: &str| Step { command: line.to_owned(), shown: None, status: 0 };
        match kind {
            "sh" => steps.extend(block.lines().filter(|line| !line.starts_with('#')).map(free)),
            "console" => {
                for line in block.lines() {
                    console_line(&mut steps, line);
                }
            }
            other => panic!("a session is `console` or `sh`, not {other:?}"),
        }
    }
    steps
}

fn console_line(steps: &mut Vec<Step>, line: &str) {
    if let Some(command) = line.strip_prefix("$ ") {
        let command = command.to_owned();
        steps.push(Step { command, shown: Some(Vec::new()), status: 0 });
        return;
    }
    let step = steps.last_mut().expect("a session begins with `$ `");
    let shown = step.shown.as_mut().expect("a command of the same block");
    let status = line.strip_prefix("(exit ").and_then(|rest| rest.strip_suffix(')'));
    if let Some(more) = line.strip_prefix("> ").filter(|_| shown.is_empty()) {
        step.command = format!("{}\n{more}", step.command);
    } else if let Some(status) = status {
        step.status = status.parse().expect("a status is a number");
    } else {
        shown.push(line.to_owned());
    }
}

fn run(steps: &[Step], env: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let release = folder.path().join("target/release");
    fs::create_dir_all(&release).expect("writable");
    symlink(binary(), release.join("ess")).expect("writable");
    fs::create_dir(folder.path().join("backups")).expect("writable");
    fs::write(folder.path().join("events.ndjson"), "{\"n\":1}\n{\"n\":2}\n").expect("writable");
    // curl's exit status tells of refusals too.
    fs::write(folder.path().join(".curlrc"), "fail\n").expect("writable");

    let server = Service::start(folder.path(), env);
    let mut shell = Shell::start(folder.path(), &server);
    for step in steps {
        let (printed, status) = shell.run(&server.real(&step.command));
        let printed: Vec<String> =
            printed.iter().map(|line| anonymous(&server.shown(line))).collect();
        let command = &step.command;
        assert_eq!(status, step.status, "$ {command}\n{}", printed.join("\n"));
        if let Some(shown) = &step.shown {
            let shown: Vec<String> = shown.iter().map(|line| anonymous(line)).collect();
            assert_eq!(printed, shown, "$ {command}");
        }
    }
}

/// The service of a session, whose locations have its real port.
struct Service {
    server: Server,
    ingress: String,
    folder: PathBuf,
}

impl Service {
    fn start(folder: &Path, env: &[(&str, &str)]) -> Self {
        let port = free_port();
        let ingress = format!("localhost:{port}");
        let data = folder.join("data");
        let server = Server::start_at(Setup::USUAL, &data, port, &ingress, env);
        Self { server, ingress, folder: folder.to_owned() }
    }

    fn internal(&self) -> String {
        format!("localhost:{}", self.server.internal().port())
    }

    fn real(&self, command: &str) -> String {
        let command = command.replace("localhost:8080", &self.ingress);
        let command = command.replace("localhost:8081", &self.internal());
        let command = command.replace("/var/lib/ess", &self.inside("data"));
        command.replace("/backups", &self.inside("backups"))
    }

    fn shown(&self, line: &str) -> String {
        let line = line.replace(&self.ingress, "localhost:8080");
        let line = line.replace(&self.internal(), "localhost:8081");
        let line = line.replace(&self.inside("data"), "/var/lib/ess");
        line.replace(&self.inside("backups"), "/backups")
    }

    fn inside(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// One bash for a whole session.
struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// What bash prints after a command, before its status.
const END: &str = "<end of the command> ";

impl Shell {
    fn start(folder: &Path, service: &Service) -> Self {
        let searched = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{searched}", folder.join("target/release").display());
        let mut child = Command::new("bash")
            .args(["--noprofile", "--norc", "-O", "expand_aliases"])
            .current_dir(folder)
            .env("HOME", folder)
            .env("PATH", path)
            .env("ESS_API", format!("http://{}", service.internal()))
            .env("ESS_WS", format!("ws://{}", service.ingress))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the end-to-end tests need `bash` on PATH");
        let mut input = child.stdin.take().expect("standard input is piped");
        writeln!(input, "exec 2>&1").expect("bash reads");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines }
    }

    /// What the command printed, and its exit status.
    fn run(&mut self, command: &str) -> (Vec<String>, i32) {
        // Its standard input is nothing, so that it can't swallow what is meant for bash.
        writeln!(self.input, "{{ {command}\n}} < /dev/null\necho \"{END}$?\"").expect("bash reads");
        let mut printed = Vec::new();
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|error| {
                panic!("{command:?} doesn't end ({error}); so far: {printed:#?}")
            });
            if let Some(at) = line.find(END) {
                let (rest, status) = (&line[..at], &line[at + END.len()..]);
                if !rest.is_empty() {
                    printed.push(rest.to_owned());
                }
                return (printed, status.parse().expect("a status is a number"));
            }
            printed.push(line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line with each uuid and timestamp replaced by what it is.
fn anonymous(line: &str) -> String {
    const UUID_CHARS: usize = 36;
    const TIMESTAMP_DIGITS: usize = 13;
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| part(c) != part(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let is_timestamp =
            word.len() == TIMESTAMP_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_uuid = word.len() == UUID_CHARS && uuid::Uuid::try_parse(word).is_ok();
        out.push_str(match (is_timestamp, is_uuid) {
            (true, _) => "<timestamp>",
            (_, true) => "<uuid>",
            _ => word,
        });
        rest = after;
    }
    out
}
