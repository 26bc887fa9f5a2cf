//! How much room the data directory's disk has.

use std::io;
use std::path::Path;

use rustix::fs::statvfs;

use crate::census::Disk;

/// Asks the kernel. Blocks where the disk does: not for a shard's thread.
///
/// # Errors
///
/// When `folder` isn't there, or its disk doesn't say.
pub fn disk(folder: &Path) -> io::Result<Disk> {
    let told = statvfs(folder)?;
    Ok(Disk {
        // What is left for root alone is not counted.
        free_bytes: told.f_frsize.saturating_mul(told.f_bavail),
        size_bytes: told.f_frsize.saturating_mul(told.f_blocks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_less_room_than_it_is_large() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path()).unwrap();
        assert!(0 < disk.free_bytes && disk.free_bytes <= disk.size_bytes, "{disk:?}");
        assert!(super::disk(&folder.path().join("nowhere")).is_err());
    }
}
