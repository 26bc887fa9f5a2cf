//! What one would write first: tokio, tokio-tungstenite, a broadcast channel, a task a consumer.
//!
//! One thread, nothing durable, published to from inside the process: all three in its favour.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use futures_util::{SinkExt, StreamExt};
use rustix::fd::OwnedFd;
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc as orders};
use tokio_tungstenite::tungstenite::Message;

use crate::arguments::Load;
use crate::consumers::fault;
use crate::event;
use crate::limit::TIMESTAMP;
use crate::process::{Worker, pin};
use crate::run::Source;

/// The server's thread.
#[derive(Debug)]
pub(crate) struct Naive {
    address: SocketAddr,
    worker: Worker,
    orders: orders::UnboundedSender<u64>,
}

impl Naive {
    /// Starts the server; it ends when this is dropped.
    pub(crate) fn start(load: &Load) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let (orders, ordered) = orders::unbounded_channel();
        let (told, worker) = mpsc::channel();
        let load = *load;
        thread::spawn(move || {
            let ready = pin(load.server_core).map(|()| Worker::here());
            let pinned = ready.is_ok();
            if told.send(ready).is_ok() && pinned {
                // A reader that is gone has said why; nobody is left to tell.
                let _ = serve(&load, listener, ordered);
            }
        });
        let worker = worker.recv().map_err(io::Error::other)??;
        Ok(Self { address, worker, orders })
    }
}

impl Source for Naive {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn path(&self) -> String {
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

    fn publish(&mut self, batches: u64) -> io::Result<()> {
        self.orders.send(batches).map_err(|_| fault("the naive server stopped"))
    }

    fn arrived(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

fn serve(
    load: &Load,
    listener: TcpListener,
    mut ordered: orders::UnboundedReceiver<u64>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Room for all that may be under way: the channel drops what a consumer is too slow for.
        let room = load.per_write * u64::from(load.in_flight) * 2;
        let room = usize::try_from(room.max(1 << 16)).map_err(io::Error::other)?;
        let (events, _) = broadcast::channel(room);
        for _ in 0..load.consumers {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(consumer(socket, events.subscribe()));
        }
        let body = event::body(load.bytes as usize);
        let mut ordinal = 1;
        while let Some(batches) = ordered.recv().await {
            for _ in 0..batches * load.per_write {
                let mut text = Vec::new();
                event::put_text(&body, ordinal, TIMESTAMP, &mut text);
                let text = String::from_utf8(text).map_err(io::Error::other)?;
                // Fails only when nobody is connected any more.
                let _ = events.send(Message::text(text));
                ordinal += 1;
            }
        }
        Ok(())
    })
}

/// Serves one consumer until either side has enough.
async fn consumer(socket: TcpStream, mut events: broadcast::Receiver<Message>) {
    let Ok(socket) = tokio_tungstenite::accept_async(socket).await else { return };
    let (mut outgoing, mut incoming) = socket.split();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(message) => if outgoing.send(message).await.is_err() { return },
                Err(_) => return,
            },
            message = incoming.next() => match message {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
