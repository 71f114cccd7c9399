//! The receive buffer: one allocation, the unread bytes of it between two positions.
//!
//! Goals: a driver can lend the whole allocation to a kernel that completes reads later (io_uring)
//! or fill a slice of it at once (epoll); decoders see the unread bytes as one slice; an idle
//! connection holds little; nothing is copied while exchanges are small.
//!
//! Plan: a `BytesMut` whose every byte is initialised, unread bytes at `start..end`. When the last
//! unread byte is consumed both positions go back to 0, so a closed loop of small responses always
//! reads into the same cache lines and never moves a byte. A read that fills all the spare room
//! doubles the next one, up to the maximum.
//!
//! Worst case: a message that straddles the end of a full buffer is moved to the front once per
//! read, at most `max` bytes; how far a decoder has searched is the decoder's own business and
//! counts from `start`, so moving does not disturb it.

use bytes::BytesMut;

/// Bytes that a new buffer holds unless told otherwise: a small response and its head.
pub const INITIAL_BYTES: usize = 2 * 1024;

/// Bytes that a buffer grows to unless told otherwise: the piece in which a large body is read.
pub const BYTES_MAX: usize = 64 * 1024;

/// The room asked for is not to be had: `wanted` bytes in all, where `max` are allowed.
///
/// With a maximum of at least [`crate::http1::Limits::head_bytes_max`] the HTTP/1.1 decoder
/// refuses an oversized head before this can happen; that of WebSocket consumes all but headers and
/// control frames as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receive buffer would need {wanted} bytes and may hold {max}")]
pub struct BufferFull {
    /// Unread bytes held plus the room asked for.
    pub wanted: usize,
    /// The buffer's maximum.
    pub max: usize,
}

/// A growable buffer of received bytes, read from the front and filled at the back.
#[derive(Debug)]
pub struct ReceiveBuffer {
    /// Wholly initialised: its length is its size. Empty while lent to the kernel.
    storage: BytesMut,
    /// First unread byte; `start <= end`, and 0 when nothing is unread.
    start: usize,
    /// One past the last unread byte; `end <= storage.len()` unless lent.
    end: usize,
    initial: usize,
    max: usize,
    /// The last read filled all the room it had: the next deserves more.
    filled: bool,
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self::with_capacity(INITIAL_BYTES, BYTES_MAX)
    }
}

impl ReceiveBuffer {
    /// A buffer of `initial` bytes that may grow to `max` (both at least 1, `max >= initial`;
    /// lower values are raised).
    pub fn with_capacity(initial: usize, max: usize) -> Self {
        let initial = initial.max(1);
        let storage = BytesMut::zeroed(initial);
        Self { storage, start: 0, end: 0, initial, max: max.max(initial), filled: false }
    }

