//! One WebSocket connection to the public port, from the client's side.
//!
//! The socket doesn't block while frames are decoded and blocks while nothing has come, so that
//! [`Link::next`] knows when to tell its caller that it is about to wait. A silent peer is pinged,
//! and given up when it stays silent.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tungstenite::client::client_with_config;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};

use super::location::Location;
use crate::limits::{CLIENT_CONNECT_MILLIS_MAX, EVENT_BYTES_CEILING, LISTEN_SILENCE_MILLIS_MAX};

/// A connection that is open.
pub(super) struct Link {
    socket: WebSocket<TcpStream>,
    /// A ping is under way that nothing has answered yet.
    pinged: bool,
    /// Something was received.
    heard: bool,
}

/// How a connection ended, or why there is none.
#[derive(Debug)]
pub(super) enum End {
    /// The service closed it: code and reason.
    Closed(u16, String),
    /// The service answered something else than 101: status and body.
    Refused(u16, String),
    /// Nobody took the connection.
    Unreachable(String),
    /// It broke.
    Lost(String),
    /// Whoever is there speaks something else.
    Wrong(String),
}

/// Why there is no next event.
#[derive(Debug)]
pub(super) enum Ending {
    /// The connection has come to its end.
    End(End),
    /// The caller failed to give out what it has, before the wait.
    Output(io::Error),
}

impl Link {
    /// Connects and shakes hands.
    pub(super) fn open(location: &Location) -> Result<Self, End> {
        let stream = connect(location)?;
        let most = usize::try_from(EVENT_BYTES_CEILING).map_or(usize::MAX, |most| most + MARKS);
        let config =
            WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
        match client_with_config(location.url(), stream, Some(config)) {
            Ok((socket, _)) => {
                let nonblocking = socket.get_ref().set_nonblocking(true);
                nonblocking.map_err(|fault| lost(&fault))?;
                Ok(Self { socket, pinged: false, heard: false })
            }
            Err(HandshakeError::Interrupted(_)) => {
                Err(End::Lost("no answer to the handshake".into()))
            }
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                let (status, body) = (answer.status().as_u16(), answer.into_body());
                let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
                Err(End::Refused(status, body.trim().into()))
            }
            Err(HandshakeError::Failure(Error::Io(fault))) => Err(lost(&fault)),
            Err(HandshakeError::Failure(fault)) => {
                Err(End::Wrong(format!("no WebSocket service there: {fault}")))
            }
        }
    }

    /// The next event. Before it waits for one it calls `idle`.
    pub(super) fn next(
        &mut self,
        idle: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Utf8Bytes, Ending> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    (self.pinged, self.heard) = (false, true);
                    return Ok(text);
                }
                Ok(Message::Close(frame)) => return Err(Ending::End(self.closed(frame))),
                // The service pings; the answer goes out with the next read.
                Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                ) => (self.pinged, self.heard) = (false, true),
                Err(Error::Io(fault)) if fault.kind() == ErrorKind::WouldBlock => {
                    idle().map_err(Ending::Output)?;
                    self.wait().map_err(Ending::End)?;
                }
                Err(Error::Io(fault)) => return Err(Ending::End(lost(&fault))),
                Err(fault) => return Err(Ending::End(End::Lost(fault.to_string()))),
            }
        }
    }

    /// Whether anything was received, if only a ping: the service is there and well.
    pub(super) const fn heard(&self) -> bool {
        self.heard
    }

    /// Says that we are going, as far as that can be said.
    pub(super) fn leave(&mut self) {
        let reason = Utf8Bytes::from_static("seen enough");
        let _ = self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason }));
        let _ = self.socket.flush();
    }

    fn closed(&mut self, frame: Option<CloseFrame>) -> End {
        // The answer to a close frame; whether it arrives is not ours to know.
        let _ = self.socket.flush();
        match frame {
            Some(frame) => End::Closed(frame.code.into(), frame.reason.as_str().to_owned()),
            None => End::Lost("closed without a reason".into()),
        }
    }

    /// Waits until there is something to read.
    fn wait(&mut self) -> Result<(), End> {
        let stream = self.socket.get_ref();
        let waited = stream.set_nonblocking(false).and_then(|()| stream.peek(&mut [0])).map(drop);
        stream.set_nonblocking(true).map_err(|fault| lost(&fault))?;
        match waited {
            Err(fault) if timed_out(&fault) && self.pinged => {
                Err(End::Lost("nothing heard, not even an answer to a ping".into()))
            }
            Err(fault) if timed_out(&fault) => {
                self.pinged = true;
                let sent = self.socket.send(Message::Ping(Bytes::new()));
                sent.map_err(|fault| End::Lost(fault.to_string()))
            }
            Err(fault) if fault.kind() == ErrorKind::Interrupted => Ok(()),
            Err(fault) => Err(lost(&fault)),
            Ok(()) => Ok(()),
        }
    }
}

/// Connects to the first address that answers.
fn connect(location: &Location) -> Result<TcpStream, End> {
    let (host, port) = location.address();
    let unreachable = |why: &dyn std::fmt::Display| {
        End::Unreachable(format!("can't reach {host}:{port}: {why}; is ess running there?"))
    };
    let addresses = (host, port).to_socket_addrs().map_err(|fault| unreachable(&fault))?;
    let most = Duration::from_millis(CLIENT_CONNECT_MILLIS_MAX);
    let mut last = unreachable(&"the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, most) {
            Ok(stream) => {
                let silence = Some(Duration::from_millis(LISTEN_SILENCE_MILLIS_MAX));
                stream.set_read_timeout(silence).map_err(|fault| lost(&fault))?;
                stream.set_nodelay(true).map_err(|fault| lost(&fault))?;
                return Ok(stream);
            }
            Err(fault) => last = unreachable(&fault),
        }
    }
    Err(last)
}

fn lost(fault: &io::Error) -> End {
    End::Lost(fault.to_string())
}

fn timed_out(fault: &io::Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&fault.kind())
}

/// Room for the marks an event carries beyond its own bytes.
const MARKS: usize = 128;
