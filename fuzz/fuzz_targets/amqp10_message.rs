//! An AMQP 1.0 message.
//!
//! A body is no longer than its message; written again with its message-id, both are read again.

#![no_main]

use ess::proto::amqp10::{body, message_id, message_len, put_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let id = message_id(message);
    if let Ok(bytes) = body(message) {
        assert!(bytes.len() <= message.len());
        let mut again = Vec::new();
        put_message(id, &bytes, &mut again);
        assert_eq!(again.len(), message_len(id, &bytes));
        assert_eq!(body(&again).as_deref(), Ok(&*bytes));
        assert_eq!(message_id(&again), id);
    }
});
