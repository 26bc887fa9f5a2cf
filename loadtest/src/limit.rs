//! The bare writer: what the kernel can do, with no protocol, no log and no other work.
//!
//! After a canned handshake it sends each batch to every socket with one non-blocking send(2). A
//! socket that is full is waited for.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::arguments::Load;
use crate::consumers::fault;
use crate::event::Batch;
use crate::in_process::InProcess;

/// Any time of this century: only its length matters.
pub(crate) const TIMESTAMP: u64 = 1_746_042_171_620;

/// Starts the writer; it ends when what this returns is dropped.
pub(crate) fn start(load: &Load) -> io::Result<InProcess> {
    let (orders, ordered) = mpsc::channel();
    let order = move |batches| orders.send(batches).is_ok();
    InProcess::start(load, order, move |load, listener| serve(load, &listener, &ordered))
}

fn serve(load: &Load, listener: &TcpListener, ordered: &Receiver<u64>) -> io::Result<()> {
    let sockets: Vec<TcpStream> =
        (0..load.consumers).map(|_| accept(listener)).collect::<io::Result<_>>()?;
    let mut batch = Batch::new(load.bytes as usize, load.per_write, TIMESTAMP);
    let mut first = 1;
    while let Ok(batches) = ordered.recv() {
        for _ in 0..batches {
            let bytes = batch.number(first);
            for socket in &sockets {
                send_all(socket, bytes)?;
            }
            first += load.per_write;
        }
    }
    Ok(())
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (mut socket, _) = listener.accept()?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let got = socket.read(&mut buffer)?;
        if got == 0 {
            return Err(fault("a consumer hung up"));
        }
        request.extend_from_slice(buffer.get(..got).unwrap_or_default());
    }
    socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
