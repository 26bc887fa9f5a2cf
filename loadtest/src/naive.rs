//! What one would write first: tokio, tokio-tungstenite, a broadcast channel, a task a consumer.
//!
//! One thread, nothing durable, published to from inside the process: all three in its favour.

use std::io;
use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc as orders};
use tokio_tungstenite::tungstenite::Message;

use crate::arguments::Load;
use crate::event;
use crate::in_process::InProcess;
use crate::limit::TIMESTAMP;

/// Starts the server; it ends when what this returns is dropped.
pub(crate) fn start(load: &Load) -> io::Result<InProcess> {
    let (orders, ordered) = orders::unbounded_channel();
    let order = move |batches| orders.send(batches).is_ok();
    InProcess::start(load, order, move |load, listener| serve(load, listener, ordered))
}

fn serve(
    load: &Load,
    listener: TcpListener,
    mut ordered: orders::UnboundedReceiver<u64>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
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
