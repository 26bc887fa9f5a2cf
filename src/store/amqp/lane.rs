//! Publishing, a batch at a time on a channel of its own, with confirms.
//!
//! One batch at a time, because a message that comes back doesn't say which publish it was of. A
//! lane serves every routing key that falls on it, so the publishes of a stream stay in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use amqprs::BasicProperties;
use amqprs::channel::{BasicPublishArguments, ConfirmSelectArguments};
use async_channel::{Receiver, Sender};
use bytes::Bytes;
use tokio::time::{sleep_until, timeout_at};

use super::fault::Fault;
use super::links::now;
use super::links::{Links, Opened, Said};
use crate::limits::{
    AMQP_NUDGE_PAUSE, AMQP_UNCONFIRMED_BYTES_MAX, AMQP_UNCONFIRMED_MAX, BROKER_CONFIRM_TIMEOUT,
};

/// A message to publish, or one that came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Its `message-id`, at most 255 bytes.
    pub id: Option<String>,
    /// What it says.
    pub body: Bytes,
}

/// Messages to publish, and who waits for them.
pub(super) struct Batch {
    pub(super) exchange: Arc<str>,
    pub(super) routing_key: Arc<str>,
    pub(super) messages: Vec<Message>,
    pub(super) reply: Sender<Result<(), Fault>>,
}

/// Serves one lane until nobody can bring more. `nudged`: what is written may be kept back (TLS).
pub(super) async fn run(batches: Receiver<Batch>, links: Links, nudged: bool) {
    let mut lane = Lane { links, open: None, nudged };
    while let Ok(batch) = batches.recv().await {
        // Who has given up was told that nothing is known; what was not begun is not stored.
        if !batch.reply.is_closed() {
            let published = lane.publish(&batch).await;
            let _ = batch.reply.try_send(published);
        }
    }
    if let Some(Open { opened, .. }) = lane.open {
        opened.close().await;
    }
}

struct Lane {
    links: Links,
    open: Option<Open>,
    nudged: bool,
}

/// A channel on which the broker confirms.
struct Open {
    opened: Opened,
    /// The delivery tag of the next message: counted by both sides from 1 (AMQP has no field).
    next_tag: u64,
}

impl Lane {
    async fn publish(&mut self, batch: &Batch) -> Result<(), Fault> {
        let mut open = self.ready().await?;
        let mut tally = Tally::default();
        let went = send(&mut open, batch, &mut tally, self.nudged).await;
        match went {
            Ok(()) => {
                self.open = Some(open);
                tally.verdict(batch)
            }
            // What is left unsettled would be taken for the next batch's: the channel goes.
            Err(fault) if tally.stored == 0 && matches!(fault, Fault::Told { .. }) => Err(fault),
            Err(fault) if tally.sent == 0 => Err(fault),
            Err(fault) => Err(Fault::Unknown(fault.to_string().into())),
        }
    }

    /// A channel that can be published on.
    async fn ready(&mut self) -> Result<Open, Fault> {
        if let Some(open) = self.open.take()
            && open.opened.usable()
        {
            return Ok(open);
        }
        let opened = self.links.channel().await?;
        let confirms = opened.channel.confirm_select(ConfirmSelectArguments::new(false)).await;
        match confirms {
            Ok(()) => Ok(Open { opened, next_tag: 1 }),
            Err(_) => Err(opened.fault()),
        }
    }
}

/// Sends the batch and waits until all of it is settled.
async fn send(
    open: &mut Open,
    batch: &Batch,
    tally: &mut Tally,
    nudged: bool,
) -> Result<(), Fault> {
    let arguments =
        BasicPublishArguments::new(&batch.exchange, &batch.routing_key).mandatory(true).finish();
    for message in &batch.messages {
        while tally.is_full(message.body.len()) {
            hear(open, tally, nudged).await?;
        }
        if tally.returned > 0 {
            break;
        }
        let body = message.body.to_vec();
        let published =
            open.opened.channel.basic_publish(properties(message), body, arguments.clone());
        published.await.map_err(|_| open.opened.fault())?;
        tally.sent(open.next_tag, message.body.len());
        open.next_tag += 1;
    }
    while !tally.unsettled.is_empty() {
        hear(open, tally, nudged).await?;
    }
    Ok(())
}

fn properties(message: &Message) -> BasicProperties {
    let json = message.body.first() == Some(&b'{');
    let mut properties = BasicProperties::default();
    properties.with_delivery_mode(amqprs::DELIVERY_MODE_PERSISTENT).with_content_type(if json {
        "application/json"
    } else {
        "text/plain"
    });
    if let Some(id) = &message.id {
        properties.with_message_id(id);
    }
    properties
}

/// Waits for the broker's next word.
async fn hear(open: &mut Open, tally: &mut Tally, nudged: bool) -> Result<(), Fault> {
    let deadline = now() + BROKER_CONFIRM_TIMEOUT;
    let mut nudge = now() + AMQP_NUDGE_PAUSE;
    loop {
        let said = tokio::select! {
            said = timeout_at(deadline, open.opened.heard.recv()) => said,
            () = sleep_until(nudge), if nudged => {
                // Asks for what is so already, without an answer: any frame does.
                let any = ConfirmSelectArguments::new(true);
                let nudged = open.opened.channel.confirm_select(any).await;
                nudged.map_err(|_| open.opened.fault())?;
                nudge = now() + AMQP_NUDGE_PAUSE;
                continue;
            }
        };
        return match said {
            Ok(Some(said)) => {
                tally.heard(said);
                Ok(())
            }
            Ok(None) => Err(open.opened.fault()),
            Err(_) => Err(Fault::Lost(
                "the broker doesn't confirm; is it short of memory or disk space?".into(),
            )),
        };
    }
}

