//! Processor time, memory and allocations of this process.
#![expect(
    unsafe_code,
    reason = "an allocator and a call of the system are unsafe"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;

/// The cost of a workload.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    pub(crate) units: f64,
    /// User and system time of this process.
    pub(crate) processor: Duration,
    pub(crate) wall: Duration,
    /// Allocations and allocated bytes.
    pub(crate) allocations: u64,
    pub(crate) allocated: u64,
    /// Time of each unit, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Peak of resident memory above that before the first unit, in bytes.
    pub(crate) memory: u64,
    /// Bytes sent and received, where they are counted.
    pub(crate) traffic: u64,
}

/// Resident memory before the first unit of a workload.
pub(crate) struct Before {
    resident: u64,
}

impl Before {
    /// Gives free memory back to the system, and resets the peak.
    pub(crate) fn now() -> Outcome<Self> {
        // SAFETY: the function has no preconditions.
        #[cfg(target_env = "gnu")]
        unsafe {
            libc::malloc_trim(0);
        }
        std::fs::write("/proc/self/clear_refs", "5")?;
        let resident = memory("VmRSS:")?;
        Ok(Self { resident })
    }
}

/// A measurement in progress.
pub(crate) struct Meter {
    processor: Duration,
    start: Instant,
    counts: [u64; 2],
    before: Before,
}

impl Meter {
    /// Measures from now on; only the peak of memory counts from `before` on.
    pub(crate) fn start(before: Before) -> Outcome<Self> {
        Ok(Self {
            processor: processor_time()?,
            before,
            counts: counts(),
            start: Instant::now(),
        })
    }

    pub(crate) fn stop(self, units: usize, mut latencies: Vec<Duration>) -> Outcome<Cost> {
        let wall = self.start.elapsed();
        latencies.sort_unstable();
        let counts = counts();
        Ok(Cost {
            units: units as f64,
            processor: processor_time()?.saturating_sub(self.processor),
            wall,
            allocations: counts[0] - self.counts[0],
            allocated: counts[1] - self.counts[1],
            latencies,
            memory: memory("VmHWM:")?.saturating_sub(self.before.resident),
            traffic: 0,
        })
    }
}

impl fmt::Display for Cost {
    /// Units, processor seconds, wall seconds, median and 99th percentile in ms, MiB, allocations, allocated bytes,
    /// bytes on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |share: f64| {
            let at = (self.latencies.len() as f64 * share) as usize;
            let found = self.latencies.get(at).or(self.latencies.last());
            found.map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        write!(
            f,
            "{} {:.6} {:.6} {:.4} {:.4} {:.3} {} {} {}",
            self.units,
            self.processor.as_secs_f64(),
            self.wall.as_secs_f64(),
            part(0.5),
            part(0.99),
            self.memory as f64 / f64::from(1 << 20),
            self.allocations,
            self.allocated,
            self.traffic
        )
    }
}

/// User and system time of this process.
fn processor_time() -> Outcome<Duration> {
    time(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// User and system time of this thread.
pub(crate) fn thread_time() -> Outcome<Duration> {
    time(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn time(clock: libc::clockid_t) -> Outcome<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid for writes during the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(Duration::new(
        u64::try_from(time.tv_sec)?,
        u32::try_from(time.tv_nsec)?,
    ))
}

fn memory(field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let words = line.ok_or("the system does not report memory")?;
    let kib: u64 = words.split_whitespace().next().unwrap_or("0").parse()?;
    Ok(kib * 1024)
}

/// The system's allocator, with counts.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counts() -> [u64; 2] {
    [&ALLOCATIONS, &ALLOCATED].map(|count| count.load(Ordering::Relaxed))
}

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    ALLOCATED.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }
}
