//! A consumer in this process, fast enough for hundreds of thousands of events: tungstenite.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::DEADLINE;

/// One consumer.
pub(crate) struct Listener {
    socket: WebSocket<TcpStream>,
    /// What came, for the failure of a test: how many, and the end of the last.
    texts: u64,
    last: String,
}

/// What a consumer sees.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A text message.
    Text(tungstenite::Utf8Bytes),
    /// The close frame; `None` when the connection broke.
    End(Option<CloseFrame>),
}

impl Listener {
    /// Connects and upgrades; `None` when the service isn't there (any more).
    pub(crate) fn try_open(address: SocketAddr, url: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let (socket, _) = tungstenite::client(url, stream).ok()?;
        Some(Self { socket, texts: 0, last: String::new() })
    }

    /// Connects and upgrades.
    pub(crate) fn open(address: SocketAddr, url: &str) -> Self {
        Self::try_open(address, url).expect("the service upgrades")
    }

    /// The next message, or the end.
    pub(crate) fn next(&mut self) -> Seen {
        // Pings are no events: they come as long as the service lives.
        let begun = Instant::now();
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    self.texts += 1;
                    self.last.clear();
                    let end = text.ceil_char_boundary(text.len().saturating_sub(LAST_BYTES));
                    self.last.push_str(&text[end..]);
                    return Seen::Text(text);
                }
                Ok(Message::Close(frame)) => return Seen::End(frame),
                Ok(Message::Ping(_) | Message::Pong(_)) if begun.elapsed() < DEADLINE => {}
                Ok(Message::Ping(_) | Message::Pong(_)) => self.waited_in_vain(),
                Ok(other) => panic!("the service never sends {other:?}"),
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    self.waited_in_vain()
                }
                Err(error) => {
                    eprintln!("a connection broke: {error}; before that {}", self.seen());
                    return Seen::End(None);
                }
            }
        }
    }

    /// The next message, a text.
    pub(crate) fn text(&mut self) -> tungstenite::Utf8Bytes {
        match self.next() {
            Seen::Text(text) => text,
            Seen::End(end) => panic!("instead of a text: {end:?}; before that {}", self.seen()),
        }
    }

    fn waited_in_vain(&self) -> ! {
        panic!("nothing came for {DEADLINE:?}; before that {}", self.seen())
    }

    fn seen(&self) -> String {
        format!("{} texts, the last ended in {:?}", self.texts, self.last)
    }
}

/// So much of a text is kept: a plain one's ordinal and timestamp are there.
const LAST_BYTES: usize = 80;
