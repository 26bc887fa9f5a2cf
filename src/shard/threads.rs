//! A shard's thread: pinned to a core, with a runtime of its own.

use std::future::Future;
use std::io;
use std::thread::{Builder, JoinHandle};

use log::{info, warn};
use monoio::blocking::DefaultThreadPool;
use monoio::utils::detect_uring;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::census;
use crate::config::Driver;
use crate::limits::{DISK_THREADS, RING_ENTRIES};

/// Starts shard `index` on its own thread and runs what `main` makes there.
///
/// # Errors
///
/// When no thread can be started.
pub(super) fn start<F, M>(index: usize, driver: Driver, main: M) -> io::Result<JoinHandle<bool>>
where
    M: FnOnce(census::Driver) -> F + Send + 'static,
    F: Future<Output = bool>,
{
    Builder::new().name(format!("ess-shard-{index}")).spawn(move || {
        // Before pinning: threads inherit the core, and the disk's must not take the shard's.
        let pool = DefaultThreadPool::new(DISK_THREADS);
        pin(index);
        run(index, driver, &pool, main)
    })
}

/// Builds the runtime and runs `main` on it. io_uring may be refused by a container's profile
/// (EPERM, ENOSYS) or for want of locked memory (ENOMEM, which monoio doesn't catch): epoll serves.
fn run<F, M>(index: usize, driver: Driver, pool: &DefaultThreadPool, main: M) -> bool
where
    M: FnOnce(census::Driver) -> F,
    F: Future<Output = bool>,
{
    // A kernel before 5.6 makes a ring that lacks the operations.
    let usable = driver == Driver::Auto && detect_uring() || driver == Driver::IoUring;
    if usable {
        let builder = RuntimeBuilder::<IoUringDriver>::new()
            .with_entries(RING_ENTRIES)
            .enable_timer()
            .attach_thread_pool(Box::new(pool.clone()));
        match builder.build() {
            Ok(mut runtime) => {
                tell(index, "io_uring");
                return runtime.block_on(main(census::Driver::IoUring));
            }
            Err(fault) if driver == Driver::IoUring => {
                log::error!(
                    "io_uring is refused ({fault}): allow io_uring_setup, io_uring_enter and \
                     io_uring_register, raise `ulimit -l`, or use --driver auto"
                );
                return false;
            }
            Err(fault) if index == 0 => {
                warn!("driver: epoll, because io_uring is refused here ({fault})");
            }
            Err(_) => {}
        }
    } else if index == 0 && driver == Driver::Epoll {
        info!("driver: epoll, as asked");
    } else if index == 0 {
        warn!("driver: epoll, because io_uring is refused or too old here");
    }
    let builder = RuntimeBuilder::<LegacyDriver>::new()
        .enable_timer()
        .attach_thread_pool(Box::new(pool.clone()));
    match builder.build() {
        Ok(mut runtime) => runtime.block_on(main(census::Driver::Epoll)),
        Err(fault) => {
            log::error!("shard {index} can't start on epoll either: {fault}");
            false
        }
    }
}

/// One line for the whole service, not one a shard.
fn tell(index: usize, driver: &str) {
    if index == 0 {
        info!("driver: {driver}");
    }
}

/// Pins the thread to the `index`-th of the cores this process may use. Not being allowed to is no
/// reason to stop.
fn pin(index: usize) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if let Some(core) = cores.get(index % cores.len().max(1)) {
        let mut one = CpuSet::new();
        one.set(*core);
        if let Err(fault) = sched_setaffinity(None, &one) {
            warn!("shard {index} is not pinned to core {core}: {fault}");
        }
    }
}
