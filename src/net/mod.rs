//! Sockets on monoio: listening, reading, writing, moving to another shard.
//!
//! Every byte to or from a client goes by readiness: wait until the kernel says "readable" or
//! "writable", then make one non-blocking system call. The kernel never holds a buffer of ours, so
//! a stalled client pins no memory, any wait may be dropped, and the driver (io_uring or epoll)
//! changes nothing. `docs/ARCHITECTURE.md` tells what this costs against submitted sends: nothing
//! measurable.

mod advice;
pub mod backoff;
mod channel;
mod listener;
mod poller;
mod socket;
mod sockets;
mod tls;
mod turn;

pub use advice::tls_advice;
pub use channel::{Channel, Destination, connect};
pub use listener::{Listener, bind_shards};
pub use poller::{Poller, Ready};
pub use socket::{Parked, Socket, send_now};
pub use sockets::{One, Sockets};
pub use tls::{Credentials, Tls, TlsSocket};
pub use turn::Turnstile;
