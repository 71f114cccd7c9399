//! Interrupts: the first asks for a graceful end, the second ends the process at once.
//!
//! While the run is on, the control loop looks for them, because it may have a terminal to put right. Once results are
//! being written, the process ends with the signal itself: whoever interrupts then wants nothing more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a process that was interrupted twice, as shells have it for SIGINT.
pub(super) const EXIT_INTERRUPTED: i32 = 130;

/// Whether somebody wants the end.
pub(super) struct Interrupt {
    /// A signal has come since this was last asked.
    raised: Arc<AtomicBool>,
    /// The next signal ends the process.
    armed: Arc<AtomicBool>,
    count: u32,
}

impl Interrupt {
    /// Catches SIGINT and SIGTERM from now on, and SIGHUP unless whoever started the process has it ignored (`nohup`).
    pub(super) fn catch() -> io::Result<Self> {
        let (raised, armed) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let hang_up = (!ignores_hang_up()).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hang_up) {
            flag::register_conditional_shutdown(signal, EXIT_INTERRUPTED, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&raised))?;
        }
        Ok(Self { raised, armed, count: 0 })
    }

    /// How many interrupts have been seen so far.
    pub(super) fn count(&mut self) -> u32 {
        self.count += u32::from(self.raised.swap(false, Ordering::Relaxed));
        self.count
    }

    /// From here on an interrupt ends the process by itself.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }
}

/// Whether SIGHUP is among the signals that this process ignores.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is signal 1.
    ignored.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
