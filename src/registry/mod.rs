//! The event streams that the Account Server has created, in SQLite.
//!
//! ```text
//!  es      (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT)   the reference's, as it is
//!  last_id (one, id)                                               ours: ids are never reused
//!  removal (routing_key)                                           ours: logs still to be removed
//!  declared (routing_key)                                          ours: our streams in a broker
//! ```
//!
//! Promises:
//!
//! - what a call answered is on the disk: it survives a power cut;
//! - a file of the reference opens as it is, and the reference opens ours while we don't run;
//! - an id is given once, also when the newest event stream was deleted before a restart;
//! - with the last event stream of a routing key goes, in the same transaction, a note that the log
//!   of that key must be removed; until [`Registry::removed`] clears it the key can't be created
//!   again, so that a removal resumed after a crash never meets a newer log;
//! - a stream in a broker is noted as ours only after it was made, or when its deletion was forced:
//!   what isn't noted is never deleted there.
//!
//! Rollback journal (`DELETE`) with `synchronous = EXTRA`: one file, nothing shared in memory, so
//! it also works on network volumes where WAL doesn't; `EXTRA` because without a sync of the
//! directory a journal that was already deleted can come back after a power cut and undo what was
//! answered. Each change costs a few syncs, which a handful of creations a second don't feel.
//!
//! Synchronous: it blocks its thread, so no shard calls it.

mod error;
mod event_stream;
mod snapshot;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction};

use crate::event::StreamName;
use crate::limits::REGISTRY_BUSY_MS_MAX;

pub use error::RegistryError;
pub use event_stream::EventStream;
pub use snapshot::snapshot;

/// The open database.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
    path: PathBuf,
}

/// A deleted event stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deleted {
    /// What it was.
    pub event_stream: EventStream,
    /// It was the last one of its stream, which must be removed now.
    pub removal: Option<Removal>,
}

/// A stream that nobody is registered for any more, still to be removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Removal {
    /// Its name.
    pub routing_key: StreamName,
    /// It is ours where it lies, also with somebody else, and is deleted there.
    pub destroys: bool,
}

/// What became of a creation.
enum Created {
    Id(i64),
    RemovalPending,
    Exhausted,
}

impl Registry {
    /// Opens the database at `path`, making it where there is none. Its folder must exist.
    ///
    /// # Errors
    ///
    /// When the file is locked, damaged, not a database or not writable.
    pub fn open(path: &Path) -> Result<Self, RegistryError> {
        Self::open_within(path, Duration::from_millis(REGISTRY_BUSY_MS_MAX))
    }

