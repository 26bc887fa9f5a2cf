//! Letting the driver have a turn.
//!
//! A task that wakes itself starves timers and other threads' wakes: monoio looks at those only
//! when no task is runnable. So whoever has much to do waits at the turnstile: a byte through a
//! socket pair, which only the driver can bring back.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use monoio::net::UnixStream;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Where tasks of one shard wait for the driver's next turn.
#[derive(Clone, Debug)]
pub struct Turnstile(Rc<State>);

#[derive(Debug)]
struct State {
    waiting: RefCell<Vec<Waker>>,
    poke: UnixStream,
}

impl Turnstile {
    /// Sets one up on this shard; its task lives as long as the shard.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn start() -> io::Result<Self> {
        let (poke, watch) = UnixStream::pair()?;
        let state = Rc::new(State { waiting: RefCell::default(), poke });
        monoio::spawn(turn(Rc::clone(&state), watch));
        Ok(Self(state))
    }

    /// Comes back after the driver has looked at sockets, timers and other threads.
    pub async fn next(&self) {
        let mut registered = false;
        poll_fn(|context| {
            if registered {
                return Poll::Ready(());
            }
            registered = true;
            let mut waiting = self.0.waiting.borrow_mut();
            if waiting.is_empty() {
                // A full pair already holds the byte that will wake us.
                let _ = send(fd(&self.0.poke), b"!", SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            }
            waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

async fn turn(state: Rc<State>, watch: UnixStream) {
    let mut sink = [0; 64];
    while watch.readable(false).await.is_ok() {
        let _ = recv(fd(&watch), &mut sink, RecvFlags::DONTWAIT);
        let waiting = std::mem::take(&mut *state.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }
}

fn fd(stream: &UnixStream) -> BorrowedFd<'_> {
    #[expect(unsafe_code, reason = "monoio's stream gives only the raw descriptor")]
    // SAFETY: the descriptor is open as long as `stream`, which outlives the borrow.
    unsafe {
        BorrowedFd::borrow_raw(stream.as_raw_fd())
    }
}
