//! The command line as its users meet it: the real binary against a service that does as a test
//! says, over real sockets on free ports.

#![expect(clippy::expect_used, reason = "a test may stop on what it did not expect")]

mod configuration;
mod fake;
mod listen;
mod publish;
mod streams;

use std::ffi::OsStr;
use std::io::{BufReader, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than anything here takes, and short enough to find out what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// `ess` with an empty environment.
fn ess<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ess"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a command came to.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Ended {
    ended(command.spawn().expect("the binary is built"))
}

/// Runs a command with `input`.
fn run_with(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary is built");
    let mut stdin = child.stdin.take().expect("is piped");
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // A command that refuses its input may end before it has read it all.
        let _ = stdin.write_all(&input);
    });
    let ended = ended(child);
    writer.join().expect("writing doesn't panic");
    ended
}

/// Waits for the end of a command, but not for ever.
fn ended(child: Child) -> Ended {
    let (sender, receiver) = mpsc::channel();
    let pid = rustix::process::Pid::from_child(&child);
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("ess did not end");
    };
    let Output { status, stdout, stderr } = output.expect("its output is readable");
    let text = |bytes| String::from_utf8(bytes).expect("ess speaks UTF-8");
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// The standard output of a running command, to read line by line.
fn output(child: &mut Child) -> BufReader<ChildStdout> {
    BufReader::new(child.stdout.take().expect("is piped"))
}
