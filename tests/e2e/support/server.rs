//! `ess serve` in a process of its own: free ports, a data directory, an end by process id.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Api, DEADLINE, Node, wait_until};

/// How the service runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// `--driver`.
    pub(crate) driver: &'static str,
    /// `--shards`.
    pub(crate) shards: u8,
}

impl Setup {
    /// The one that most installations have, where a suite needs only one.
    pub(crate) const USUAL: Self = Self { driver: "io-uring", shards: 2 };
}

/// A running service. Dropped, it is killed; while a test panics, what it logged is printed.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    log: RefCell<Vec<String>>,
    public: SocketAddr,
    api: Api,
    /// Keeps the data directory, when it is the server's own, until the server is gone.
    _own_data: Option<TempDir>,
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Server {
    /// Starts over an empty data directory that goes with the server.
    pub(crate) fn start(setup: Setup, more: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let mut server = Self::start_in(setup, data.path(), more);
        server._own_data = Some(data);
        server
    }

    /// Starts over this data directory and waits until it is ready.
    pub(crate) fn start_in(setup: Setup, data: &Path, more: &[&str]) -> Self {
        Self::start_with(setup, data, more, &[])
    }

    /// As [`Self::start_in`], with variables in its environment.
    pub(crate) fn start_with(
        setup: Setup,
        data: &Path,
        more: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        Self::spawn(command(setup, data, 0).args(more).envs(env.iter().copied()))
    }

    /// Over an empty data directory, with its streams in this broker.
    pub(crate) fn start_on(broker: &Node, setup: Setup, more: &[&str]) -> Self {
        let stream_port = broker.stream_port();
        Self::start_at_broker(&broker.url(), stream_port, setup, more)
    }

    /// As [`Self::start_on`], by this URL and stream port.
    pub(crate) fn start_at_broker(
        url: &str,
        stream_port: u16,
        setup: Setup,
        more: &[&str],
    ) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let port = stream_port.to_string();
        let env = [("ESS_AMPQ_URL", url), ("ESS_STREAM_PORT", &port)];
        let mut server = Self::start_with(setup, data.path(), more, &env);
        server._own_data = Some(data);
        server
    }

    /// Over this data directory, on this public port, giving out locations at `ingress`.
    pub(crate) fn start_at(
        setup: Setup,
        data: &Path,
        port: u16,
        ingress: &str,
        env: &[(&str, &str)],
    ) -> Self {
        let mut command = command(setup, data, port);
        Self::spawn(command.env("ESS_INGRESS_LOCATION", ingress).envs(env.iter().copied()))
    }

    /// Two shards where io_uring is refused with this error.
    pub(crate) fn start_refused(errno: i32, driver: &'static str) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let mut server = Self::spawn(&mut refused(errno, driver, data.path()));
        server._own_data = Some(data);
        server
    }

    /// How a service ends, and what it logs, that must not start with io_uring refused.
    pub(crate) fn refused_to_start(errno: i32, driver: &'static str) -> (ExitStatus, Vec<String>) {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let output = refused(errno, driver, data.path()).output().expect("the binary runs");
        let log = String::from_utf8_lossy(&output.stderr);
        (output.status, log.lines().map(str::to_owned).collect())
    }

    /// All that it logged, once the process is gone by itself.
    pub(crate) fn log_to_end(mut self) -> Vec<String> {
        self.child.wait().expect("the child can be waited for");
        let mut log = self.log.take();
        log.extend(self.lines.iter());
        log
    }

    /// Waits until it is ready.
    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary under test runs");
        let stderr = child.stderr.take().expect("standard error is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let log = RefCell::new(Vec::new());
        let api = Api::new(nowhere);
        let mut server = Self { child, lines, log, public: nowhere, api, _own_data: None };
        let ready = server.logged("clients at ws://", 1);
        server.public = address(&ready, "clients at ws://");
        server.api = Api::new(address(&ready, "internal API at http://"));
        server
    }

    /// The public port.
    pub(crate) fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where clients of `/event-stream/<uuid>` connect, with this query.
    pub(crate) fn url(&self, uuid: &str, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("ws://{}/event-stream/{uuid}{mark}{query}", self.public)
    }

    /// Waits until `count` lines of the log contain `text`, and returns the last of them.
    pub(crate) fn logged(&self, text: &str, count: usize) -> String {
        let mut log = self.log.borrow_mut();
        loop {
            let found = log.iter().filter(|line| line.contains(text)).nth(count - 1);
            if let Some(line) = found {
                return line.clone();
            }
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => log.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("no {count} log lines with {text:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the service ended without {count} log lines with {text:?}: {log:#?}")
                }
            }
        }
    }

    /// Whether a line that contains `text` is in the log by now.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        let mut log = self.log.borrow_mut();
        log.extend(self.lines.try_iter());
        log.iter().any(|line| line.contains(text))
    }

    /// The machine's clock, in milliseconds since 1970.
    pub(crate) fn millis() -> u64 {
        let since = std::time::UNIX_EPOCH.elapsed().expect("the clock is set");
        u64::try_from(since.as_millis()).expect("fits for long")
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("the service can be signalled");
    }

    /// Waits until the process is gone by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the service to end", || {
            status = self.child.try_wait().expect("the child can be waited for");
            status.is_some()
        });
        status.expect("waited until there is a status")
    }

    /// kill -9, and waits until the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the service can be killed");
        self.child.wait().expect("the child can be waited for");
    }

    /// Resident memory in bytes (`/proc/<pid>/statm`).
    pub(crate) fn resident_bytes(&self) -> u64 {
        const PAGE: u64 = 4096;
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))
            .expect("the service runs");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        pages.expect("statm has a second number") * PAGE
    }

    /// The process, for signals from other threads.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log.borrow();
            let rest: Vec<String> = self.lines.try_iter().collect();
            eprintln!("--- the service's log ---");
            for line in log.iter().chain(&rest) {
                eprintln!("{line}");
            }
        }
    }
}

/// The binary with what every test wants: free ports, the console's log, nothing inherited.
fn command(setup: Setup, data: &Path, port: u16) -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        // Not as a flag, so that a test may say otherwise.
        .env("ESS_LOG_DIR", "-")
        .arg("serve")
        .args(["--public-addr", &format!("127.0.0.1:{port}"), "--internal-addr", "127.0.0.1:0"])
        .args(["--driver", setup.driver])
        .args(["--shards", &setup.shards.to_string()])
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// As [`command`], with io_uring refused.
fn refused(errno: i32, driver: &'static str, data: &Path) -> Command {
    let plain = command(Setup { driver, shards: 2 }, data, 0);
    let mut command = Command::new(super::toolchain::python());
    command
        .env_clear()
        .env("ESS_LOG_DIR", "-")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/without_io_uring.py"))
        .arg(errno.to_string())
        .arg(plain.get_program())
        .args(plain.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ess"))
}

/// A port that was free a moment ago, for a service whose port has to be known before it starts.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("an address").port()
}

fn address(ready: &str, before: &str) -> SocketAddr {
    let rest = ready.split_once(before).map(|(_, rest)| rest);
    let address = rest.and_then(|rest| rest.split('/').next());
    address
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("no address after {before:?} in {ready:?}"))
}
