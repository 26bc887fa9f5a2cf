//! The simulated disk behind the log's seam.
//!
//! Faults: power fails before any chosen operation; writes and reads come back short; operations
//! fail with EIO; space runs out, after a part of a write; a sync fails once and what it should
//! have saved is gone, while the next one says yes; a crash keeps parts of what was not synced,
//! names too (see [`Survival`]); bits flip, and writes land where they don't belong.

use std::cell::RefCell;
use std::io;
use std::path::{Component, Path};
use std::rc::Rc;

use bytes::Bytes;

use super::medium::{DirectoryNode, FileNode, Survival};
use super::{Dice, pause};
use crate::checksum::{crc32c, crc32c_append};
use crate::store::log::disk::{Disk, DiskFile, Listed};

/// The disk. Clones share the medium and its plan of misfortune.
#[derive(Clone)]
pub struct SimDisk(Rc<RefCell<State>>);

/// An open file.
pub struct SimFile {
    disk: SimDisk,
    node: usize,
    /// Opened before the last crash or restart: nothing must be using it.
    life: u64,
}

#[derive(Clone)]
struct State {
    nodes: Vec<Node>,
    dice: Dice,
    life: u64,
    /// Operations left before the power fails.
    power: Option<u64>,
    /// Operations left before one fails with EIO.
    error: Option<u64>,
    /// Bytes that files may still grow by.
    space: Option<u64>,
    sync_fails_one_in: Option<u64>,
    counts: Counts,
    trace: u32,
}

#[derive(Clone)]
enum Node {
    File(FileNode),
    Directory(DirectoryNode),
}

/// What happened so far: a rig that never hurts proves nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub operations: u64,
    pub short_writes: u64,
    pub short_reads: u64,
    pub errors: u64,
    pub full: u64,
    pub failed_syncs: u64,
    pub power_cuts: u64,
    pub torn_files: u64,
    pub lost_names: u64,
    pub restarts: u64,
}

impl Counts {
    /// Adds up.
    pub const fn add(&mut self, one: &Self) {
        self.operations += one.operations;
        self.short_writes += one.short_writes;
        self.short_reads += one.short_reads;
        self.errors += one.errors;
        self.full += one.full;
        self.failed_syncs += one.failed_syncs;
        self.power_cuts += one.power_cuts;
        self.torn_files += one.torn_files;
        self.lost_names += one.lost_names;
        self.restarts += one.restarts;
    }

    /// Every fault was met at least once.
    pub fn assert_all_happened(&self) {
        let faults = [
            self.short_writes,
            self.short_reads,
            self.errors,
            self.full,
            self.failed_syncs,
            self.power_cuts,
            self.torn_files,
            self.lost_names,
            self.restarts,
        ];
        assert!(faults.iter().all(|count| *count > 0), "a fault never happened: {self:?}");
    }
}

