//! A network that swallows everything: the connection is not closed, it goes silent.
//!
//! Where nftables may be used, packets are dropped by the kernel; elsewhere, and that is said, a
//! relay swallows bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Broker, Foreign, Library, Publisher, Server, ordinal_of, wait_until};

use super::{SETUPS, declared};

/// A relay to a port, the way to which can be cut.
struct Wire {
    port: u16,
    silent: Arc<AtomicBool>,
    cut: Option<Cut>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let silent = Arc::new(AtomicBool::new(false));
        let own = listener.local_addr().expect("an address").port();
        let wire = Self { port: own, silent: Arc::clone(&silent), cut: Cut::new(own) };
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let Ok(there) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let from = from.try_clone().expect("a descriptor");
                    let to = to.try_clone().expect("a descriptor");
                    let silent = Arc::clone(&silent);
                    thread::spawn(move || pass(from, to, &silent));
                }
            }
        });
        wire
    }

    fn silence(&mut self, silent: bool) {
        match &mut self.cut {
            Some(cut) => cut.apply(silent),
            None => self.silent.store(silent, Ordering::Relaxed),
        }
    }

    /// What an attempt to connect runs into meanwhile.
    fn refusal(&self) -> &'static str {
        match self.cut {
            Some(_) => "no answer within 2 s",
            None => "the broker doesn't answer",
        }
    }
}

/// A table of nftables, which the kernel removes with the process that owns it.
struct Cut {
    nft: Child,
    port: u16,
}

impl Cut {
    /// `None` where that can't be had.
    fn new(port: u16) -> Option<Self> {
        if let Err(why) = Self::allowed(port) {
            eprintln!("NO PACKET IS DROPPED HERE, a relay swallows bytes instead: nft: {why}");
            return None;
        }
        let nft = nft(&["-i"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut cut = Self { nft: nft.expect("it ran a moment ago"), port };
        let table = cut.table();
        cut.order(&format!("add table {table} {{ flags owner; }}"));
        cut.order(&format!("add chain {table} in {{ type filter hook input priority 0; }}"));
        wait_until("nftables to have a table", || cut.listed().contains("hook input"));
        Some(cut)
    }

    /// Whether a table can be made.
    fn allowed(port: u16) -> Result<(), String> {
        let table = format!("table inet ess_probe_{port}");
        let orders = format!("add {table}; delete {table}");
        let output = nft(&[&orders]).output().map_err(|fault| fault.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    fn table(&self) -> String {
        format!("inet ess_test_{}", self.port)
    }

    fn order(&mut self, line: &str) {
        let input = self.nft.stdin.as_mut().expect("it is piped");
        // What became of it is looked at.
        let _ = writeln!(input, "{line}");
    }

    fn listed(&self) -> String {
        let listed = nft(&["list", "table"]).args(self.table().split(' ')).output();
        listed
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }

    /// Drops what comes to the port and from it, or lets it through again.
    fn apply(&mut self, silent: bool) {
        let (table, port) = (self.table(), self.port);
        if silent {
            for end in ["sport", "dport"] {
                self.order(&format!("add rule {table} in tcp {end} {port} counter drop"));
            }
        } else {
            let listed = self.listed();
            assert!(!listed.contains("packets 0 "), "both ways were cut:\n{listed}");
            self.order(&format!("flush chain {table} in"));
        }
        let rules = if silent { 2 } else { 0 };
        wait_until("the rules", || self.listed().matches(" drop").count() == rules);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        drop(self.nft.stdin.take());
        // It ends with its input, and the table with it.
        let _ = self.nft.wait();
    }
}

fn nft(arguments: &[&str]) -> Command {
    let mut command = Command::new("nft");
    // An ordinary user's PATH may be without it.
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// What was swallowed is lost for this connection, also when the silence ends.
fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut cut = false;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        cut |= silent.load(Ordering::Relaxed);
        if !cut && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    if !cut {
        let _ = to.shutdown(Shutdown::Both);
    }
}

#[test]
fn a_silent_connection_is_noticed_by_its_heartbeats_and_made_anew() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let mut wire = Wire::to(broker.stream_port());
    let url = format!("{}?heartbeat=2&connection_timeout=2000", broker.url());
    let server = Server::start_at_broker(&url, wire.port, SETUPS[0], &[]);
    let stream = declared(&server, &publisher, "silence");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    publisher.publish("silence", "before");
    assert_eq!(ordinal_of(&consumer.text()), 0);
    wire.silence(true);
    publisher.publish_all("", "silence", &["meanwhile"], 5).expect("the broker stores");
    server.logged("nothing was heard for 3 s", 1);
    // Attempts run into the silence too.
    server.logged(wire.refusal(), 1);
    wait_until("readyz to tell", || server.ask("/readyz").0 == 503);
    wire.silence(false);
    for ordinal in 1..6 {
        assert_eq!(ordinal_of(&consumer.text()), ordinal);
    }
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
}
