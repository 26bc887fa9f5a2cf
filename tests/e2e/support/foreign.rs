//! WebSocket libraries not written here, each in a process of its own.
//!
//! The programs and their line protocol are in `tests/e2e/clients/README.md`. One process holds any
//! number of connections; each [`Connection`] sees what happened to it, in order.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::{Value, json};

use super::{DEADLINE, toolchain};

/// Which library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Library {
    /// Python `websockets`.
    Websockets,
    /// Python `websocket-client`.
    WebsocketClient,
    /// Node `ws`.
    Ws,
}

impl Library {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Websockets, Self::WebsocketClient, Self::Ws];

    fn command(self) -> Command {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients");
        let (mut command, program) = match self {
            Self::Websockets => (Command::new(toolchain::python()), "websockets_client.py"),
            Self::WebsocketClient => (Command::new(toolchain::python()), "websocket_client.py"),
            Self::Ws => (Command::new("node"), "ws_client.cjs"),
        };
        if self == Self::Ws {
            command.env("NODE_PATH", toolchain::node_path());
        }
        command.arg(programs.join(program));
        command
    }
}

/// One process with connections.
pub(crate) struct Foreign {
    library: Library,
    child: Child,
    orders: RefCell<ChildStdin>,
    lines: Receiver<String>,
    /// What happened to connections that nobody asked about yet.
    waiting: RefCell<HashMap<u64, VecDeque<Value>>>,
    connections: Cell<u64>,
}

/// One connection of a [`Foreign`] process.
pub(crate) struct Connection<'a> {
    foreign: &'a Foreign,
    id: u64,
}

impl Foreign {
    /// Starts the library's process.
    pub(crate) fn start(library: Library) -> Self {
        let mut child = library
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the tests need {library:?}'s runtime: {error}"));
        let orders = RefCell::new(child.stdin.take().expect("standard input is piped"));
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (waiting, connections) = (RefCell::default(), Cell::new(0));
        Self { library, child, orders, lines, waiting, connections }
    }

    /// One process of each library.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        Library::ALL.into_iter().map(Self::start)
    }

    /// Begins to connect.
    pub(crate) fn connect(&self, url: &str) -> Connection<'_> {
        self.connect_with(url, &[])
    }

    /// Begins to connect with header fields.
    pub(crate) fn connect_with(&self, url: &str, headers: &[(&str, &str)]) -> Connection<'_> {
        let id = self.connections.get() + 1;
        self.connections.set(id);
        self.order(&json!({ "do": "connect", "id": id, "url": url, "headers": headers }));
        Connection { foreign: self, id }
    }

    /// Connects and waits for the 101.
    pub(crate) fn open(&self, url: &str) -> Connection<'_> {
        self.connect(url).opened()
    }

    fn order(&self, order: &Value) {
        let written = writeln!(self.orders.borrow_mut(), "{order}");
        written.unwrap_or_else(|error| panic!("{:?} is gone: {error}", self.library));
    }

    fn next(&self, id: u64) -> Value {
        loop {
            if let Some(happening) =
                self.waiting.borrow_mut().get_mut(&id).and_then(VecDeque::pop_front)
            {
                return happening;
            }
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|error| {
                panic!("{:?}: nothing happened to connection {id}: {error}", self.library)
            });
            let happening: Value = serde_json::from_str(&line).expect("a line of the protocol");
            let whose = happening["id"].as_u64().expect("a happening has an id");
            self.waiting.borrow_mut().entry(whose).or_default().push_back(happening);
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Connection<'_> {
    /// Waits for the 101.
    pub(crate) fn opened(self) -> Self {
        self.expect("open");
        self
    }

    /// The next message, a text.
    pub(crate) fn text(&self) -> String {
        let happening = self.expect("text");
        happening["data"].as_str().expect("a text has data").to_owned()
    }

    /// The next so many messages, all texts.
    pub(crate) fn texts(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.text()).collect()
    }

    /// The close frame; any message before it fails the test.
    pub(crate) fn closed(&self) -> (u64, String) {
        let happening = self.expect("closed");
        let reason = happening["reason"].as_str().expect("a close has a reason");
        (happening["code"].as_u64().expect("a close has a code"), reason.to_owned())
    }

    /// The status of a refused upgrade.
    pub(crate) fn refused(&self) -> u64 {
        self.expect("refused")["status"].as_u64().expect("a refusal has a status")
    }

    /// The pong's payload.
    pub(crate) fn pong(&self) -> String {
        self.expect("pong")["data"].as_str().expect("a pong has data").to_owned()
    }

    /// Sends a text.
    pub(crate) fn send_text(&self, text: &str) {
        self.foreign.order(&json!({ "do": "send", "id": self.id, "text": text }));
    }

    /// Sends a text in fragments.
    pub(crate) fn send_fragments(&self, parts: &[&str]) {
        self.foreign.order(&json!({ "do": "send", "id": self.id, "fragments": parts }));
    }

    /// Sends a binary message.
    pub(crate) fn send_binary(&self, bytes: &str) {
        self.foreign.order(&json!({ "do": "send", "id": self.id, "binary": bytes }));
    }

    /// Sends a ping.
    pub(crate) fn ping(&self, data: &str) {
        self.foreign.order(&json!({ "do": "ping", "id": self.id, "data": data }));
    }

    /// Begins the closing handshake.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        let order = json!({ "do": "close", "id": self.id, "code": code, "reason": reason });
        self.foreign.order(&order);
    }

    /// Whatever happens next.
    pub(crate) fn next(&self) -> Value {
        self.foreign.next(self.id)
    }

    fn expect(&self, what: &str) -> Value {
        let happening = self.next();
        let library = self.foreign.library;
        assert_eq!(happening["on"], what, "{library:?}, instead of {what}: {happening}");
        happening
    }
}
