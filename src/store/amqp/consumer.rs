//! Consuming from an exchange: a queue of one's own, that ends with whoever consumes.
//!
//! amqprs reads from its socket without end and keeps what comes, so what holds it back is the
//! broker: it sends no more than [`AMQP_PREFETCH`] messages ahead of their acknowledgements, and
//! these are sent when the consumer has taken the messages.

use std::sync::{Arc, OnceLock};

use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicQosArguments, ConsumerMessage,
    QueueBindArguments, QueueDeclareArguments,
};
use async_channel::{Receiver, Sender, bounded};
use tokio::sync::mpsc::UnboundedReceiver;

use super::fault::Fault;
use super::lane::Message;
use super::links::{Links, Opened, Said};
use super::topology::declare_exchange;
use crate::config::ExchangeKind;
use crate::limits::AMQP_PREFETCH;

/// What is consumed. It ends when this is dropped.
#[derive(Debug)]
pub struct Consuming {
    messages: Receiver<Vec<Message>>,
    over: Arc<OnceLock<Fault>>,
}

/// What to consume.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) exchange: Arc<str>,
    pub(super) kind: ExchangeKind,
    pub(super) routing_key: Arc<str>,
}

impl Consuming {
    /// The next messages, at least one; taking them is what lets the broker send more.
    ///
    /// # Errors
    ///
    /// Why no more will come.
    pub async fn next(&self) -> Result<Vec<Message>, Fault> {
        match self.messages.recv().await {
            Ok(messages) => Ok(messages),
            Err(_) => Err(self.over.get().cloned().unwrap_or(Fault::Stopping)),
        }
    }

    /// Ends it, as dropping does.
    pub fn end(&self) {
        self.messages.close();
    }
}

/// Declares queue and exchange, and hands over what comes until it ends on either side.
pub(super) async fn run(source: Source, links: Links, reply: Sender<Result<Consuming, Fault>>) {
    let (channel, deliveries) = match begin(&source, &links).await {
        Ok(begun) => begun,
        Err(fault) => return drop(reply.try_send(Err(fault))),
    };
    // One batch waits while the one before is being taken.
    let (messages, taken) = bounded(1);
    let over = Arc::new(OnceLock::new());
    let consuming = Consuming { messages: taken, over: Arc::clone(&over) };
    // Who has given up closes it by dropping it.
    let _ = reply.try_send(Ok(consuming));
    drop(reply);
    hand_over(channel, deliveries, &messages, &over).await;
}

type Begun = (Opened, UnboundedReceiver<ConsumerMessage>);

async fn begin(source: &Source, links: &Links) -> Result<Begun, Fault> {
    let opened = links.channel().await?;
    let begun = async {
        let Source { exchange, kind, routing_key } = source;
        let channel = &opened.channel;
        declare_exchange(&opened, exchange, *kind).await.ok()?;
        channel.basic_qos(BasicQosArguments::new(0, AMQP_PREFETCH, false)).await.ok()?;
        let queue = QueueDeclareArguments::exclusive_server_named().auto_delete(true).finish();
        let (queue, ..) = channel.queue_declare(queue).await.ok()??;
        let bind = QueueBindArguments::new(&queue, exchange, routing_key);
        channel.queue_bind(bind).await.ok()?;
        let consume = BasicConsumeArguments::new(&queue, "").manual_ack(true).finish();
        let (_, deliveries) = channel.basic_consume_rx(consume).await.ok()?;
        Some(deliveries)
    };
    match begun.await {
        Some(deliveries) => Ok((opened, deliveries)),
        None => {
            let fault = opened.fault();
            opened.close().await;
            Err(fault)
        }
    }
}

/// Hands over what comes, and acknowledges what is taken.
async fn hand_over(
    mut opened: Opened,
    mut deliveries: UnboundedReceiver<ConsumerMessage>,
    messages: &Sender<Vec<Message>>,
    over: &OnceLock<Fault>,
) {
    loop {
        let first = tokio::select! {
            delivery = deliveries.recv() => delivery,
            said = opened.heard.recv() => match said {
                Some(Said::Cancelled) => {
                    let _ = over.set(Fault::Lost("the broker has dropped its queue".into()));
                    break;
                }
                Some(Said::Stored { .. } | Said::NotStored { .. } | Said::Returned) => continue,
                None => None,
            },
            () = messages.closed() => break,
        };
        let Some(first) = first else {
            let _ = over.set(opened.fault());
            break;
        };
        let mut last_tag = 0;
        let mut batch = Vec::new();
        take(first, &mut batch, &mut last_tag);
        while batch.len() < usize::from(AMQP_PREFETCH)
            && let Ok(more) = deliveries.try_recv()
        {
            take(more, &mut batch, &mut last_tag);
        }
        if !batch.is_empty() && messages.send(batch).await.is_err() {
            break;
        }
        // All up to the last of them: nobody else consumes on this channel.
        if opened.channel.basic_ack(BasicAckArguments::new(last_tag, true)).await.is_err() {
            let _ = over.set(opened.fault());
            break;
        }
    }
    messages.close();
    opened.close().await;
}

fn take(delivery: ConsumerMessage, batch: &mut Vec<Message>, last_tag: &mut u64) {
    let ConsumerMessage { deliver, basic_properties, content, .. } = delivery;
    if let Some(deliver) = deliver {
        *last_tag = deliver.delivery_tag();
    }
    let id = basic_properties.and_then(|properties| properties.message_id().cloned());
    batch.push(Message { id, body: content.unwrap_or_default().into() });
}
