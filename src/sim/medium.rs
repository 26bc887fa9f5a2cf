//! What is on the simulated disk, and what a crash leaves of it.
//!
//! Every node, a file or a directory, is kept twice: as everyone sees it (the page cache), and as
//! it is durable, with the changes between the two in order. A sync makes the changes durable; a
//! crash lets some of them survive; a failed sync forgets them, while everyone still sees them, as
//! Linux does with pages it failed to write.

use std::collections::BTreeMap;

use super::Dice;

/// What survives of the changes that were not synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// The first of them; the last of those in part, from its beginning.
    Prefix,
    /// Of each, a random set of pieces.
    Pieces,
    /// For each change one of the others.
    Mixed,
}

impl Survival {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::All, Self::Prefix, Self::Pieces, Self::Mixed];
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileNode {
    pub(super) seen: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// A directory: names of nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct DirectoryNode {
    pub(super) seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Each one step that happens wholly or not: a rename takes one name and gives another.
    changes: Vec<Vec<(String, Option<usize>)>>,
}

impl FileNode {
    pub(super) fn write(&mut self, position: usize, bytes: &[u8]) {
        put(&mut self.seen, position, bytes);
        self.changes.push(Change::Write(position, bytes.to_vec()));
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.changes.push(Change::Truncate(length));
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write(position, bytes) => put(&mut self.durable, position, &bytes),
                Change::Truncate(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// The sync that failed: what it should have saved is seen, but will never be saved.
    pub(super) fn forget_changes(&mut self) {
        self.changes.clear();
    }

    /// Pages leave the cache: what is read again comes from the disk.
    pub(super) fn evict(&mut self) {
        let mut seen = self.durable.clone();
        for change in &self.changes {
            match change {
                Change::Write(position, bytes) => put(&mut seen, *position, bytes),
                Change::Truncate(length) => seen.resize(*length, 0),
            }
        }
        self.seen = seen;
    }

    /// Changes bytes behind everyone's back.
    pub(super) fn damage(&mut self, change: impl Fn(&mut Vec<u8>)) {
        change(&mut self.seen);
        change(&mut self.durable);
    }

    /// Returns whether a change survived in part.
    pub(super) fn crash(&mut self, survival: Survival, piece: usize, dice: &mut Dice) -> bool {
        let changes = std::mem::take(&mut self.changes);
        let whole = dice.below(changes.len() as u64 + 1) as usize;
        let mut torn = false;
        for (index, change) in changes.into_iter().enumerate() {
            let keep = match (survival, index.cmp(&whole)) {
                (Survival::Prefix, std::cmp::Ordering::Less) => Survival::All,
                (Survival::Prefix, std::cmp::Ordering::Greater) => Survival::Nothing,
                (Survival::Mixed, _) => Survival::ALL[dice.below(4) as usize],
                (same, _) => same,
            };
            torn |= matches!(keep, Survival::Prefix | Survival::Pieces);
            match change {
                Change::Truncate(length) => {
                    let kept =
                        keep == Survival::All || keep != Survival::Nothing && dice.once_in(2);
                    self.durable.resize(if kept { length } else { self.durable.len() }, 0);
                }
                Change::Write(position, bytes) => {
                    let prefix = dice.below(bytes.len() as u64 + 1) as usize;
                    for (index, piece_bytes) in bytes.chunks(piece).enumerate() {
                        let start = index * piece;
                        let kept = match keep {
                            Survival::Nothing => 0,
                            Survival::Prefix => prefix.saturating_sub(start).min(piece_bytes.len()),
                            Survival::Pieces => piece_bytes.len() * usize::from(dice.once_in(2)),
                            Survival::All | Survival::Mixed => piece_bytes.len(),
                        };
                        put(&mut self.durable, position + start, &piece_bytes[..kept]);
                    }
                }
            }
        }
        self.seen = self.durable.clone();
        torn
    }
}

impl DirectoryNode {
    pub(super) fn change(&mut self, names: Vec<(String, Option<usize>)>) {
        apply(&mut self.seen, &names);
        self.changes.push(names);
    }

    pub(super) fn sync(&mut self) {
        for names in std::mem::take(&mut self.changes) {
            apply(&mut self.durable, &names);
        }
    }

    /// Returns whether a name was lost.
    pub(super) fn crash(&mut self, survival: Survival, dice: &mut Dice) -> bool {
        let changes = std::mem::take(&mut self.changes);
        let whole = dice.below(changes.len() as u64 + 1) as usize;
        let mut lost = false;
        for (index, names) in changes.into_iter().enumerate() {
            let kept = match survival {
                Survival::Nothing => false,
                Survival::All => true,
                Survival::Prefix => index < whole,
                Survival::Pieces | Survival::Mixed => dice.once_in(2),
            };
            if kept {
                apply(&mut self.durable, &names);
            }
            lost |= !kept;
        }
        self.seen = self.durable.clone();
        lost
    }
}

fn apply(names: &mut BTreeMap<String, usize>, changes: &[(String, Option<usize>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn put(bytes: &mut Vec<u8>, position: usize, new: &[u8]) {
    let end = position + new.len();
    if new.is_empty() {
        return;
    }
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[position..end].copy_from_slice(new);
}