/// What became of a batch's messages.
#[derive(Default)]
struct Tally {
    /// Tags and sizes of those not heard of.
    unsettled: BTreeMap<u64, usize>,
    unsettled_bytes: usize,
    sent: usize,
    /// Confirmed, returned ones among them.
    stored: usize,
    not_stored: usize,
    returned: usize,
}

impl Tally {
    fn is_full(&self, next_bytes: usize) -> bool {
        !self.unsettled.is_empty()
            && (self.unsettled.len() >= AMQP_UNCONFIRMED_MAX
                || self.unsettled_bytes + next_bytes > AMQP_UNCONFIRMED_BYTES_MAX)
    }

    fn sent(&mut self, tag: u64, bytes: usize) {
        self.unsettled.insert(tag, bytes);
        self.unsettled_bytes += bytes;
        self.sent += 1;
    }

    fn heard(&mut self, said: Said) {
        match said {
            Said::Stored { tag, multiple } => self.stored += self.settle(tag, multiple),
            Said::NotStored { tag, multiple } => self.not_stored += self.settle(tag, multiple),
            Said::Returned => self.returned += 1,
            Said::Cancelled => {}
        }
    }

    /// How many were settled by it.
    fn settle(&mut self, tag: u64, multiple: bool) -> usize {
        let later = if multiple { self.unsettled.split_off(&(tag + 1)) } else { BTreeMap::new() };
        let settled = if multiple {
            std::mem::replace(&mut self.unsettled, later)
        } else {
            self.unsettled.remove_entry(&tag).into_iter().collect()
        };
        self.unsettled_bytes -= settled.values().sum::<usize>();
        settled.len()
    }

    /// How it ended for whoever brought the batch, once all is settled.
    fn verdict(&self, batch: &Batch) -> Result<(), Fault> {
        let all = batch.messages.len();
        let kept = self.stored - self.returned.min(self.stored);
        match (kept, self.returned, self.not_stored) {
            (kept, 0, 0) if kept == all => Ok(()),
            (0, 1.., _) => Err(Fault::NoRoute {
                exchange: Arc::clone(&batch.exchange),
                routing_key: Arc::clone(&batch.routing_key),
            }),
            (0, ..) => Err(Fault::NotStored),
            (kept, ..) => Err(Fault::Unknown(
                format!("only {kept} of {all} events found a queue or were stored").into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(count: usize) -> Batch {
        let message = Message { id: None, body: Bytes::from_static(b"a") };
        let (reply, _) = async_channel::bounded(1);
        let messages = vec![message; count];
        Batch { exchange: "x".into(), routing_key: "k".into(), messages, reply }
    }

    fn tally(sent: u64, said: &[Said]) -> Tally {
        let mut tally = Tally::default();
        (1..=sent).for_each(|tag| tally.sent(tag, 10));
        said.iter().for_each(|said| tally.heard(*said));
        tally
    }

    const fn stored(tag: u64, multiple: bool) -> Said {
        Said::Stored { tag, multiple }
    }

    #[test]
    fn a_batch_is_stored_when_every_message_is() {
        let whole = tally(3, &[stored(2, false), stored(1, false), stored(3, true)]);
        assert!(whole.unsettled.is_empty() && whole.unsettled_bytes == 0);
        assert_eq!(whole.verdict(&batch(3)), Ok(()));
        let half = tally(3, &[stored(2, true)]);
        assert_eq!((half.unsettled.len(), half.unsettled_bytes), (1, 10));
    }

    #[test]
    fn what_comes_back_has_no_route() {
        let none = tally(1, &[Said::Returned, stored(1, false)]);
        assert!(matches!(none.verdict(&batch(2)), Err(Fault::NoRoute { .. })));
        let some = tally(2, &[Said::Returned, stored(2, true)]);
        let told = some.verdict(&batch(2)).unwrap_err();
        assert_eq!(told, Fault::Unknown("only 1 of 2 events found a queue or were stored".into()));
    }

    #[test]
    fn what_the_broker_could_not_store_is_told() {
        let none = tally(2, &[Said::NotStored { tag: 2, multiple: true }]);
        assert_eq!(none.verdict(&batch(2)), Err(Fault::NotStored));
        let some = tally(2, &[Said::NotStored { tag: 2, multiple: false }, stored(1, false)]);
        assert!(matches!(some.verdict(&batch(2)), Err(Fault::Unknown(_))));
    }

    #[test]
    fn messages_under_way_are_bounded_by_number_and_by_bytes() {
        let most = u64::try_from(AMQP_UNCONFIRMED_MAX).unwrap();
        assert!(!tally(most - 1, &[]).is_full(1));
        assert!(tally(most, &[]).is_full(1));
        let room = AMQP_UNCONFIRMED_BYTES_MAX - 10;
        assert!(!tally(1, &[]).is_full(room));
        assert!(tally(1, &[]).is_full(room + 1));
        assert!(!tally(0, &[]).is_full(usize::MAX), "a larger one goes alone");
    }
}