impl SimDisk {
    /// An empty disk whose misfortunes follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            nodes: vec![Node::Directory(DirectoryNode::default())],
            dice: Dice::new(seed),
            life: 0,
            power: None,
            error: None,
            space: None,
            sync_fails_one_in: None,
            counts: Counts::default(),
            trace: 0,
        })))
    }

    /// A disk of its own that holds, and will suffer, the same.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Lets so many operations succeed and fails all after them, until [`SimDisk::crash`].
    pub fn power_fails_after(&self, operations: u64) {
        self.0.borrow_mut().power = Some(operations);
    }

    /// The operation after so many others fails with EIO, once.
    pub fn error_after(&self, operations: u64) {
        self.0.borrow_mut().error = Some(operations);
    }

    /// Files may grow by so many bytes in all; `None`: as they like.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.0.borrow_mut().space = bytes;
    }

    /// Whether syncs of data fail now and then, and lie afterwards.
    pub fn set_sync_fails_one_in(&self, times: Option<u64>) {
        self.0.borrow_mut().sync_fails_one_in = times;
    }

    /// Turns the power off and on.
    pub fn crash(&self, survival: Survival) {
        let state = &mut *self.0.borrow_mut();
        state.end_life();
        state.counts.power_cuts += 1;
        let piece = PIECES[state.dice.below(PIECES.len() as u64) as usize];
        for node in &mut state.nodes {
            match node {
                Node::File(file) => {
                    let torn = file.crash(survival, piece, &mut state.dice);
                    state.counts.torn_files += u64::from(torn);
                }
                Node::Directory(directory) => {
                    let lost = directory.crash(survival, &mut state.dice);
                    state.counts.lost_names += u64::from(lost);
                }
            }
        }
    }

    /// The process dies and comes back; the machine stays on. Its cache may have lost pages.
    pub fn restart(&self) {
        let state = &mut *self.0.borrow_mut();
        state.end_life();
        state.counts.restarts += 1;
        for node in &mut state.nodes {
            if let Node::File(file) = node
                && state.dice.once_in(2)
            {
                file.evict();
            }
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// A checksum of every operation so far.
    #[must_use]
    pub fn trace(&self) -> u32 {
        self.0.borrow().trace
    }

    /// What a file holds, as everyone sees it.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Vec<u8> {
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path).unwrap();
        state.file(node).unwrap().seen.clone()
    }

    /// Changes a file's bytes behind everyone's back.
    pub fn damage(&self, path: &Path, change: impl Fn(&mut Vec<u8>)) {
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path).unwrap();
        state.file(node).unwrap().damage(change);
    }

    /// Begins an operation: here time passes, and things go wrong.
    async fn operate(&self, what: &str, detail: u64) -> io::Result<()> {
        pause().await;
        let state = &mut *self.0.borrow_mut();
        match &mut state.power {
            Some(0) => return Err(io::Error::other("the power is off")),
            Some(left) => *left -= 1,
            None => {}
        }
        state.counts.operations += 1;
        state.trace = crc32c_append(state.trace, what.as_bytes());
        state.trace = crc32c_append(state.trace, &detail.to_le_bytes());
        match &mut state.error {
            Some(0) => {
                state.error = None;
                state.counts.errors += 1;
                Err(io::Error::from_raw_os_error(EIO))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    async fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.operate("mkdir", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let parent = state.find(path.parent().unwrap())?;
        let name = name_of(path);
        if !state.directory(parent)?.seen.contains_key(&name) {
            let node = state.add(Node::Directory(DirectoryNode::default()));
            state.directory(parent)?.change(vec![(name, Some(node))]);
        }
        Ok(())
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<Listed>> {
        self.operate("list", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(directory)?;
        let names = state.directory(node)?.seen.clone();
        let size = |node: &usize| match &state.nodes[*node] {
            Node::File(file) => file.seen.len() as u64,
            Node::Directory(_) => 0,
        };
        let listed = |(name, node)| Listed { bytes: size(node), name: String::clone(name) };
        Ok(names.iter().map(listed).collect())
    }

    async fn create(&self, path: &Path) -> io::Result<SimFile> {
        self.operate("create", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let parent = state.find(path.parent().unwrap())?;
        let name = name_of(path);
        let known = state.directory(parent)?.seen.get(&name).copied();
        let node = match known {
            Some(node) => node,
            None => {
                let node = state.add(Node::File(FileNode::default()));
                state.directory(parent)?.change(vec![(name, Some(node))]);
                node
            }
        };
        state.file(node)?.truncate(0);
        Ok(SimFile { disk: self.clone(), node, life: state.life })
    }

    async fn open(&self, path: &Path) -> io::Result<SimFile> {
        self.operate("open", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path)?;
        state.file(node)?;
        Ok(SimFile { disk: self.clone(), node, life: state.life })
    }

    async fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operate("remove", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path)?;
        state.file(node)?;
        let parent = state.find(path.parent().unwrap())?;
        state.directory(parent)?.change(vec![(name_of(path), None)]);
        Ok(())
    }

    async fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.operate("rmdir", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path)?;
        if !state.directory(node)?.seen.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let parent = state.find(path.parent().unwrap())?;
        state.directory(parent)?.change(vec![(name_of(path), None)]);
        Ok(())
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate("rename", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(from)?;
        assert_eq!(from.parent(), to.parent(), "names change within their directory");
        assert!(state.find(to).is_err(), "no name is taken over");
        let parent = state.find(from.parent().unwrap())?;
        let names = vec![(name_of(from), None), (name_of(to), Some(node))];
        state.directory(parent)?.change(names);
        Ok(())
    }

    async fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.operate("sync directory", 0).await?;
        let state = &mut *self.0.borrow_mut();
        let node = state.find(path)?;
        state.directory(node)?.sync();
        Ok(())
    }
}

impl DiskFile for SimFile {
    async fn write_at(&self, bytes: Bytes, position: u64) -> (io::Result<usize>, Bytes) {
        let done = self.disk.operate("write", position + u64::from(crc32c(&bytes))).await;
        let written = done.and_then(|()| self.write_now(&bytes, position as usize));
        (written, bytes)
    }

    async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        self.disk.operate("read", position).await?;
        let state = &mut *self.state();
        let short = length > 1 && state.dice.once_in(16);
        let length = if short { 1 + state.dice.below(length as u64) as usize } else { length };
        state.counts.short_reads += u64::from(short);
        let seen = &state.file(self.node)?.seen;
        let start = (position as usize).min(seen.len());
        Ok(seen[start..seen.len().min(start + length)].to_vec())
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.disk.operate("sync", self.node as u64).await?;
        let state = &mut *self.state();
        if state.sync_fails_one_in.is_some_and(|times| state.dice.once_in(times)) {
            state.counts.failed_syncs += 1;
            state.file(self.node)?.forget_changes();
            return Err(io::Error::from_raw_os_error(EIO));
        }
        state.file(self.node)?.sync();
        Ok(())
    }

    async fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.operate("truncate", length).await?;
        self.state().file(self.node)?.truncate(length as usize);
        Ok(())
    }
}

impl SimFile {
    fn state(&self) -> std::cell::RefMut<'_, State> {
        let state = self.disk.0.borrow_mut();
        assert_eq!(self.life, state.life, "a file is not used after its life");
        state
    }

    fn write_now(&self, bytes: &[u8], position: usize) -> io::Result<usize> {
        let state = &mut *self.state();
        let mut count = bytes.len();
        if state.dice.once_in(8) {
            count = 1 + state.dice.below(count as u64) as usize;
            state.counts.short_writes += u64::from(count < bytes.len());
        }
        let length = state.file(self.node)?.seen.len();
        if let Some(space) = state.space {
            let fits = length.max(position) + space as usize - position;
            count = count.min(fits);
            if count == 0 {
                state.counts.full += 1;
                return Err(io::Error::from_raw_os_error(ENOSPC));
            }
            let grown = (position + count).saturating_sub(length);
            state.space = Some(space - grown as u64);
        }
        state.file(self.node)?.write(position, &bytes[..count]);
        Ok(count)
    }
}

impl State {
    fn end_life(&mut self) {
        self.life += 1;
        self.power = None;
        self.error = None;
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn find(&mut self, path: &Path) -> io::Result<usize> {
        let mut node = 0;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let names = &self.directory(node)?.seen;
                node = *names.get(name.to_str().unwrap()).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(node)
    }

    fn file(&mut self, node: usize) -> io::Result<&mut FileNode> {
        match &mut self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn directory(&mut self, node: usize) -> io::Result<&mut DirectoryNode> {
        match &mut self.nodes[node] {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What survives or dies as one; a sector is 512 bytes, smaller pieces find more.
const PIECES: [usize; 4] = [4, 16, 64, 512];
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
