//! Sending what became visible to everybody who keeps up.
//!
//! It goes round: everybody is sent at most `--send-bytes`, and the same to nearly all, before the
//! first is sent more. So nobody waits for long until the others have had what is next.

use std::rc::Rc;

use crate::event::Ordinal;
use crate::limits::FAN_OUT_TURN;
use crate::store::Store;

use super::home::Home;
use super::seat::Passed;

/// Once round the table of consumers.
#[derive(Clone, Copy)]
struct Round {
    /// Where in the table it is.
    key: usize,
    /// Where the stream ended when it began.
    ceiling: Ordinal,
    /// Somebody who was served is owed more.
    more: bool,
}

/// Drives every consumer to the ceiling, round after round while the ceiling moves.
pub(super) async fn fan_out<S: Store>(home: Rc<Home<S>>) {
    let mut round = Round { key: 0, ceiling: home.ceiling(), more: false };
    while turn(&home, &mut round) {
        home.shard.turnstile.next().await;
    }
    // Nothing was waited for since the last look at the ceiling.
    home.fanning.set(false);
}

/// Serves some consumers. False when everybody is served.
fn turn<S: Store>(home: &Home<S>, round: &mut Round) -> bool {
    let hub = home.hub.borrow();
    let (mut stretch, mut passed) = (None, Passed::default());
    let mut served = 0;
    while served < FAN_OUT_TURN {
        if round.key >= hub.sessions.capacity() {
            if !round.more && round.ceiling == hub.tail.ceiling() {
                break;
            }
            *round = Round { key: 0, ceiling: hub.tail.ceiling(), more: false };
        }
        if let Some(seat) = hub.sessions.get(round.key) {
            round.more |= seat.serve(&hub.tail, &mut stretch, &mut passed);
            served += 1;
        }
        round.key += 1;
    }
    home.sent(passed.events, passed.bytes);
    home.shard.meters.tail_sends.add(passed.sends);
    served == FAN_OUT_TURN
}
