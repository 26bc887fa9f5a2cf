//! What one would write first: tokio, tokio-tungstenite, a broadcast channel, a task a consumer.
//!
//! One thread, nothing durable, published to from inside the process: all three in its favour. A
//! fourth is the size of its read buffers. tungstenite fills the whole buffer with zeros before
//! each read, 128 KiB unless one says otherwise, and whoever waits for either side with `select!`
//! reads once for each event: that was a third to two thirds of this server's time.

use std::io;
use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc as orders};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::arguments::Load;
use crate::event;
use crate::in_process::{InProcess, Order};
use crate::limit::TIMESTAMP;

/// Consumers say little.
const READ_BUFFER_BYTES: usize = 1_024;

/// Starts the server; it ends when what this returns is dropped.
pub(crate) fn start(load: &Load) -> io::Result<InProcess> {
    let (orders, ordered) = orders::unbounded_channel();
    let order = move |order| orders.send(order).is_ok();
    InProcess::start(load, order, move |load, listener| serve(load, listener, ordered))
}

fn serve(
    load: &Load,
    listener: TcpListener,
    mut ordered: orders::UnboundedReceiver<Order>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Room for all that may be under way: the channel drops what a consumer is too slow for.
        let room = load.per_write * load.writes * u64::from(load.in_flight) * 2;
        let room = if load.streams == 1 { room.max(1 << 16) } else { room.max(1 << 10) };
        let room = usize::try_from(room).map_err(io::Error::other)?;
        let mut streams = Vec::new();
        for _ in 0..load.streams {
            let (events, _) = broadcast::channel(room);
            for _ in 0..load.consumers {
                let (socket, _) = listener.accept().await?;
                socket.set_nodelay(true)?;
                tokio::spawn(consumer(socket, events.subscribe()));
            }
            streams.push((events, 1));
        }
        let body = event::body(load.bytes as usize);
        while let Some((stream, batches)) = ordered.recv().await {
            let Some((events, ordinal)) = streams.get_mut(stream) else { continue };
            for _ in 0..batches * load.per_write {
                let mut text = Vec::new();
                event::put_text(&body, *ordinal, TIMESTAMP, &mut text);
                let text = String::from_utf8(text).map_err(io::Error::other)?;
                // Fails only when nobody is connected any more.
                let _ = events.send(Message::text(text));
                *ordinal += 1;
            }
        }
        Ok(())
    })
}

/// Serves one consumer until either side has enough.
async fn consumer(socket: TcpStream, mut events: broadcast::Receiver<Message>) {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let Ok(socket) = accept_async_with_config(socket, Some(config)).await else { return };
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
