//! What the process takes of the machine.

use std::fs;
use std::io;

use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};

use crate::census::Process;
use crate::clock::process_busy;

/// Asks the kernel. Blocks for as long as that counts the descriptors: not for a shard's thread.
///
/// # Errors
///
/// When `/proc` can't be read.
pub fn process() -> io::Result<Process> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Process {
        resident_bytes: pages * page_size() as u64,
        // Reading the directory takes one itself.
        descriptors: fs::read_dir("/proc/self/fd")?.count().saturating_sub(1),
        descriptors_max: getrlimit(Resource::Nofile).current,
        busy: process_busy(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_seen() {
        let before = process().unwrap();
        let taken: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/statm").unwrap()).collect();
        let during = process().unwrap();
        // Other tests open and close some too.
        assert!(during.descriptors > before.descriptors + 20, "{before:?} {during:?}");
        assert!(before.resident_bytes > 0 && during.busy >= before.busy);
        drop(taken);
    }
}
