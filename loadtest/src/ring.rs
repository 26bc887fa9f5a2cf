//! All sends of a batch as one submission to io_uring.

#![expect(
    unsafe_code,
    reason = "what is submitted must outlive its completion, which is ours to see to"
)]

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};

use crate::consumers::fault;

/// Sends that may be submitted at once; more take turns.
const ENTRIES: u32 = 4_096;

/// A ring that only sends.
pub(crate) struct Ring {
    ring: IoUring,
}

impl Ring {
    pub(crate) fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        // One thread submits and reaps: completions need no interrupt of their own.
        builder.setup_single_issuer().setup_coop_taskrun();
        Ok(Self { ring: builder.build(ENTRIES)? })
    }

    /// Sends all of `bytes` to every socket, which must block; returns when all are sent.
    pub(crate) fn send_to_all(&mut self, sockets: &[TcpStream], bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        for some in sockets.chunks(ENTRIES as usize) {
            for socket in some {
                let descriptor = types::Fd(socket.as_raw_fd());
                // The kernel goes on with what a full socket didn't take.
                let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
                let send = opcode::Send::new(descriptor, bytes.as_ptr(), length).flags(flags);
                // SAFETY: `bytes` and the sockets are borrowed until this returns, and that is
                // after `reap` has seen as many completions as were submitted.
                unsafe { self.ring.submission().push(&send.build()) }
                    .map_err(|_| fault("a ring has room for as many as were counted"))?;
            }
            self.reap(some.len(), bytes.len());
        }
        Ok(())
    }

    /// Waits for so many sends of so many bytes. A send that failed can't be believed any more, nor
    /// may its memory be given back before all are done: then everything ends here.
    fn reap(&mut self, sends: usize, bytes: usize) {
        let mut done = 0;
        while done < sends {
            if let Err(error) = self.ring.submit_and_wait(sends - done)
                && error.kind() != io::ErrorKind::Interrupted
            {
                eprintln!("ess-load: io_uring: {error}");
                std::process::abort();
            }
            for entry in self.ring.completion() {
                if usize::try_from(entry.result()) != Ok(bytes) {
                    // A consumer that is gone: the measurement is over.
                    let gone = io::Error::from_raw_os_error(-entry.result());
                    eprintln!("ess-load: a send by io_uring: {gone} ({})", entry.result());
                }
                done += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn everybody_gets_every_byte_also_more_than_a_socket_holds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| (TcpStream::connect(address).unwrap(), listener.accept().unwrap().0))
            .unzip();
        let bytes: Vec<u8> = (0..=255).cycle().take(16 << 20).collect();
        let readers: Vec<_> = near
            .into_iter()
            .map(|mut socket| {
                thread::spawn(move || {
                    let mut got = vec![0; 16 << 20];
                    socket.read_exact(&mut got).unwrap();
                    got
                })
            })
            .collect();
        Ring::new().unwrap().send_to_all(&far, &bytes).unwrap();
        for reader in readers {
            assert!(reader.join().unwrap() == bytes);
        }
    }
}
