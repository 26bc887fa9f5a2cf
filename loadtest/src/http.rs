//! The least of an HTTP/1.1 client that publishes: one request at a time on a kept connection.
//!
//! Answers need a `Content-Length`, which the internal API always gives where there is a body.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::consumers::fault;

/// A connection to the internal API.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    server: SocketAddr,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, server, answer: Vec::new() })
    }

    /// Sends a request.
    pub(crate) fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> io::Result<()> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.server,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request)
    }

    /// Sends a request and waits for its answer's body.
    pub(crate) fn call(&mut self, path: &str, kind: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        self.post(path, kind, body)?;
        self.answer()
    }

    /// Deletes what is at `path`.
    pub(crate) fn delete(&mut self, path: &str) -> io::Result<()> {
        let request = format!("DELETE {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.server);
        self.stream.write_all(request.as_bytes())?;
        self.answer().map(drop)
    }

    fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(answer) = self.read()? {
                return Ok(answer);
            }
        }
    }

    /// Reads what has come; the answer's body once it is whole.
    pub(crate) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer)? {
            0 => return Err(fault("the internal API hung up")),
            got => self.answer.extend_from_slice(buffer.get(..got).unwrap_or_default()),
        }
        let Some((status, body)) = whole(&self.answer) else { return Ok(None) };
        if !(200..300).contains(&status) {
            let text = String::from_utf8_lossy(&self.answer).into_owned();
            return Err(fault(&format!("refused: {text}")));
        }
        let body = body.to_vec();
        self.answer.clear();
        Ok(Some(body))
    }
}

/// Status and body of an answer, when all of it is here.
fn whole(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(end + 4)?;
    let head = str::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    // No Content has none (RFC 9110 §15.3.5).
    let length: usize = if status == 204 { 0 } else { length?.trim().parse().ok()? };
    (body.len() >= length).then_some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nDate: x\r\n\r\n{}";
        for cut in 0..answer.len() {
            assert_eq!(whole(&answer[..cut]), None, "cut at {cut}");
        }
        assert_eq!(whole(answer), Some((201, b"{}".as_slice())));
        assert_eq!(whole(b"HTTP/1.1 204 No Content\r\n\r\n"), Some((204, b"".as_slice())));
    }
}
