//! Sending what became visible to everybody who keeps up.

use std::rc::Rc;

use crate::limits::FAN_OUT_TURN;
use crate::store::Store;

use super::home::Home;
use super::seat::Passed;

/// Drives every consumer to the ceiling, again and again while the ceiling moves.
pub(super) async fn fan_out<S: Store>(home: Rc<Home<S>>) {
    loop {
        let ceiling = home.ceiling();
        let mut key = Some(0);
        while let Some(from) = key {
            key = turn(&home, from);
            if key.is_some() {
                home.shard.turnstile.next().await;
            }
        }
        if home.ceiling() == ceiling {
            home.fanning.set(false);
            return;
        }
        home.shard.turnstile.next().await;
    }
}

/// Serves some consumers, from table position `from` on. Where to go on; `None` at the end.
fn turn<S: Store>(home: &Home<S>, from: usize) -> Option<usize> {
    let hub = home.hub.borrow();
    let (mut stretch, mut passed) = (None, Passed::default());
    let (mut key, mut served) = (from, 0);
    while served < FAN_OUT_TURN && key < hub.sessions.capacity() {
        if let Some(seat) = hub.sessions.get(key) {
            seat.serve(&hub.tail, &mut stretch, &mut passed);
            served += 1;
        }
        key += 1;
    }
    home.sent(passed.events, passed.bytes);
    home.shard.meters.tail_sends.add(passed.sends);
    (key < hub.sessions.capacity()).then_some(key)
}
