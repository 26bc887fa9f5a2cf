//! A server on a pinned thread of this process, published to over a channel.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use rustix::fd::OwnedFd;

use crate::arguments::Load;
use crate::consumers::fault;
use crate::process::{Worker, pin};
use crate::run::Source;

/// A stream, and how many batches are to be sent to it.
pub(crate) type Order = (usize, u64);

/// The server's thread; it ends when its orders do.
pub(crate) struct InProcess {
    address: SocketAddr,
    worker: Worker,
    /// Orders so many batches of a stream; false when the server has stopped.
    order: Box<dyn Fn(Order) -> bool>,
}

impl InProcess {
    /// Starts `serve` on the server's core, with a listener of its own. `order` reaches it.
    pub(crate) fn start(
        load: &Load,
        order: impl Fn(Order) -> bool + 'static,
        serve: impl FnOnce(&Load, TcpListener) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (told, worker) = mpsc::channel();
        let load = *load;
        thread::spawn(move || {
            let ready = pin(load.server_core).map(|()| Worker::here());
            let pinned = ready.is_ok();
            if told.send(ready).is_ok() && pinned {
                // A reader that is gone has said why; nobody is left to tell.
                let _ = serve(&load, listener);
            }
        });
        let worker = worker.recv().map_err(io::Error::other)??;
        Ok(Self { address, worker, order: Box::new(order) })
    }
}

impl Source for InProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn path(&self, _: usize) -> String {
        // Consumers connect stream by stream: their order says whose they are.
        "/".to_owned()
    }

    fn worker(&self) -> Worker {
        self.worker
    }

    fn begin(&mut self, _: &OwnedFd) -> io::Result<()> {
        Ok(())
    }

    fn ready(&self) -> bool {
        true
    }

    fn publish(&mut self, stream: usize, batches: u64) -> io::Result<()> {
        if (self.order)((stream, batches)) {
            Ok(())
        } else {
            Err(fault("the server in this process stopped"))
        }
    }

    fn arrived(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}
