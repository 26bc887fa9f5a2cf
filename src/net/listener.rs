//! Listening sockets, one for each shard on the same address.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};

use monoio::net::TcpListener;
use rustix::net::{Shutdown, shutdown};
use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};

use super::{Socket, Sockets};
use crate::limits::LISTEN_BACKLOG;

/// A listening socket on its shard.
#[derive(Debug)]
pub struct Listener {
    /// Waits for connections.
    watch: TcpListener,
    /// Takes them: the same socket, without a driver.
    take: StdTcpListener,
}

impl Listener {
    /// Puts a bound socket on this thread's driver.
    ///
    /// # Errors
    ///
    /// When the driver refuses it.
    pub fn new(bound: StdTcpListener) -> io::Result<Self> {
        let take = bound.try_clone()?;
        take.set_nonblocking(true)?;
        Ok(Self { watch: TcpListener::from_std(bound)?, take })
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left, the connection died in the queue, or the listener
    /// is closed.
    pub async fn accept(&self, sockets: &Sockets) -> io::Result<Socket> {
        loop {
            match self.take.accept() {
                Ok((stream, peer)) => return Socket::accepted(stream, peer, sockets.one()),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {
                    self.watch.readable(false).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Takes no more connections: a waiting [`Listener::accept`] fails.
    pub fn close(&self) {
        // Nothing is lost when it is closed already.
        let _ = shutdown(&self.take, Shutdown::Both);
    }
}

/// Binds `address` once for each of `shards`, so that the kernel spreads connections over them.
/// Port 0 takes a free port, the same for all.
///
/// # Errors
///
/// When the address is taken or not ours.
pub fn bind_shards(address: SocketAddr, shards: usize) -> io::Result<Vec<StdTcpListener>> {
    let mut bound = Vec::with_capacity(shards);
    let mut address = address;
    if address.port() != 0 {
        // SO_REUSEPORT alone would let us share the port with another service of the same user.
        drop(bind(address, false)?);
    }
    for _ in 0..shards {
        let listener = bind(address, true)?;
        address = listener.local_addr()?;
        bound.push(listener);
    }
    Ok(bound)
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<StdTcpListener> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&SockAddr::from(address))?;
    if shared {
        socket.listen(LISTEN_BACKLOG)?;
    }
    Ok(socket.into())
}
