//! What can go wrong with the registry's file.

use std::fmt;
use std::path::Path;

use rusqlite::ErrorCode;

/// Why the registry could not be read or changed: operation, place and cause in one line.
#[derive(Clone, Debug)]
pub struct RegistryError {
    text: String,
    full: bool,
}

impl RegistryError {
    #[expect(clippy::needless_pass_by_value, reason = "called as the end of an error's way")]
    pub(super) fn new(what: &str, path: &Path, fault: rusqlite::Error) -> Self {
        let code = fault.sqlite_error_code();
        let hint = match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                ": another program holds it; close that first"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                ": it is damaged or no SQLite file; restore it from a backup or move it away"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                ": check that the data directory is writable for this user"
            }
            Some(ErrorCode::DiskFull) => ": the disk is full",
            _ => "",
        };
        let text = format!("can't {what} in {}: {fault}{hint}", path.display());
        Self { text, full: code == Some(ErrorCode::DiskFull) }
    }

    /// The disk is full: trying again can help later.
    #[must_use]
    pub const fn disk_full(&self) -> bool {
        self.full
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for RegistryError {}
