//! How often the service has to be told to stop.

use crate::support::{Server, Setup, Wire, wait_until};

#[test]
fn two_signals_at_once_are_one_wish() {
    let server = Server::start(Setup::USUAL, &["--drain", "100ms"]);
    for _ in 0..3 {
        server.terminate();
    }
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_later_signal_stops_at_once() {
    let server = Server::start(Setup::USUAL, &["--drain", "10m"]);
    let stream = server.create("abc");
    // It never answers its close frame, so the drain would take its ten minutes.
    let wire = Wire::upgrade(server.public(), &format!("/event-stream/{}", stream.uuid));
    wait_until("the signals to be more than one wish", || {
        server.terminate();
        server.has_logged("stopping at once")
    });
    assert_eq!(server.ended().code(), Some(1));
    drop(wire);
}
