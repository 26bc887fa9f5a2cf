//! A connection that we make: to a host and port, with or without TLS.
//!
//! As with every socket here, waiting and doing are apart: wait until the kernel says so, then move
//! bytes without waiting. What TLS needs to say of its own goes out with the next write or flush.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use monoio::time::timeout;

use super::tls::TlsSocket;
use super::{Socket, Tls};

/// Where to connect.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// A name or an address.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// How TLS is spoken there; `None` for none.
    pub tls: Option<&'a Tls>,
}

/// An open connection.
#[derive(Debug)]
pub enum Channel {
    /// As it is.
    Plain(Socket),
    /// Inside TLS.
    Tls(Box<TlsSocket>),
}

/// Connects, TLS included, within `limit`. Tries each address that the name has. May be dropped at
/// any time.
///
/// # Errors
///
/// What the last address answered, or that it took too long.
pub async fn connect(to: Destination<'_>, limit: Duration) -> io::Result<Channel> {
    let connecting = async {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in resolve(to.host, to.port).await? {
            match reach(address, to).await {
                Ok(channel) => return Ok(channel),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    };
    match timeout(limit, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", limit.as_secs_f64()),
        )),
    }
}

async fn reach(address: SocketAddr, to: Destination<'_>) -> io::Result<Channel> {
    let socket = Socket::connect(address).await?;
    match to.tls {
        None => Ok(Channel::Plain(socket)),
        Some(tls) => {
            let socket = TlsSocket::handshake(socket, tls, to.host).await?;
            Ok(Channel::Tls(Box::new(socket)))
        }
    }
}

/// The addresses of a host; the resolver blocks, so it runs beside the shard.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let host = host.to_owned();
    let resolving = move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
    match monoio::spawn_blocking(resolving).await {
        Ok(resolved) => resolved,
        Err(_) => Err(io::Error::other("the resolver's thread has ended")),
    }
}

impl Channel {
    /// The other end's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(socket) => socket.peer(),
            Self::Tls(socket) => socket.peer(),
        }
    }

    /// Waits until a read makes sense. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When the driver fails.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.readable().await,
            Self::Tls(socket) => socket.readable().await,
        }
    }

    /// Waits until a write makes sense. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When the driver fails.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.writable().await,
            Self::Tls(socket) => socket.writable().await,
        }
    }

    /// Reads what is there, without waiting: `None` when nothing is, 0 at the end.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Plain(socket) => socket.try_read(buffer),
            Self::Tls(socket) => socket.try_read(buffer),
        }
    }

    /// Writes what fits, without waiting: 0 when nothing does.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(bytes),
            Self::Tls(socket) => socket.try_write(bytes),
        }
    }

    /// Sends what earlier writes left behind, without waiting. False when some of it is still here:
    /// wait until it is writable, and flush again.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn flush(&self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(socket) => socket.flush(),
        }
    }

    /// Ends both directions and wakes whoever waits for this connection.
    pub fn abort(&self) {
        match self {
            Self::Plain(socket) => socket.abort(),
            Self::Tls(socket) => socket.abort(),
        }
    }
}
