//! A network that swallows everything: the connection is not closed, it goes silent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Broker, Foreign, Library, Publisher, Server, ordinal_of, wait_until};

use super::{SETUPS, declared};

/// Passes bytes on until it is told to swallow them, and new connections with them.
struct Wire {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let silent = Arc::new(AtomicBool::new(false));
        let wire = Self {
            port: listener.local_addr().expect("an address").port(),
            silent: Arc::clone(&silent),
        };
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

    fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
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
    let wire = Wire::to(broker.stream_port());
    let url = format!("{}?heartbeat=2", broker.url());
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
    server.logged("the broker doesn't answer", 1);
    wire.silence(false);
    for ordinal in 1..6 {
        assert_eq!(ordinal_of(&consumer.text()), ordinal);
    }
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
}
