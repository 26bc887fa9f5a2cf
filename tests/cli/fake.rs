//! A service that does as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use tungstenite::handshake::server::{ErrorResponse, Request as Handshake, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

/// A request to the internal API.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// A running internal API and what it was asked.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) requests: Receiver<Request>,
}

impl Api {
    /// All requests so far but the listings.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.requests.try_iter().filter(|request| request.line != LIST).collect()
    }
}

/// The listing of event streams.
pub(crate) const LIST: &str = "GET /event-stream/";

/// Answers requests as `answer` says: status and body. Status 0 hangs up.
pub(crate) fn api(answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> Api {
    let (listener, address) = listening();
    let (sender, requests) = mpsc::channel();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, sender) = (Arc::clone(&answer), sender.clone());
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.expect("a connection"));
                while let Some(request) = read_request(&mut stream) {
                    let (status, body) = answer(&request);
                    let _ = sender.send(request);
                    if status == 0 {
                        return;
                    }
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.get_mut().write_all((head + &body).as_bytes());
                }
            });
        }
    });
    Api { url: format!("http://{address}"), requests }
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let field = |name: &str| {
        let named = |line: &String| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.iter().find_map(named).unwrap_or_default()
    };
    let mut body = vec![0; field("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let line = head.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, content_type: field("content-type"), body })
}

/// A listing of event streams: id, uuid, routing key.
pub(crate) fn list(streams: &[(u64, &str, &str)]) -> (u16, String) {
    let item = |(id, uuid, key): &(u64, &str, &str)| {
        let location = format!("ws://localhost:8080/event-stream/{uuid}");
        serde_json::json!({ "id": id, "location": location, "routing_key": key })
    };
    let items: Vec<_> = streams.iter().map(item).collect();
    (200, serde_json::json!({ "event_streams": items }).to_string())
}

/// What a step of a script does with its connection.
pub(crate) type Step = Box<dyn FnOnce(&mut WebSocket<TcpStream>) + Send>;

/// A running public port and the paths it was asked for, query included.
pub(crate) struct Public {
    pub(crate) address: SocketAddr,
    pub(crate) paths: Receiver<String>,
}

impl Public {
    pub(crate) fn location(&self) -> String {
        format!("ws://{}/event-stream/u", self.address)
    }
}

/// Takes as many connections as there are steps, one after the other; then nobody listens.
pub(crate) fn public(steps: Vec<Step>) -> Public {
    let (listener, address) = listening();
    let (sender, paths) = mpsc::channel();
    thread::spawn(move || {
        for step in steps {
            let (stream, _) = listener.accept().expect("a connection");
            #[expect(clippy::result_large_err, reason = "tungstenite's callback has this form")]
            let note = |request: &Handshake, response: Response| -> Result<_, ErrorResponse> {
                let _ = sender.send(request.uri().to_string());
                Ok(response)
            };
            step(&mut tungstenite::accept_hdr(stream, note).expect("shakes hands"));
        }
    });
    Public { address, paths }
}

/// A step that sends these texts.
pub(crate) fn send(socket: &mut WebSocket<TcpStream>, texts: &[&str]) {
    for text in texts {
        socket.send(Message::text(*text)).expect("goes out");
    }
}

/// Closes with a code and waits for the answer.
pub(crate) fn close(socket: &mut WebSocket<TcpStream>, code: u16, reason: &str) {
    let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
    socket.close(Some(frame)).expect("goes out");
    while socket.read().is_ok() {}
}

/// A text event with its mark.
pub(crate) fn event(text: &str, ordinal: u64) -> String {
    format!("{text}|ordinal: {ordinal}|timestamp: 1746042171620")
}

fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// An address nobody listens on.
pub(crate) fn nobody() -> SocketAddr {
    listening().1
}
