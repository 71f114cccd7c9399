//! Receive memory handed to the kernel: a ring of provided buffers.
//!
//! The kernel takes a buffer for each receive and names it in the completion; the buffer goes back
//! by an entry written at the ring's tail. Two facts keep this module small and sound:
//! - the memory is leaked, since the kernel may still write to it while the ring is torn down;
//! - this program never reads it (answers are counted by length), so a write by the kernel can
//!   never be seen half done.
//!
//! The ring is first in, first out, and so cycles through every buffer: few and small ones stay
//! in the cache.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// The only buffer group of this program.
pub(crate) const GROUP: u16 = 0;

/// The kernel takes at most this many entries in a buffer ring.
const COUNT_MAX: u32 = 32_768;

/// `tail` of `struct io_uring_buf_ring` overlays the last two bytes of its first 16-byte entry.
const TAIL_INDEX: usize = 7;

/// A buffer ring has to start on a page.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// Buffers that the kernel fills, all of one size.
pub(crate) struct ProvidedBuffers {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    buffer_bytes: u32,
    mask: u16,
    tail: u16,
}

impl ProvidedBuffers {
    /// Allocates at least `count_min` buffers of `buffer_bytes` and hands them all to the kernel.
    pub(crate) fn register(
        submitter: &Submitter<'_>,
        count_min: u32,
        buffer_bytes: u32,
    ) -> io::Result<Self> {
        let count = count_min.clamp(64, COUNT_MAX).next_power_of_two() as u16;
        let entries = leak_pages(usize::from(count) * size_of::<BufRingEntry>());
        // SAFETY: the ring's memory is page-aligned, holds `count` entries, and is never freed.
        unsafe { submitter.register_buf_ring(entries as u64, count, GROUP)? };
        let memory = leak_pages(usize::from(count) * buffer_bytes as usize);
        let mut buffers =
            Self { entries: entries.cast(), memory, buffer_bytes, mask: count - 1, tail: 0 };
        (0..count).for_each(|index| buffers.give_back(index));
        buffers.publish();
        Ok(buffers)
    }

    /// Queues the buffer named in a completion for the kernel to use again.
    pub(crate) fn give_back(&mut self, index: u16) {
        assert!(index <= self.mask, "the kernel named buffer {index} of {}", self.mask);
        let buffer = self.memory.wrapping_add(usize::from(index) * self.buffer_bytes as usize);
        let slot = self.entries.wrapping_add(usize::from(self.tail & self.mask));
        // SAFETY: the slot is inside the leaked ring and past the published tail, where the kernel
        // does not look; no other reference to it exists.
        let entry = unsafe { &mut *slot };
        entry.set_addr(buffer as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was given back; once a batch is enough.
    pub(crate) fn publish(&self) {
        let tail = self.entries.cast::<u16>().wrapping_add(TAIL_INDEX);
        // SAFETY: the tail is two aligned bytes of the leaked ring, which the kernel reads and only
        // this type writes.
        let tail = unsafe { AtomicU16::from_ptr(tail) };
        // Release: the kernel must not see the tail before the entries behind it.
        tail.store(self.tail, Ordering::Release);
    }
}

fn leak_pages(bytes: usize) -> *mut u8 {
    let pages = vec![Page([0; 4096]); bytes.div_ceil(size_of::<Page>())];
    pages.leak().as_mut_ptr().cast()
}
