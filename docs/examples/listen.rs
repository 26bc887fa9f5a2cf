//! Prints the events of an event stream and keeps its place.
//!
//! ```text
//! cargo run --example listen -- LOCATION POSITION_FILE [COUNT]
//! ```
//!
//! The file holds the last ordinal that was dealt with; there is none at first. Needs `tungstenite`
//! with the feature `handshake`, and `serde_json`; speaks `ws://` only.

use std::error::Error;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;
use std::{env, fs, thread};

use tungstenite::Message;

/// The event stream is gone, or we asked for something wrong: coming back won't help.
const FINAL: [u16; 2] = [1000, 1002];

/// How a connection ended.
enum Ending {
    Enough,
    Closed(u16, String),
    Lost(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [location, path, more @ ..] = arguments.as_slice() else {
        return Err("usage: listen LOCATION POSITION_FILE [COUNT]".into());
    };
    let mut left = more.first().map(|count| count.parse::<u64>()).transpose()?;
    let mut wait = Duration::from_millis(250);
    loop {
        let ending = once(location, path, |ordinal, event| {
            wait = Duration::from_millis(250);
            println!("{ordinal} {event}");
            left = left.map(|left| left - 1);
            left != Some(0)
        });
        match ending {
            Ok(Ending::Enough) => return Ok(()),
            Ok(Ending::Closed(code, reason)) if FINAL.contains(&code) => {
                return Err(format!("{code} {reason}").into());
            }
            Ok(Ending::Closed(code, reason)) => eprintln!("closed: {code} {reason}"),
            Ok(Ending::Lost(why)) => eprintln!("lost: {why}"),
            Err(fault) => eprintln!("can't connect: {fault}"),
        }
        // A real program adds jitter: all clients were sent away at the same time.
        #[expect(clippy::disallowed_methods, reason = "this thread does nothing else")]
        thread::sleep(wait);
        wait = (wait * 2).min(Duration::from_secs(10));
    }
}

/// One connection, to its end; `deal_with` answers whether to go on.
fn once(
    location: &str,
    path: &str,
    mut deal_with: impl FnMut(u64, &str) -> bool,
) -> Result<Ending, Box<dyn Error>> {
    let mut last = load(path)?;
    // 0: everything that is retained.
    let url = format!("{location}?stream_from_ordinal={}", last.unwrap_or(0));
    let host = location.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let host = host.ok_or("a location begins with ws://")?;
    let tcp = match host.rsplit_once(':') {
        Some(_) => TcpStream::connect(host)?,
        None => TcpStream::connect((host, 80))?,
    };
    let (mut socket, _) = tungstenite::client(url, tcp)?;
    loop {
        let frame = match socket.read() {
            Ok(Message::Text(frame)) => frame,
            Ok(Message::Close(Some(close))) => {
                return Ok(Ending::Closed(close.code.into(), close.reason.to_string()));
            }
            Ok(_) => continue,
            Err(fault) => return Ok(Ending::Lost(fault.to_string())),
        };
        let (ordinal, event) = parse(&frame).ok_or("an event without an ordinal")?;
        if last.is_some_and(|last| ordinal <= last) {
            continue;
        }
        if let Some(last) = last.filter(|last| ordinal > last + 1) {
            eprintln!("gap: events {} to {} are missing", last + 1, ordinal - 1);
        }
        let go_on = deal_with(ordinal, event);
        // After the event was dealt with: a crash in between brings it again, never loses it.
        store(path, ordinal)?;
        last = Some(ordinal);
        if !go_on {
            return Ok(Ending::Enough);
        }
    }
}

/// JSON events carry their ordinal as a member, all others behind their text.
fn parse(frame: &str) -> Option<(u64, &str)> {
    if frame.starts_with('{') {
        let event: serde_json::Value = serde_json::from_str(frame).ok()?;
        return Some((event.get("ess_ordinal")?.as_u64()?, frame));
    }
    let (text, _timestamp) = frame.rsplit_once("|timestamp: ")?;
    let (text, ordinal) = text.rsplit_once("|ordinal: ")?;
    Some((ordinal.parse().ok()?, text))
}

/// The last ordinal that was dealt with.
fn load(path: &str) -> Result<Option<u64>, Box<dyn Error>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().parse()?)),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// In one step: a crash leaves the old ordinal or the new one.
fn store(path: &str, ordinal: u64) -> Result<(), Box<dyn Error>> {
    let new = format!("{path}.new");
    fs::write(&new, ordinal.to_string())?;
    Ok(fs::rename(new, path)?)
}
