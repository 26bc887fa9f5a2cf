//! The event streams the Account Server has created, in SQLite.
//!
//! The reference service's table `es` stays as the reference made it, so that either can open the
//! other's file; what we add lies in tables of our own (see [`mod@schema`]). Every change is
//! durable before the call returns. Synchronous: the shard gives it a thread.
//!
//! Promises: an id is never given twice, also not after its event stream was deleted; that a
//! stream's log has to be removed is recorded in the same transaction as the deletion of its last
//! event stream.

mod error;
mod schema;

use std::path::{Path, PathBuf};

use log::warn;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use crate::event::StreamName;

pub use error::RegistryError;

/// A public address registered for a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventStream {
    /// Given once, never again.
    pub id: i64,
    /// The last part of its location: opaque text.
    pub uuid: String,
    /// The stream.
    pub routing_key: StreamName,
}

/// What was deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deleted {
    /// The event stream.
    pub event_stream: EventStream,
    /// No other event stream is registered for its routing key: the log goes too, and its removal
    /// is on record until [`Registry::removed`].
    pub last_of_stream: bool,
}

/// The open registry.
#[derive(Debug)]
pub struct Registry {
    database: Connection,
    path: PathBuf,
}

impl Registry {
    /// Opens the database `path`, making it where there is none.
    ///
    /// # Errors
    ///
    /// When it can't be opened, is no such database, or is used by another process.
    pub fn open(path: &Path) -> Result<Self, RegistryError> {
        let failed = |fault| RegistryError::new("open", path, fault);
        let mut database = Connection::open(path).map_err(failed)?;
        schema::prepare(&mut database).map_err(failed)?;
        Ok(Self { database, path: path.to_owned() })
    }

    /// All event streams, oldest first. Records that name no stream are passed over.
    ///
    /// # Errors
    ///
    /// When the database can't be read.
    pub fn list(&self) -> Result<Vec<EventStream>, RegistryError> {
        let read = || {
            let mut query =
                self.database.prepare("SELECT id, uuid, routing_key FROM es ORDER BY id")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<Result<Vec<(i64, Option<String>, Option<String>)>, _>>()
        };
        let rows = read().map_err(|fault| self.error("read", fault))?;
        Ok(rows.into_iter().filter_map(usable).collect())
    }

    /// Registers a new event stream for `routing_key`.
    ///
    /// # Errors
    ///
    /// When it can't be stored; then nothing was.
    pub fn create(&mut self, routing_key: &StreamName) -> Result<EventStream, RegistryError> {
        let uuid = Uuid::new_v4().to_string();
        let id = self.change("create an event stream", |change| {
            change.execute(
                "UPDATE ess_counter SET last_id = \
                 max(last_id, (SELECT coalesce(max(id), 0) FROM es)) + 1",
                [],
            )?;
            let id: i64 =
                change.query_row("SELECT last_id FROM ess_counter", [], |row| row.get(0))?;
            change.execute(
                "INSERT INTO es (id, uuid, routing_key) VALUES (?1, ?2, ?3)",
                params![id, uuid, routing_key.as_str()],
            )?;
            change.execute(
                "DELETE FROM ess_removal WHERE routing_key = ?1",
                params![routing_key.as_str()],
            )?;
            Ok(id)
        })?;
        Ok(EventStream { id, uuid, routing_key: routing_key.clone() })
    }

    /// Deletes the event stream `id`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When that can't be stored; then it still exists.
    pub fn delete(&mut self, id: i64) -> Result<Option<Deleted>, RegistryError> {
        self.change("delete an event stream", |change| {
            let row = change
                .query_row(
                    "SELECT id, uuid, routing_key FROM es WHERE id = ?1",
                    params![id],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            let Some(event_stream) = row.and_then(usable) else { return Ok(None) };
            let key = event_stream.routing_key.as_str();
            // The id stays taken although the row goes.
            change.execute(
                "UPDATE ess_counter SET last_id = \
                 max(last_id, (SELECT coalesce(max(id), 0) FROM es))",
                [],
            )?;
            change.execute("DELETE FROM es WHERE id = ?1", params![id])?;
            let others: i64 = change.query_row(
                "SELECT count(*) FROM es WHERE routing_key = ?1",
                params![key],
                |row| row.get(0),
            )?;
            if others == 0 {
                change.execute(
                    "INSERT OR IGNORE INTO ess_removal (routing_key) VALUES (?1)",
                    params![key],
                )?;
            }
            Ok(Some(Deleted { event_stream, last_of_stream: others == 0 }))
        })
    }

    /// Streams whose log has still to be removed.
    ///
    /// # Errors
    ///
    /// When the database can't be read.
    pub fn pending_removals(&self) -> Result<Vec<StreamName>, RegistryError> {
        let read = || {
            let mut query = self.database.prepare("SELECT routing_key FROM ess_removal")?;
            let rows = query.query_map([], |row| row.get(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        };
        let names = read().map_err(|fault| self.error("read", fault))?;
        Ok(names.iter().filter_map(|name| StreamName::new(name).ok()).collect())
    }

    /// The log of `routing_key` is gone.
    ///
    /// # Errors
    ///
    /// When that can't be stored: it will be removed again at the next start, which does no harm.
    pub fn removed(&mut self, routing_key: &StreamName) -> Result<(), RegistryError> {
        self.change("record a removal", |change| {
            change.execute(
                "DELETE FROM ess_removal WHERE routing_key = ?1",
                params![routing_key.as_str()],
            )?;
            Ok(())
        })
    }

    /// Runs one transaction; its commit is durable.
    fn change<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        let run = || {
            let change = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&change)?;
            change.commit()?;
            Ok(result)
        };
        run().map_err(|fault| RegistryError::new(what, &self.path, fault))
    }

    fn error(&self, what: &'static str, fault: rusqlite::Error) -> RegistryError {
        RegistryError::new(what, &self.path, fault)
    }
}

/// A row as an event stream. The reference allows NULLs and empty keys; those lead nowhere.
fn usable(row: (i64, Option<String>, Option<String>)) -> Option<EventStream> {
    let (id, uuid, routing_key) = row;
    match (uuid, StreamName::new(routing_key.as_deref().unwrap_or_default())) {
        (Some(uuid), Ok(routing_key)) => Some(EventStream { id, uuid, routing_key }),
        (uuid, name) => {
            let fault = name.err().map_or_else(|| "no uuid".into(), |fault| fault.to_string());
            warn!("EventStream {id} ({uuid:?}) in the database is passed over: {fault}");
            None
        }
    }
}

#[cfg(test)]
mod tests;
