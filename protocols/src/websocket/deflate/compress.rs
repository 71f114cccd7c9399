//! The sending end (RFC 7692, 7.2.1): a message in, the payload of its frames out.

use flate2::{Compress, Compression, FlushCompress};

use super::TAIL;

/// Room added at a time, in bytes.
const ROOM_BYTES: usize = 1024;

/// Compresses the messages of one connection.
pub(crate) struct Compressor {
    stream: Compress,
    /// Each message stands by itself.
    forgets: bool,
    /// The payload last made; its memory is for the next.
    payload: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(forgets: bool) -> Self {
        let stream = Compress::new(Compression::default(), false);
        Self { stream, forgets, payload: Vec::new() }
    }

    /// The payload of the compressed `message`.
    pub(crate) fn compress(&mut self, message: &[u8]) -> &[u8] {
        self.payload.clear();
        if message.is_empty() {
            // RFC 7692, 7.2.3.6: the beginning of an empty stored block, whose rest is the tail.
            self.payload.push(0x00);
            return &self.payload;
        }
        self.flush(message);
        if self.forgets {
            self.forget();
        }
        let ends_well = self.payload.ends_with(&TAIL);
        assert!(ends_well, "a flushed DEFLATE stream ends with an empty stored block");
        self.payload.truncate(self.payload.len() - TAIL.len());
        &self.payload
    }

    /// Has the next message refer to none before it.
    pub(crate) fn forget(&mut self) {
        self.stream.reset();
    }

    fn flush(&mut self, mut message: &[u8]) {
        loop {
            self.payload.reserve(message.len() / 2 + ROOM_BYTES);
            let taken_before = self.stream.total_in();
            let result = self.stream.compress_vec(message, &mut self.payload, FlushCompress::Sync);
            result.expect("compression of bytes into memory cannot fail");
            message = &message[(self.stream.total_in() - taken_before) as usize..];
            // Only when there was room left over is everything out.
            if message.is_empty() && self.payload.len() < self.payload.capacity() {
                return;
            }
        }
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("forgets", &self.forgets).finish_non_exhaustive()
    }
}
