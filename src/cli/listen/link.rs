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
use crate::limits::{CLIENT_CONNECT_MILLIS_MAX, EVENT_BYTES_CEILING};

/// A connection that is open.
pub(in crate::cli) struct Link {
    socket: WebSocket<TcpStream>,
    /// A ping is under way that nothing has answered yet.
    pinged: bool,
    /// Something was received.
    heard: bool,
}

/// How a connection ended, or why there is none.
#[derive(Debug)]
pub(in crate::cli) enum End {
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
pub(in crate::cli) enum Ending {
    /// The connection has come to its end.
    End(End),
    /// The caller failed to give out what it has, before the wait.
    Output(io::Error),
}

impl Link {
    /// Connects and shakes hands. After `silence` the peer is pinged, after as long again given
    /// up.
    pub(in crate::cli) fn open(location: &Location, silence: Duration) -> Result<Self, End> {
        let stream = connect(location, silence)?;
        let most = usize::try_from(EVENT_BYTES_CEILING).map_or(usize::MAX, |most| most + MARKS);
        // The whole buffer is made zero before each read.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
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
    pub(in crate::cli) fn next(
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

    /// The next event that is here already.
    pub(in crate::cli) fn at_hand(&mut self) -> Result<Option<Utf8Bytes>, End> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Ok(Some(text)),
                Ok(Message::Close(frame)) => return Err(self.closed(frame)),
                // The service pings; the answer goes out with the next read.
                Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                ) => {}
                Err(Error::Io(fault)) if fault.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(Error::Io(fault)) => return Err(lost(&fault)),
                Err(fault) => return Err(End::Lost(fault.to_string())),
            }
        }
    }

    /// The socket, to wait at.
    pub(in crate::cli) fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// Whether anything was received, if only a ping: the service is there and well.
    pub(in crate::cli) const fn heard(&self) -> bool {
        self.heard
    }

    /// Says that we are going, as far as that can be said.
    pub(in crate::cli) fn leave(&mut self) {
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
fn connect(location: &Location, silence: Duration) -> Result<TcpStream, End> {
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
                stream.set_read_timeout(Some(silence)).map_err(|fault| lost(&fault))?;
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

/// As much as is read at once.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Room for the marks an event carries beyond its own bytes.
const MARKS: usize = 128;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    /// Long enough for an answer on a busy machine.
    const PATIENT: Duration = Duration::from_millis(500);

    fn listening() -> (TcpListener, Location) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let location = Location::parse(&format!("ws://{address}/event-stream/u"));
        (listener, location.expect("is right"))
    }

    fn accepted(listener: &TcpListener) -> WebSocket<TcpStream> {
        let (stream, _) = listener.accept().expect("somebody connects");
        tungstenite::accept(stream).expect("shakes hands")
    }

    fn next(link: &mut Link) -> Result<Utf8Bytes, Ending> {
        link.next(&mut || Ok(()))
    }

    #[test]
    fn a_peer_that_answers_no_ping_is_given_up() {
        let (listener, location) = listening();
        let peer = thread::spawn(move || {
            let socket = accepted(&listener);
            // It reads nothing, so it answers nothing; the connection stays open.
            let mut last = [0];
            while socket.get_ref().peek(&mut last).is_ok_and(|read| read > 0) {
                let _ = io::Read::read(&mut socket.get_ref(), &mut last);
            }
        });
        let mut link = Link::open(&location, SHORT).expect("opens");
        let end = next(&mut link).expect_err("nothing comes");
        assert!(matches!(&end, Ending::End(End::Lost(why)) if why.contains("ping")), "{end:?}");
        assert!(!link.heard());
        drop(link);
        peer.join().expect("the peer sees the end");
    }

    #[test]
    fn a_peer_that_answers_pings_may_be_silent() {
        let (listener, location) = listening();
        let peer = thread::spawn(move || {
            let mut socket = accepted(&listener);
            for _ in 0..2 {
                assert!(socket.read().expect("a ping comes").is_ping());
                socket.flush().expect("the answer goes out");
            }
            socket.send(Message::text("at last")).expect("goes out");
        });
        let mut link = Link::open(&location, PATIENT).expect("opens");
        assert_eq!(next(&mut link).expect("an event").as_str(), "at last");
        assert!(link.heard());
        peer.join().expect("two pings came");
    }

    #[test]
    fn the_caller_is_told_before_every_wait_and_not_between_events_at_hand() {
        let (listener, location) = listening();
        let peer = thread::spawn(move || {
            let mut socket = accepted(&listener);
            for text in ["a", "b", "c"] {
                socket.write(Message::text(text)).expect("is buffered");
            }
            socket.flush().expect("all in one");
            assert!(socket.read().expect("an answer").is_close());
        });
        let mut link = Link::open(&location, Duration::from_secs(60)).expect("opens");
        let first = next(&mut link).expect("an event");
        let mut waits = 0;
        let mut count = || {
            waits += 1;
            Ok(())
        };
        let second = link.next(&mut count).expect("an event");
        let third = link.next(&mut count).expect("an event");
        assert_eq!([first, second, third].map(|text| text.to_string()), ["a", "b", "c"]);
        assert_eq!(waits, 0);
        let broken = link.next(&mut || Err(ErrorKind::BrokenPipe.into()));
        assert!(matches!(broken, Err(Ending::Output(_))));
        link.leave();
        peer.join().expect("a close frame came");
    }

    #[test]
    fn something_else_that_answers_is_told_apart() {
        let (listener, location) = listening();
        let peer = thread::spawn(move || {
            for answer in
                ["HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope", "SSH-2.0\r\n\r\n"]
            {
                let (mut stream, _) = listener.accept().expect("somebody connects");
                let _ = io::Read::read(&mut stream, &mut [0; 4096]);
                io::Write::write_all(&mut stream, answer.as_bytes()).expect("goes out");
            }
        });
        let open = || Link::open(&location, Duration::from_secs(60)).err();
        let refused = open();
        assert!(matches!(refused, Some(End::Refused(404, _))), "{refused:?}");
        let wrong = open();
        assert!(matches!(wrong, Some(End::Wrong(_))), "{wrong:?}");
        peer.join().expect("both answers went out");
        let nobody = open();
        assert!(matches!(nobody, Some(End::Unreachable(_))), "{nobody:?}");
    }
}
