//! What the tasks of one shard share. Nothing of it leaves the thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use log::{error, warn};

use crate::census::Driver;
use crate::checksum::crc32c;
use crate::clock::Tick;
use crate::config::Config;
use crate::doors::management::Publication;
use crate::event::StreamName;
use crate::net::{Sockets, Turnstile};
use crate::registry::{EventStream, Removal};
use crate::store::{AppendError, Bounds, ReadError, Receipt, Store, StoreError};
use crate::wait::Permits;

use super::directory::Directory;
use super::home::Home;
use super::inbox::Inbox;
use super::line::Ending;
use super::mailbox::{Mailboxes, Message};
use super::meters::Meters;
use super::request_ids::RequestIds;

/// One shard.
pub(super) struct Shard<S: Store> {
    /// Which of the shards this is.
    pub(super) index: usize,
    pub(super) config: Arc<Config>,
    pub(super) store: S,
    /// The event streams the service knows; every shard has its own copy.
    pub(super) directory: RefCell<Directory>,
    /// The streams whose home is here.
    pub(super) homes: RefCell<HashMap<StreamName, Rc<Home<S>>>>,
    /// Branches of streams whose home is elsewhere.
    pub(super) branches: RefCell<HashMap<StreamName, Rc<Home<S>>>>,
    /// Homes of removed streams, and branches that have ended, while consumers are still being sent
    /// away.
    pub(super) leaving: RefCell<Vec<Rc<Home<S>>>>,
    pub(super) mailboxes: Mailboxes,
    pub(super) sockets: Sockets,
    pub(super) turnstile: Turnstile,
    pub(super) inbox: Inbox<S>,
    pub(super) history_permits: Permits,
    pub(super) body_budget: Rc<super::budget::Budget>,
    pub(super) request_ids: Rc<RequestIds>,
    /// Where requests are read into, a piece at a time.
    pub(super) http_buffer: Rc<RefCell<Vec<u8>>>,
    /// Requests being answered.
    pub(super) requests: Cell<usize>,
    /// The service stops: no new work.
    pub(super) stopping: Cell<bool>,
    pub(super) coarse_now: Cell<Tick>,
    pub(super) driver: Driver,
    pub(super) meters: Meters,
}

impl<S: Store> Shard<S> {
    /// The time to the sweeper's precision, without asking the clock.
    pub(super) fn now(&self) -> Tick {
        self.coarse_now.get()
    }

    /// The shard where the stream `name` lives.
    pub(super) fn home_of(&self, name: &StreamName) -> usize {
        home_of(name, self.config.shards)
    }

    /// The stream `name`, when its home is here and it is open.
    pub(super) fn home(&self, name: &StreamName) -> Option<Rc<Home<S>>> {
        self.homes.borrow().get(name).cloned()
    }

    /// Opens the stream `name` here. Fine when it is open.
    ///
    /// # Errors
    ///
    /// When the store can't.
    pub(super) async fn open(self: &Rc<Self>, name: &StreamName) -> Result<(), StoreError> {
        assert!(self.home_of(name) == self.index, "a stream is opened at home");
        if self.home(name).is_none() {
            let home = Home::open(self, name.clone()).await?;
            self.homes.borrow_mut().insert(name.clone(), home);
        }
        Ok(())
    }

    /// Puts a fresh home in the place of one whose stream is gone: who comes next is served there,
    /// while the old one's consumers are still being sent away.
    pub(super) async fn replace(self: &Rc<Self>, gone: &Rc<Home<S>>) {
        let current = self.home(&gone.name);
        if !current.is_some_and(|current| Rc::ptr_eq(&current, gone)) {
            return;
        }
        self.homes.borrow_mut().remove(&gone.name);
        self.leaving.borrow_mut().push(Rc::clone(gone));
        if let Err(fault) = gone.close().await {
            warn!("{}: not closed cleanly after it was gone: {fault}", gone.name);
        }
        if let Err(fault) = self.open(&gone.name).await {
            error!("{}: {fault}", super::reasons::unavailable(&gone.name));
        }
    }

    /// Closes a stream and removes its events. Fine when there is none.
    ///
    /// # Errors
    ///
    /// When the store can't.
    pub(super) async fn remove(self: &Rc<Self>, removal: &Removal) -> Result<(), StoreError> {
        let Removal { routing_key: name, destroys } = removal;
        let home = self.homes.borrow_mut().remove(name);
        if let Some(home) = home {
            self.leaving.borrow_mut().push(Rc::clone(&home));
            home.end_all(&super::reasons::DELETED, |_| true);
            home.spread.end(Ending::Deleted);
            home.frames_finished().await;
            // What can't be synced any more is removed all the same.
            if let Err(fault) = home.close().await {
                warn!("{name}: not closed cleanly before its removal: {fault}");
            }
        }
        if *destroys { self.store.destroy(name).await } else { self.store.remove(name).await }
    }

    /// What the stream of this event stream holds, whose home is here, and how many consumers came
    /// through the event stream.
    pub(super) async fn describe(
        &self,
        event_stream: &EventStream,
    ) -> Result<(Bounds, usize), ReadError> {
        match self.home(&event_stream.routing_key) {
            Some(home) => home.describe(&event_stream.uuid).await,
            None => Err(ReadError::Closed),
        }
    }

    /// Ends the consumers here that came through this event stream.
    pub(super) fn end_consumers_of(&self, EventStream { uuid, routing_key, .. }: &EventStream) {
        let homes = [self.home(routing_key), self.branch(routing_key)];
        for home in homes.into_iter().flatten() {
            home.end_all(&super::reasons::DELETED, |one| one == uuid);
        }
    }

    /// Appends to the stream `name`, wherever its home is.
    pub(super) async fn append(
        self: &Rc<Self>,
        name: &StreamName,
        publication: Publication,
    ) -> Result<Receipt, AppendError> {
        let index = self.home_of(name);
        if index == self.index {
            return self.append_here(name, publication).await;
        }
        let (reply, answer) = async_channel::bounded(1);
        let message = Message::Append { name: name.clone(), publication, reply };
        self.mailboxes.send(index, message).await;
        answer.recv().await.unwrap_or(Err(AppendError::Closed))
    }

    /// Appends to a stream whose home is here.
    pub(super) async fn append_here(
        self: &Rc<Self>,
        name: &StreamName,
        publication: Publication,
    ) -> Result<Receipt, AppendError> {
        match self.home(name) {
            Some(home) => home.append(publication).await,
            None => Err(AppendError::Closed),
        }
    }

    /// All homes with consumers to look after: the streams', branches, and those that are gone.
    pub(super) fn all_attended(&self) -> Vec<Rc<Home<S>>> {
        self.leaving.borrow_mut().retain(|home| home.has_sessions());
        let mut homes = self.all_homes();
        homes.extend(self.branches.borrow().values().cloned());
        homes.extend(self.leaving.borrow().iter().cloned());
        homes
    }

    /// All streams at home here.
    pub(super) fn all_homes(&self) -> Vec<Rc<Home<S>>> {
        self.homes.borrow().values().cloned().collect()
    }
}

/// Where the stream `name` lives among `shards`. Not kept anywhere: another number of shards may
/// put it elsewhere at the next start.
pub(super) fn home_of(name: &StreamName, shards: usize) -> usize {
    crc32c(name.as_str().as_bytes()) as usize % shards
}