    fn open_within(path: &Path, busy_timeout: Duration) -> Result<Self, RegistryError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let prepared = Connection::open_with_flags(path, flags)
            .and_then(|connection| prepare(&connection, busy_timeout).map(|()| connection));
        let fault = |fault| RegistryError::from_sqlite(path, "open", fault);
        let connection = prepared.map_err(fault)?;
        let mut registry = Self { connection, path: path.to_owned() };
        registry.change("open", |transaction| {
            transaction.execute_batch(SCHEMA)?;
            note_id(transaction, 0)
        })?;
        registry.check()?;
        Ok(registry)
    }

    /// All event streams by id. Records that can't be one (a NULL, no text, an address given
    /// twice) are passed over with a warning: the reference wrote whatever it was sent.
    ///
    /// # Errors
    ///
    /// When the database can't be read.
    pub fn list(&self) -> Result<Vec<EventStream>, RegistryError> {
        let fault = |fault| RegistryError::from_sqlite(&self.path, "list", fault);
        let mut statement = self.connection.prepare(SELECT_ALL).map_err(fault)?;
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, event_stream(row)))).map_err(fault)?;
        let mut uuids = HashSet::new();
        let mut found = Vec::new();
        for row in rows {
            let (id, read): (i64, _) = row.map_err(fault)?;
            match read {
                Ok(one) if uuids.insert(one.uuid.clone()) => found.push(one),
                Ok(_) => self.warn(id, "its uuid is the one of an earlier record"),
                Err(what) => self.warn(id, what),
            }
        }
        Ok(found)
    }

    /// Registers a new address for a stream. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`RegistryError::RemovalPending`] while the log of a deleted stream of that name is still to
    /// be removed; else when the database can't be written.
    pub fn create(&mut self, routing_key: StreamName) -> Result<EventStream, RegistryError> {
        let uuid = uuid::Uuid::new_v4().to_string();
        let created = self.change("create", |transaction| {
            let pending = "SELECT 1 FROM removal WHERE routing_key = ?1";
            let pending = transaction.query_row(pending, [routing_key.as_str()], |_| Ok(()));
            if pending.optional()?.is_some() {
                return Ok(Created::RemovalPending);
            }
            note_id(transaction, 0)?;
            let last: i64 =
                transaction.query_row("SELECT id FROM last_id", [], |row| row.get(0))?;
            let Some(id) = last.checked_add(1) else { return Ok(Created::Exhausted) };
            transaction.execute(
                "INSERT INTO es (id, uuid, routing_key) VALUES (?1, ?2, ?3)",
                (id, &uuid, routing_key.as_str()),
            )?;
            note_id(transaction, id)?;
            Ok(Created::Id(id))
        })?;
        match created {
            Created::Id(id) => Ok(EventStream { id, uuid, routing_key }),
            Created::RemovalPending => Err(RegistryError::RemovalPending { routing_key }),
            Created::Exhausted => Err(RegistryError::Exhausted { path: self.path.clone() }),
        }
    }

    /// Notes that the stream was made in a broker for us. Durable when this returns.
    ///
    /// # Errors
    ///
    /// When the database can't be written.
    pub fn declared(&mut self, routing_key: &StreamName) -> Result<(), RegistryError> {
        self.change("note a declaration", |transaction| {
            transaction.execute(NOTE_DECLARED, [routing_key.as_str()]).map(|_| ())
        })
    }

    /// Takes back the last creation, which came to nothing: the record goes, and its id, which
    /// nobody was told, is the next one's. Durable when this returns.
    ///
    /// # Errors
    ///
    /// When the database can't be written.
    pub fn withdraw(&mut self, id: i64) -> Result<(), RegistryError> {
        self.change("withdraw", |transaction| {
            transaction.execute("DELETE FROM es WHERE id = ?1", [id])?;
            let give_back = "UPDATE last_id SET id = ?1 - 1 WHERE id = ?1";
            transaction.execute(give_back, [id]).map(|_| ())
        })
    }

    /// Deletes an event stream; `None` when there is none with this id. With `force` its stream
    /// counts as ours, when this is the last one. Durable when this returns.
    ///
    /// # Errors
    ///
    /// When the database can't be written.
    pub fn delete(&mut self, id: i64, force: bool) -> Result<Option<Deleted>, RegistryError> {
        self.change("delete", |transaction| {
            let select = "SELECT id, uuid, routing_key FROM es WHERE id = ?1";
            let found = transaction.query_row(select, [id], |row| Ok(event_stream(row)));
            let Some(Ok(event_stream)) = found.optional()? else { return Ok(None) };
            note_id(transaction, id)?;
            transaction.execute("DELETE FROM es WHERE id = ?1", [id])?;
            let key = event_stream.routing_key.as_str();
            let others = "SELECT count(*) FROM es WHERE routing_key = ?1";
            let others: i64 = transaction.query_row(others, [key], |row| row.get(0))?;
            if others > 0 {
                return Ok(Some(Deleted { event_stream, removal: None }));
            }
            let note = "INSERT OR IGNORE INTO removal (routing_key) VALUES (?1)";
            transaction.execute(note, [key])?;
            if force {
                transaction.execute(NOTE_DECLARED, [key])?;
            }
            let ours = "SELECT count(*) FROM declared WHERE routing_key = ?1";
            let ours: i64 = transaction.query_row(ours, [key], |row| row.get(0))?;
            let routing_key = event_stream.routing_key.clone();
            let removal = Removal { routing_key, destroys: ours > 0 };
            Ok(Some(Deleted { event_stream, removal: Some(removal) }))
        })
    }

    /// Streams whose last event stream was deleted and whose logs may still be there.
    ///
    /// # Errors
    ///
    /// When the database can't be read.
    pub fn pending_removals(&self) -> Result<Vec<Removal>, RegistryError> {
        let fault = |fault| RegistryError::from_sqlite(&self.path, "list removals", fault);
        let select = "SELECT routing_key, routing_key IN (SELECT routing_key FROM declared)
                      FROM removal ORDER BY routing_key";
        let mut statement = self.connection.prepare(select).map_err(fault)?;
        let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?));
        let rows = statement.query_map([], read).map_err(fault)?;
        let mut found = Vec::new();
        for row in rows {
            let (name, destroys) = row.map_err(fault)?;
            if let Ok(routing_key) = StreamName::new(&name) {
                found.push(Removal { routing_key, destroys });
            }
        }
        Ok(found)
    }

    /// The log of this stream is gone, durably: its name may be used again.
    ///
    /// # Errors
    ///
    /// When the database can't be written.
    pub fn removed(&mut self, routing_key: &StreamName) -> Result<(), RegistryError> {
        self.change("note a removal", |transaction| {
            for delete in [
                "DELETE FROM removal WHERE routing_key = ?1",
                "DELETE FROM declared WHERE routing_key = ?1",
            ] {
                transaction.execute(delete, [routing_key.as_str()])?;
            }
            Ok(())
        })
    }

    /// Runs one transaction. It takes the write lock first: two that read before they write could
    /// otherwise both decide on what the other is about to change.
    fn change<T>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        let immediate = rusqlite::TransactionBehavior::Immediate;
        self.connection
            .transaction_with_behavior(immediate)
            .and_then(|transaction| {
                let outcome = work(&transaction)?;
                transaction.commit()?;
                Ok(outcome)
            })
            .map_err(|fault| RegistryError::from_sqlite(&self.path, operation, fault))
    }

    /// Reads the whole file once: better to refuse it at the start than to lose records later.
    fn check(&self) -> Result<(), RegistryError> {
        let found = self
            .connection
            .prepare(SELECT_ALL)
            .and_then(|_| self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)));
        let found: String =
            found.map_err(|fault| RegistryError::from_sqlite(&self.path, "check", fault))?;
        match &*found {
            "ok" => Ok(()),
            _ => Err(RegistryError::Damaged { path: self.path.clone(), what: found }),
        }
    }

    fn warn(&self, id: i64, what: &str) {
        log::warn!("{}: record {id} is passed over: {what}", self.path.display());
    }
}

