//! Who speaks to us, and how: one folder a protocol.
//!
//! A door turns bytes into calls and outcomes into bytes. It knows no backend and no socket: the
//! shell feeds it and carries its calls out.

pub mod events;
pub mod management;