    /// The bytes received and not yet consumed.
    ///
    /// # Panics
    /// Between [`Self::take_storage`] and [`Self::restore_storage`], when any are unread.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// As [`Self::unread`], for a layer that decrypts in place.
    ///
    /// # Panics
    /// As [`Self::unread`].
    #[inline]
    pub fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.end]
    }

    /// Whether nothing is unread.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Unread bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Bytes of memory held now, unread or not; 0 while lent.
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// Drops the first `n` unread bytes.
    ///
    /// # Panics
    /// When fewer than `n` are unread.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "consumed {n} of {} unread bytes", self.len());
        self.start += n;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Consumes the first `n` unread bytes and returns them; they stay where they are until the
    /// next read.
    ///
    /// # Panics
    /// When fewer than `n` are unread.
    #[inline]
    pub fn take(&mut self, n: usize) -> &[u8] {
        self.take_mut(n)
    }

    /// [`Self::take`], for bytes that are changed where they are: unmasked, say.
    ///
    /// # Panics
    /// When fewer than `n` are unread.
    #[inline]
    pub fn take_mut(&mut self, n: usize) -> &mut [u8] {
        let from = self.start;
        self.consume(n);
        &mut self.storage[from..from + n]
    }

    /// Room for at least `at_least` bytes (and at least 1) behind the unread ones, for a read that
    /// happens at once; tell [`Self::advance`] how many were written.
    #[inline]
    pub fn spare(&mut self, at_least: usize) -> Result<&mut [u8], BufferFull> {
        self.make_room(at_least)?;
        Ok(&mut self.storage[self.end..])
    }

    /// Counts `n` bytes, written into [`Self::spare`], as received.
    ///
    /// # Panics
    /// When there was less room than `n`.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let room = self.storage.len() - self.end;
        assert!(n <= room, "{n} bytes received into room for {room}");
        self.end += n;
        self.filled = n == room;
    }

    /// Appends bytes that were received elsewhere.
    ///
    /// # Errors
    /// There is no room for all of them; none is taken then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), BufferFull> {
        if !bytes.is_empty() {
            self.spare(bytes.len())?[..bytes.len()].copy_from_slice(bytes);
            self.advance(bytes.len());
        }
        Ok(())
    }

    /// Moves the memory out, for a read that the kernel completes later, with the offset to write
    /// at; at least `at_least` bytes (and at least 1) are free behind it.
    ///
    /// Until [`Self::restore_storage`] brings the memory back, only [`Self::len`],
    /// [`Self::is_empty`] and [`Self::capacity`] may be called.
    #[inline]
    pub fn take_storage(&mut self, at_least: usize) -> Result<(BytesMut, usize), BufferFull> {
        self.make_room(at_least)?;
        Ok((std::mem::take(&mut self.storage), self.end))
    }

    /// Brings the memory of [`Self::take_storage`] back with `received` bytes written at the offset
    /// (0 when the read failed or was cancelled). Its length must be what it was: it says how much
    /// of it is initialised.
    ///
    /// # Panics
    /// When `received` bytes do not fit into it.
    #[inline]
    pub fn restore_storage(&mut self, storage: BytesMut, received: usize) {
        self.storage = storage;
        assert!(self.end <= self.storage.len(), "other memory than was taken");
        self.advance(received);
    }

    /// Drops all unread bytes and keeps the memory, for the next connection.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Lets it grow to `max` bytes where it was bounded by fewer: for messages that are longer than the pieces of a body.
    pub fn allow(&mut self, max: usize) {
        self.max = self.max.max(max);
    }

    /// Goes back to the initial size when nothing is unread, so that an idle connection holds
    /// little. Does nothing otherwise.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.storage.len() > self.initial {
            self.storage = BytesMut::zeroed(self.initial);
            self.filled = false;
        }
    }

    #[inline]
    fn make_room(&mut self, at_least: usize) -> Result<(), BufferFull> {
        let enough = self.storage.len() - self.end >= at_least.max(1);
        if enough && !self.filled { Ok(()) } else { self.compact_or_grow(at_least.max(1)) }
    }

    /// Moves the unread bytes to the front, and into twice the memory when the last read filled
    /// what there was or when they and `at_least` more do not fit.
    #[cold]
    fn compact_or_grow(&mut self, at_least: usize) -> Result<(), BufferFull> {
        let wanted = self.len() + at_least;
        if wanted > self.max {
            return Err(BufferFull { wanted, max: self.max });
        }
        let mut size = self.storage.len();
        if self.filled || size < wanted {
            size = size.saturating_mul(2).max(wanted).min(self.max);
        }
        self.filled = false;
        self.move_to_front(size);
        Ok(())
    }

    fn move_to_front(&mut self, size: usize) {
        let unread = self.len();
        if size > self.storage.len() {
            let mut larger = BytesMut::zeroed(size);
            larger[..unread].copy_from_slice(self.unread());
            self.storage = larger;
        } else {
            self.storage.copy_within(self.start..self.end, 0);
        }
        self.start = 0;
        self.end = unread;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReceiveBuffer, bytes: &[u8]) {
        buffer.spare(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    #[test]
    fn an_emptied_buffer_reads_into_the_same_memory_again() {
        let mut buffer = ReceiveBuffer::with_capacity(64, 64);
        let at = buffer.spare(1).unwrap().as_ptr();
        for _ in 0..10 {
            receive(&mut buffer, b"response");
            assert_eq!(buffer.take(8), b"response");
            assert_eq!(buffer.spare(1).unwrap().as_ptr(), at);
        }
    }

    #[test]
    fn unread_bytes_survive_compaction_and_growth() {
        let mut buffer = ReceiveBuffer::with_capacity(8, 32);
        receive(&mut buffer, b"abcdef");
        buffer.consume(4);
        receive(&mut buffer, b"ghi"); // moved to the front
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"efghi"[..], 8));
        receive(&mut buffer, b"jklmn"); // grown
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"efghijklmn"[..], 16));
        buffer.consume(10);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_read_that_fills_the_room_doubles_the_next_up_to_the_maximum() {
        let mut buffer = ReceiveBuffer::with_capacity(8, 30);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            let room = buffer.spare(1).unwrap().len();
            buffer.advance(room);
            buffer.consume(room);
            sizes.push(room);
        }
        assert_eq!(sizes, [8, 16, 30, 30]);
        buffer.shrink();
        assert_eq!(buffer.capacity(), 8);
    }

    #[test]
    fn a_partly_filled_read_does_not_grow() {
        let mut buffer = ReceiveBuffer::with_capacity(8, 32);
        receive(&mut buffer, b"1234567");
        buffer.consume(7);
        assert_eq!(buffer.spare(1).unwrap().len(), 8);
    }

    #[test]
    fn full_says_both_figures_and_loses_nothing() {
        let mut buffer = ReceiveBuffer::with_capacity(4, 8);
        receive(&mut buffer, b"12345678");
        assert_eq!(buffer.spare(1), Err(BufferFull { wanted: 9, max: 8 }));
        assert_eq!(buffer.take_storage(3), Err(BufferFull { wanted: 11, max: 8 }));
        assert_eq!(buffer.unread(), b"12345678");
        buffer.shrink();
        assert_eq!(buffer.unread(), b"12345678");
        buffer.consume(1);
        assert_eq!(buffer.spare(1).unwrap().len(), 1);
    }

    #[test]
    fn a_bound_can_be_raised_and_not_lowered() {
        let mut buffer = ReceiveBuffer::with_capacity(4, 8);
        receive(&mut buffer, b"12345678");
        buffer.allow(16);
        buffer.allow(2);
        receive(&mut buffer, b"9");
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"123456789"[..], 16));
    }

    #[test]
    fn lending_moves_the_allocation_without_copying() {
        let mut buffer = ReceiveBuffer::with_capacity(16, 16);
        receive(&mut buffer, b"ab");
        let at = buffer.unread().as_ptr();
        let (mut storage, offset) = buffer.take_storage(4).unwrap();
        assert_eq!((buffer.len(), buffer.capacity(), offset), (2, 0, 2));
        storage[offset..offset + 2].copy_from_slice(b"cd");
        buffer.restore_storage(storage, 2);
        assert_eq!((buffer.unread(), buffer.unread().as_ptr()), (&b"abcd"[..], at));
    }

    #[test]
    fn a_cancelled_read_gives_the_memory_back_unread() {
        let mut buffer = ReceiveBuffer::default();
        let (storage, _) = buffer.take_storage(1).unwrap();
        buffer.restore_storage(storage, 0);
        assert_eq!((buffer.len(), buffer.capacity()), (0, INITIAL_BYTES));
    }

    #[test]
    fn zero_sizes_are_raised_to_one() {
        let mut buffer = ReceiveBuffer::with_capacity(0, 0);
        assert_eq!(buffer.spare(0).unwrap().len(), 1);
    }

    #[test]
    #[should_panic(expected = "consumed 3 of 2 unread bytes")]
    fn consuming_more_than_there_is_is_a_bug() {
        let mut buffer = ReceiveBuffer::default();
        receive(&mut buffer, b"ab");
        buffer.consume(3);
    }
}
