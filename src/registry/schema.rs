//! The tables.
//!
//! ```text
//!  es           id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT     the reference's, untouched
//!  ess_counter  one row: last_id, the largest id ever given
//!  ess_removal  routing keys whose log has still to be removed
//! ```
//!
//! The journal stays SQLite's default (a rollback journal, deleted at commit) with full syncs: one
//! file at rest, which the reference or a backup can copy. Changes are rare, so what a write-ahead
//! log would save doesn't count.

use std::time::Duration;

use rusqlite::{Connection, Result, TransactionBehavior};

/// Sets the connection up and makes what is missing.
pub(super) fn prepare(database: &mut Connection) -> Result<()> {
    database.busy_timeout(BUSY_TIMEOUT)?;
    database.pragma_update(None, "synchronous", "FULL")?;
    // The switch from a write-ahead log, should another program have left one, answers a row.
    database.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let change = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(
        "CREATE TABLE IF NOT EXISTS es (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT);
         CREATE TABLE IF NOT EXISTS ess_counter (
             one INTEGER PRIMARY KEY CHECK (one = 1),
             last_id INTEGER NOT NULL
         );
         INSERT OR IGNORE INTO ess_counter (one, last_id) VALUES (1, 0);
         CREATE TABLE IF NOT EXISTS ess_removal (routing_key TEXT PRIMARY KEY);",
    )?;
    change.commit()
}

/// How long another program (a backup, the reference's shell) may hold the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
