//! What can go wrong with the database: the world's faults, and what to do about each.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::event::StreamName;

/// Why the registry couldn't do it. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RegistryError {
    /// Another process holds the file.
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// The file is no database of ours, or broken.
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        what: String,
    },
    /// The file can't be opened for writing.
    Unwritable {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        what: String,
    },
    /// The disk is full.
    NoSpace {
        /// The database.
        path: PathBuf,
    },
    /// The greatest id of all was given.
    Exhausted {
        /// The database.
        path: PathBuf,
    },
    /// Reading or writing failed.
    Failed {
        /// The database.
        path: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// SQLite's words.
        what: String,
    },
    /// The stream was deleted and its log isn't removed yet.
    RemovalPending {
        /// Its name.
        routing_key: StreamName,
    },
}

impl RegistryError {
    pub(super) fn from_sqlite(
        path: &Path,
        operation: &'static str,
        fault: rusqlite::Error,
    ) -> Self {
        let (path, what) = (path.to_owned(), fault.to_string());
        // A table that isn't as we know it.
        if matches!(
            fault,
            rusqlite::Error::SqlInputError { .. } | rusqlite::Error::InvalidColumnType(..)
        ) {
            return Self::Damaged { path, what };
        }
        match fault.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown,
            ) => Self::Damaged { path, what },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Unwritable { path, what }
            }
            Some(ErrorCode::DiskFull) => Self::NoSpace { path },
            _ => Self::Failed { path, operation, what },
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => {
                write!(out, "{} is in use by another process: stop that one first", path.display())
            }
            Self::Damaged { path, what } => write!(
                out,
                "{} is not a usable database ({what}): restore it, or move it away",
                path.display()
            ),
            Self::Unwritable { path, what } => write!(
                out,
                "{} can't be opened for writing ({what}): its folder must exist and be writable",
                path.display()
            ),
            Self::NoSpace { path } => {
                write!(out, "{}: no space left on its disk", path.display())
            }
            Self::Exhausted { path } => {
                write!(out, "{}: the greatest id was given: no other is left", path.display())
            }
            Self::Failed { path, operation, what } => {
                write!(out, "{}: {operation} failed: {what}", path.display())
            }
            Self::RemovalPending { routing_key } => write!(
                out,
                "the events of the deleted stream {routing_key} are still being removed: try again"
            ),
        }
    }
}

impl std::error::Error for RegistryError {}
