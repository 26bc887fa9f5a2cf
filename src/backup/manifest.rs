//! `backup.json`: what a backup holds, as of when, so that a part of one doesn't pass for a whole.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Held, Report};
use crate::event::Timestamp;

/// Its name in a backup.
pub(super) const MANIFEST: &str = "backup.json";

/// The version of everything in it.
const FORMAT: u32 = 1;

/// What stands in it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of ess that took the backup.
    ess: String,
    /// When it was begun, milliseconds since 1970: everything acknowledged before is in it.
    pub(super) taken: u64,
    event_streams: usize,
    streams: Vec<Stream>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Stream {
    routing_key: String,
    first_ordinal: u64,
    next_ordinal: u64,
    bytes: u64,
}

impl Manifest {
    /// The one of a backup that was begun at `taken` and holds this.
    pub(super) fn of(report: &Report, taken: Timestamp) -> Self {
        let stream = |held: &Held| Stream {
            routing_key: held.stream.clone(),
            first_ordinal: held.first,
            next_ordinal: held.next,
            bytes: held.bytes,
        };
        Self {
            format: FORMAT,
            ess: env!("CARGO_PKG_VERSION").to_owned(),
            taken: taken.millis(),
            event_streams: report.event_streams,
            streams: report.streams.iter().map(stream).collect(),
        }
    }

    pub(super) fn text(&self) -> io::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(io::Error::other)
    }

    /// Reads one. The error says what is wrong with the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|wrong| wrong.to_string())?;
        if read.format != FORMAT {
            return Err(format!("has format {}; this version reads {FORMAT}", read.format));
        }
        Ok(read)
    }

    /// How `found` differs from what it says.
    pub(super) fn differences(&self, found: &Report) -> Vec<String> {
        let mut differences = Vec::new();
        if found.event_streams != self.event_streams {
            let (had, has) = (self.event_streams, found.event_streams);
            differences.push(format!("the backup had {had} event streams; there are {has}"));
        }
        for stream in &self.streams {
            let key = &stream.routing_key;
            let (first, next) = (stream.first_ordinal, stream.next_ordinal);
            match found.streams.iter().find(|held| held.stream == *key) {
                None => differences.push(format!("stream {key:?} is missing")),
                Some(held) if (held.first, held.next) != (first, next) => {
                    differences.push(format!(
                        "stream {key:?} had the events from {first} to before {next}; \
                     there are those from {} to before {}",
                        held.first, held.next
                    ))
                }
                Some(_) => {}
            }
        }
        differences
    }
}
