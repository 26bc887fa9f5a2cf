//! The head of an HTTP request.
//!
//! What follows a head changes nothing about it; no part of it is a whole head.

#![no_main]

use ess::proto::http::{Head, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((head, used))) = parse(bytes) else { return };
    look(&head);
    let alone = parse(&bytes[..used]);
    assert!(matches!(alone, Ok(Some((_, again))) if again == used));
    assert!(!matches!(parse(&bytes[..used - 1]), Ok(Some(_))));
});

/// Everything that is asked of a head.
fn look(head: &Head) {
    let _ = (head.method_name(), head.path(), head.query(), head.host(), head.expects_continue());
    let _ = (head.header("upgrade"), head.has_token("connection", "upgrade"));
    for value in head.headers("connection") {
        let _ = value.len();
    }
    for pair in ess::proto::http::pairs(head.query().unwrap_or_default()) {
        let _ = pair;
    }
    let _ = ess::proto::websocket::check(head);
}
