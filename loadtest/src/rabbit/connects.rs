//! From connect to first event: a stream that is not watched yet, and one that is.

use std::io::{self, Read};
use std::net::SocketAddr;

use serde::Serialize;

use super::streams::{Client, text};
use crate::consumers::{fault, upgraded};
use crate::outcome::Latency;
use crate::process::now;

/// Of so many streams the time to the first event is taken; the others are connected to and wait.
const SAMPLES: usize = 100;

/// From before the socket is opened until the first event is there whole.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct First {
    /// Nobody else is at the stream.
    pub(super) cold: Latency,
    /// Somebody is.
    pub(super) warm: Latency,
    /// From the first connect to the last upgrade of all.
    pub(super) all_seconds: f64,
}

/// A client at each path, one after the other.
pub(super) fn clients(server: SocketAddr, paths: &[String]) -> io::Result<(Vec<Client>, First)> {
    let (mut cold, mut warm) = (Latency::histogram()?, Latency::histogram()?);
    let mut clients = Vec::with_capacity(paths.len());
    let began = now();
    for (index, path) in paths.iter().enumerate() {
        if index < SAMPLES {
            let (client, nanos) = first_event(server, path)?;
            cold.saturating_record(nanos);
            let (_, nanos) = first_event(server, path)?;
            warm.saturating_record(nanos);
            clients.push(client);
        } else {
            clients.push(upgraded(server, path)?);
        }
    }
    for (socket, _) in &clients {
        socket.set_nonblocking(true)?;
    }
    let all_seconds = began.elapsed().as_secs_f64();
    Ok((clients, First { cold: Latency::of(&cold), warm: Latency::of(&warm), all_seconds }))
}

/// A client that has had one event, and how many nanoseconds that took.
fn first_event(server: SocketAddr, path: &str) -> io::Result<(Client, u64)> {
    let began = now();
    let (mut socket, mut held) = upgraded(server, &format!("{path}?stream_from_ordinal=0"))?;
    let mut buffer = [0; 4096];
    let length = loop {
        if let Some((_, length)) = text(&held)? {
            break length;
        }
        match socket.read(&mut buffer)? {
            0 => return Err(fault("the service closed a client")),
            got => held.extend_from_slice(buffer.get(..got).unwrap_or_default()),
        }
    };
    let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    held.drain(..length);
    Ok(((socket, held), nanos))
}
