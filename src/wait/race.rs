//! The first of two things.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Waits for `one`, but not once `other` has come: then `None`, and `one` is dropped where it
/// stands.
pub async fn unless<T>(other: impl Future<Output = ()>, one: impl Future<Output = T>) -> Option<T> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => other.as_mut().poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_that_comes_decides_and_what_is_wanted_comes_first() {
        assert_eq!(now(unless(pending(), ready(7))), Poll::Ready(Some(7)));
        assert_eq!(now(unless(ready(()), ready(7))), Poll::Ready(Some(7)));
        assert_eq!(now(unless(ready(()), pending::<u8>())), Poll::Ready(None));
        assert_eq!(now(unless(pending(), pending::<u8>())), Poll::Pending);
    }
}
