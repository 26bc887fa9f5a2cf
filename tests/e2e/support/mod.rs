//! What the end-to-end suites stand on: the real binary in a process of its own, and clients.
//!
//! - [`Server`]: `ess serve` on free ports over a data directory, ended by its process id;
//! - [`Api`]: the internal API for preparing things (what is under test there goes through curl);
//! - [`Foreign`]: a WebSocket library that was not written here, in a process of its own;
//! - [`Curl`]: HTTP by somebody else;
//! - [`Broker`]: a real RabbitMQ node of its own, with [`Publisher`] and [`StreamPublisher`];
//! - [`Wire`]: a bare socket, for what no decent client does;
//! - [`Scrape`]: `/metrics`, read with the parser of Python's prometheus-client;
//! - [`Listener`]: tungstenite in this process, for hundreds of thousands of events.
//!
//! Nothing here sleeps to wait for something: every wait is for a line, an answer or a state, with
//! [`DEADLINE`] as the bound after which the test fails saying what it waited for. Nothing here
//! judges by the clock.

mod api;
mod broker;
mod curl;
mod dice;
mod foreign;
mod listener;
mod scrape;
mod server;
mod stop;
mod toolchain;
mod wire;

use std::time::Duration;

pub(crate) use api::{Api, EventStream, Published};
pub(crate) use broker::{Broker, Certificates, Cluster, Node, Packing, Publisher, StreamPublisher};
pub(crate) use curl::{Answer, Curl};
pub(crate) use dice::Dice;
pub(crate) use foreign::{Foreign, Library};
pub(crate) use listener::{Listener, Seen};
pub(crate) use scrape::Scrape;
pub(crate) use server::{Server, Setup, binary, free_port};
pub(crate) use stop::Stop;
pub(crate) use toolchain::{contract_python, node_path, python};
pub(crate) use wire::{Frame, Wire, handshake};

/// The longest wait for anything; far above what a loaded machine of two cores needs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Looks at something until it is so.
///
/// # Panics
/// After [`DEADLINE`], naming `what`.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while !so() {
        assert!(waited < DEADLINE, "waited in vain for: {what}");
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// The ordinal that an event carries.
///
/// # Panics
/// When it carries none.
pub(crate) fn ordinal_of(text: &str) -> u64 {
    let number = match text.strip_prefix("{\"ess_ordinal\":") {
        Some(rest) => rest.split(',').next(),
        None => text.rsplit_once("|ordinal: ").and_then(|(_, rest)| rest.split('|').next()),
    };
    number.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no ordinal in {text}"))
}

/// Makes one test of the suite's function for each driver and number of shards.
macro_rules! everywhere {
    ($($suite:ident),+ $(,)?) => {$(
        mod $suite {
            use crate::support::Setup;

            #[test]
            fn io_uring_1_shard() {
                super::$suite(Setup { driver: "io-uring", shards: 1 });
            }

            #[test]
            fn io_uring_2_shards() {
                super::$suite(Setup { driver: "io-uring", shards: 2 });
            }

            #[test]
            fn epoll_1_shard() {
                super::$suite(Setup { driver: "epoll", shards: 1 });
            }

            #[test]
            fn epoll_2_shards() {
                super::$suite(Setup { driver: "epoll", shards: 2 });
            }
        }
    )+};
}

pub(crate) use everywhere;
