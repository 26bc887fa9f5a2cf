//! A child process that takes orders: a line in, a line of JSON out.
//!
//! `{"done": …}` or `{"failed": "…"}` answers each order. The child ends when its standard input
//! does, also when this process is killed; it bounds its own waits.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::wait_until;

/// The process. Dropped, it is told to end and waited for.
pub(super) struct Orders {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Orders {
    /// Starts the process; `whose` names it in failures.
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} can't be started: {error}"));
        let orders = child.stdin.take();
        let answers = child.stdout.take().map(BufReader::new).expect("standard output is piped");
        Self { child, orders, answers }
    }

    /// The answer to an order.
    pub(super) fn ask(&mut self, order: &str) -> Result<Value, String> {
        let orders = self.orders.as_mut().expect("taken only when it is dropped");
        writeln!(orders, "{order}").unwrap_or_else(|error| panic!("{order}: {error}"));
        self.answer()
    }

    /// The next line that was not asked for.
    ///
    /// # Panics
    /// When the process has ended without an answer: it is told to end by nobody else.
    pub(super) fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        let answer = read.ok().and_then(|_| serde_json::from_str::<Value>(&line).ok());
        match answer {
            Some(mut answer) if answer.get("done").is_some() => Ok(answer["done"].take()),
            Some(answer) => Err(answer["failed"].as_str().unwrap_or(&line).to_owned()),
            None => panic!("a process ended without an answer; its standard error is above"),
        }
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        drop(self.orders.take());
        // While it ends it may have much to put away; a second panic here would hide the first.
        if std::thread::panicking() {
            let _ = self.child.wait();
            return;
        }
        wait_until("a process that takes orders to end", || {
            self.child.try_wait().expect("the child can be waited for").is_some()
        });
    }
}
