//! What the kernel says about threads and processes: where they run, what they used.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Where the two sides of a measurement run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) client: usize,
}

/// The time.
#[expect(clippy::disallowed_methods, reason = "a bench lives by the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "no shard runs here")]
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Pins the calling thread, and what it starts from now on, to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Lets the calling thread, and what it starts from now on, run on any core.
pub(crate) fn unpin() -> io::Result<()> {
    let mut set = CpuSet::new();
    let count = std::thread::available_parallelism()?.get();
    (0..count.max(CPUS_SEEN)).for_each(|core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// A pinned thread sees one core as available: so many are asked for, and the kernel takes those
/// there are.
const CPUS_SEEN: usize = 256;

/// Descriptors that a process has open.
pub(crate) fn descriptors(process: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

/// Allows as many descriptors as the hard limit does.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// A server whose use of processor time is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Worker {
    /// One thread of this process.
    Thread(u32),
    /// All threads of another process.
    Process(u32),
}

impl Worker {
    /// The calling thread.
    pub(crate) fn here() -> Self {
        Self::Thread(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned())
    }

    /// Time on a processor so far, user and kernel (`/proc/…/schedstat`, its first number).
    pub(crate) fn cpu(self) -> io::Result<Duration> {
        self.schedstat(0)
    }

    /// Time so far in which it could have run, but somebody else had the processor (its second
    /// number).
    pub(crate) fn held_up(self) -> io::Result<Duration> {
        self.schedstat(1)
    }

    fn schedstat(self, field: usize) -> io::Result<Duration> {
        match self {
            Self::Thread(thread) => read(&format!("/proc/self/task/{thread}/schedstat"), field),
            Self::Process(process) => fs::read_dir(format!("/proc/{process}/task"))?
                .map(|task| read(&format!("{}/schedstat", task?.path().display()), field))
                .sum(),
        }
    }
}

fn read(path: &str, field: usize) -> io::Result<Duration> {
    let text = fs::read_to_string(path)?;
    let nanos = text.split_whitespace().nth(field).and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other(format!("{path}: {text}")))
}

/// Processor time of this process so far, with that of threads that have ended.
pub(crate) fn own_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// Processor time that the whole machine has used (`/proc/stat`, ticks of 10 ms).
pub(crate) fn machine_cpu() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal; guest time is inside user.
    let ticks: Vec<u64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok(Duration::from_millis((ticks.iter().sum::<u64>() - idle) * 10))
}

/// Memory of a process that is nobody else's (`/proc/<pid>/smaps_rollup`).
pub(crate) fn private_bytes(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let rows = text.lines().filter(|line| line.starts_with("Private_"));
    let kib = rows.filter_map(|row| row.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kib.sum::<u64>() * 1024)
}

/// Resident memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All of it, with mapped files.
    pub(crate) resident: u64,
    /// What it allocated itself.
    pub(crate) anonymous: u64,
}

impl Memory {
    /// From `/proc/<pid>/status`.
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/status"))?;
        let row = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {name}")))
        };
        Ok(Self { resident: row("VmRSS:")?, anonymous: row("RssAnon:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_of_a_thread_is_part_of_its_process() {
        let thread = Worker::here().cpu().unwrap();
        let process = Worker::Process(std::process::id()).cpu().unwrap();
        assert!(thread <= process, "{thread:?} {process:?}");
        assert!(process <= machine_cpu().unwrap());
        let before = own_cpu();
        let ended = std::thread::spawn(|| {
            let spent = || Worker::here().cpu().unwrap();
            while spent() < Duration::from_millis(20) {}
        });
        ended.join().unwrap();
        assert!(own_cpu() - before >= Duration::from_millis(20), "of a thread that has ended");
    }

    #[test]
    fn allocated_memory_is_part_of_resident_memory() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(0 < memory.anonymous && memory.anonymous < memory.resident, "{memory:?}");
    }
}
