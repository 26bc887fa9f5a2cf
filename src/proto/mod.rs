//! Sans-IO machines of the wire protocols: bytes in, bytes and facts out.
//!
//! The same input cut anywhere gives the same output, no input panics, and nothing is allocated by
//! a length that has not arrived and been checked. This layer knows no event.

pub mod amqp10;
pub mod http;
pub mod rabbit;
pub mod websocket;
