//! The database beside a service that uses it: a copy as of one moment, and a look that changes
//! nothing.
//!
//! SQLite's own locks make it safe: the copy is made by one read transaction, which a writer waits
//! for (a copy of some thousand event streams takes milliseconds, and the service waits for
//! seconds), and it begins between two changes.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Registry, RegistryError};
use crate::limits::REGISTRY_BUSY_MS_MAX;

/// Copies the database at `from` to a new file `to`, which is durable when this returns (its name
/// in its folder is the caller's to sync). No part of `from` may be a symbolic link.
///
/// # Errors
///
/// When `from` can't be read, or `to` is there or can't be written.
pub fn snapshot(from: &Path, to: &Path) -> Result<(), RegistryError> {
    let failed =
        |what: String| RegistryError::Failed { path: to.to_owned(), operation: "copy to", what };
    let target = to.to_str().ok_or_else(|| failed("its name is not UTF-8".to_owned()))?;
    let copy = |flags| {
        let connection = Connection::open_with_flags(from, flags)?;
        connection.busy_timeout(Duration::from_millis(REGISTRY_BUSY_MS_MAX))?;
        connection.execute("VACUUM INTO ?1", [target]).map(|_| ())
    };
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let copied = match copy(read_only) {
        // Who died in a change has left a journal, and undoing that is writing.
        Err(fault) if undoing(&fault) => {
            copy(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW)
        }
        other => other,
    };
    copied.map_err(|fault| RegistryError::from_sqlite(from, "copy", fault))?;
    // SQLite doesn't sync what VACUUM INTO wrote.
    File::open(to).and_then(|file| file.sync_all()).map_err(|fault| failed(fault.to_string()))
}

fn undoing(fault: &rusqlite::Error) -> bool {
    matches!(fault.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

impl Registry {
    /// Opens the database at `path` to look into it: nothing is made and nothing is changed.
    ///
    /// # Errors
    ///
    /// When it isn't there, is locked or damaged, or is no database.
    pub fn open_to_read(path: &Path) -> Result<Self, RegistryError> {
        let fault = |fault| RegistryError::from_sqlite(path, "open", fault);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        let busy_timeout = Duration::from_millis(REGISTRY_BUSY_MS_MAX);
        connection.busy_timeout(busy_timeout).map_err(fault)?;
        let registry = Self { connection, path: path.to_owned() };
        registry.check()?;
        Ok(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StreamName;

    #[test]
    fn a_copy_is_as_of_one_moment_and_neither_side_is_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().canonicalize().expect("it is there");
        let (from, to) = (folder.join("a.db"), folder.join("b.db"));
        let mut registry = Registry::open(&from).expect("opens");
        let name = StreamName::new("abc").expect("a name");
        let first = registry.create(name.clone()).expect("creates");
        snapshot(&from, &to).expect("copies beside whoever has it open");
        registry.create(name).expect("creates");
        let copy = Registry::open_to_read(&to).expect("opens");
        assert_eq!(copy.list().expect("lists"), [first]);
        assert!(snapshot(&from, &to).is_err(), "nothing is written over");
        let nowhere = folder.join("c.db");
        assert!(Registry::open_to_read(&nowhere).is_err() && !nowhere.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().canonicalize().expect("it is there");
        Registry::open(&folder.join("a.db")).expect("opens");
        std::os::unix::fs::symlink(folder.join("a.db"), folder.join("link.db")).expect("links");
        assert!(snapshot(&folder.join("link.db"), &folder.join("b.db")).is_err());
    }
}