/// Settings of the connection, before anything is read.
fn prepare(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS es (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT);
    CREATE TABLE IF NOT EXISTS last_id (
        one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS removal (routing_key TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS declared (routing_key TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO last_id (one, id) VALUES (1, 0);
";

const NOTE_DECLARED: &str = "INSERT OR IGNORE INTO declared (routing_key) VALUES (?1)";

const SELECT_ALL: &str = "SELECT id, uuid, routing_key FROM es ORDER BY id";

/// Notes that `id` and every id in the table was given. The reference may have been at work since
/// we last were.
fn note_id(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    let note = "UPDATE last_id SET id = max(id, ?1, coalesce((SELECT max(es.id) FROM es), 0))";
    transaction.execute(note, [id]).map(|_| ())
}

/// The event stream in a row, or why there is none: SQLite keeps any type in any column.
fn event_stream(row: &Row<'_>) -> Result<EventStream, &'static str> {
    let text = |index, what| match row.get_ref(index) {
        Ok(ValueRef::Text(bytes)) => str::from_utf8(bytes).map_err(|_| what),
        _ => Err(what),
    };
    let uuid = text(1, "its uuid is not a text")?;
    if uuid.is_empty() {
        return Err("its uuid is empty");
    }
    let routing_key = text(2, "its routing key is not a text")?;
    let routing_key =
        StreamName::new(routing_key).map_err(|_| "its routing key has not 1 to 255 bytes")?;
    let id = row.get(0).map_err(|_| "its id is not an integer")?;
    Ok(EventStream { id, uuid: uuid.to_owned(), routing_key })
}

#[cfg(test)]
mod tests;
