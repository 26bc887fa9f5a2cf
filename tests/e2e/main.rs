//! End-to-end: the real binary on free ports, driven by clients not written here.
//!
//! Every row of the wire contract, both drivers, one and two shards; then restarts, a flood, kill -9
//! and a full disk; the broker of RabbitMQ suites. Needs `python3` (with venv), `node`, `npm`, `curl`,
//! `chromium` and `rabbitmq-server`; what pip and npm install goes to `target/e2e` once. One test binary, so that linking is paid for once; run a part with
//! `cargo test --test e2e starts::`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it didn't expect, and says so"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test may block, and waits for conditions by looking again"
)]

mod support;

mod backup;
mod bench;
mod broker;
mod cli;
mod content;
mod declared;
mod disk_full;
mod drivers;
mod ends;
mod event_streams;
mod examples;
mod exchange;
mod faults;
mod flood;
mod frames;
mod ledger;
mod metrics;
mod page;
mod publish;
mod rabbit;
mod refusals;
mod requests;
mod restart;
mod retention;
mod session;
mod signals;
mod spread;
mod stalls;
mod starts;
mod stats;
mod talkers;
