//! One connection's socket.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::One;
use super::poller::NOT_AT_ALL;
use monoio::net::TcpStream;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

/// A connected socket on its shard.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    peer: SocketAddr,
    /// Accepted connections are counted; the few that we make are not.
    counted: Option<One>,
}

/// A connected socket that no driver knows, so that it may move to another shard, and costs little
/// while it is idle: nobody waits for it alone ([`super::Poller`]).
#[derive(Debug)]
pub struct Parked {
    fd: OwnedFd,
    /// The last write left something: the poller says when more makes sense.
    full: Cell<bool>,
    peer: SocketAddr,
    counted: Option<One>,
}

impl Socket {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    ///
    /// When an option can't be set: the connection is already dead.
    pub fn accepted(stream: StdTcpStream, peer: SocketAddr, counted: One) -> io::Result<Self> {
        // Events are written whole; waiting for more bytes would only delay the last one.
        stream.set_nodelay(true)?;
        Ok(Self { stream: TcpStream::from_std(stream)?, peer, counted: Some(counted) })
    }

    /// Connects to `peer`. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or it can't be reached.
    pub async fn connect(peer: SocketAddr) -> io::Result<Self> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let raw = RawSocket::new(Domain::for_address(peer), kind, Some(Protocol::TCP))?;
        raw.set_tcp_nodelay(true)?;
        match raw.connect(&peer.into()) {
            Ok(()) => {}
            Err(fault) if fault.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(fault) => return Err(fault),
        }
        let socket = Self { stream: TcpStream::from_std(raw.into())?, peer, counted: None };
        socket.writable().await?;
        socket_error(socket.fd())??;
        Ok(socket)
    }

    /// The other end's address.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Waits until a read makes sense: bytes, the end, or an error. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When the driver fails.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable(false).await
    }

    /// Waits until a write makes sense. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When the driver fails.
    pub async fn writable(&self) -> io::Result<()> {
        self.stream.writable(false).await
    }

    /// Reads what is there, without waiting: `None` when nothing is, 0 at the end.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        read_now(self.fd(), buffer)
    }

    /// Writes what fits, without waiting: 0 when nothing does.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        send_now(self.fd(), bytes)
    }

    /// Reads at least one byte, or 0 at the end.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(count) = self.try_read(buffer)? {
                return Ok(count);
            }
            self.readable().await?;
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            let count = self.try_write(rest)?;
            rest = rest.get(count..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            self.writable().await?;
        }
    }

    /// Sends the end of our stream; reading goes on.
    pub fn shutdown_write(&self) {
        // A peer that is gone already needs no farewell.
        let _ = shutdown(self.fd(), Shutdown::Write);
    }

    /// Ends both directions and wakes whoever waits for this socket.
    pub fn abort(&self) {
        let _ = shutdown(self.fd(), Shutdown::Both);
    }

    /// Takes the socket off this shard's driver. Bytes not read yet stay in the kernel.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn park(self) -> io::Result<Parked> {
        // A duplicate outlives the driver's own handle, which an operation may still hold.
        let fd = self.fd().try_clone_to_owned()?;
        Ok(Parked { fd, full: Cell::new(false), peer: self.peer, counted: self.counted })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        #[expect(unsafe_code, reason = "monoio's stream gives only the raw descriptor")]
        // SAFETY: the descriptor is open as long as `self.stream`, which outlives the borrow.
        unsafe {
            BorrowedFd::borrow_raw(self.stream.as_raw_fd())
        }
    }
}

impl Parked {
    /// Puts the socket on this thread's driver.
    ///
    /// # Errors
    ///
    /// When the driver refuses it.
    pub fn unpark(self) -> io::Result<Socket> {
        let stream = TcpStream::from_std(StdTcpStream::from(self.fd))?;
        Ok(Socket { stream, peer: self.peer, counted: self.counted })
    }

    /// The other end's address.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads what is there, without waiting: `None` when nothing is, 0 at the end.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        read_now(self.fd(), buffer)
    }

    /// Writes what fits, without waiting: 0 when nothing does.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let count = send_now(self.fd(), bytes)?;
        if count < bytes.len() {
            self.full.set(true);
        }
        Ok(count)
    }

    /// Whether it took less than it was given, and nobody has said since that it takes more.
    #[must_use]
    pub const fn full(&self) -> bool {
        self.full.get()
    }

    /// Asks the kernel whether there is room for much, a third of its buffer; else the socket
    /// counts as full until the poller says more. (A few bytes are taken long before that.)
    pub fn look_for_room(&self) {
        let mut asked = [PollFd::from_borrowed_fd(self.fd(), PollFlags::OUT)];
        // Who can't be asked is written to, which tells more.
        if poll(&mut asked, Some(&NOT_AT_ALL)).is_ok_and(|ready| ready == 0) {
            self.full.set(true);
        }
    }

    /// It takes bytes again.
    pub fn drained(&self) {
        self.full.set(false);
    }

    /// Sends the end of our stream; reading goes on.
    pub fn shutdown_write(&self) {
        // A peer that is gone already needs no farewell.
        let _ = shutdown(self.fd(), Shutdown::Write);
    }

    /// Ends both directions, which a poller tells.
    pub fn abort(&self) {
        let _ = shutdown(self.fd(), Shutdown::Both);
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Parked {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn read_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match recv(fd, buffer, RecvFlags::DONTWAIT) {
        Ok((_, count)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes what fits to a connected socket, without waiting: 0 when nothing does.
///
/// # Errors
///
/// When the connection is broken.
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
