//! Responses into events, from a buffer that the kernel has filled.
//!
//! The bytes of a response are written once: lending the buffer's memory out and taking it back, as
//! the io_uring driver does, finds them where they were, as if the kernel had written them again.
//! So nothing is copied within the measured part, and what is counted is the buffer, the decoder
//! and the loop that a client runs around them. An operation is one such filling.

use std::hint::black_box;

use loadr_protocols::buffer::ReceiveBuffer;
use loadr_protocols::http1::{Event, RequestKind, ResponseDecoder};

use super::digest::Digest;
use super::{Measured, Workload};

/// A small response as nginx sends it.
const SMALL: &str = concat!(
    "HTTP/1.1 200 OK\r\n",
    "Server: nginx/1.22.1\r\n",
    "Date: Tue, 05 May 2026 10:00:00 GMT\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Length: 14\r\n",
    "Connection: keep-alive\r\n",
    "\r\n",
    "Hello, World!\n",
);
const _: () = assert!(SMALL.len() == 162, "the size of response that all figures are about");

/// Bytes of each chunk of the chunked response.
const CHUNK_BYTES: usize = 512;
const LARGE_BODY_BYTES: usize = 64 * 1024;

/// 162 bytes, every time the same: the head is recognised, not parsed.
pub(crate) static SAME_HEAD: Workload = Workload {
    group: "decode",
    name: "same_head",
    operations: 1_000,
    digest: 0x9a52_a084_55cf_4124,
    start: || Box::new(Decode::new(SMALL.as_bytes(), 1)),
};

/// 162 bytes, each with another date: every head is parsed.
pub(crate) static DIFFERING_HEAD: Workload = Workload {
    group: "decode",
    name: "differing_head",
    operations: 1_000,
    digest: 0x3366_c082_4604_6044,
    start: || {
        let seconds_at = SMALL.find(":00 GMT").map(|colon| colon + 1);
        Box::new(Decode { seconds_at, ..Decode::new(SMALL.as_bytes(), 1) })
    },
};

/// Sixteen responses of 162 bytes in one read.
pub(crate) static PIPELINED_16: Workload = Workload {
    group: "decode",
    name: "pipelined_16",
    operations: 200,
    digest: 0x3483_ffd2_9e2f_ed11,
    start: || Box::new(Decode::new(SMALL.repeat(16).as_bytes(), 16)),
};

/// A body of 4 KiB in 8 chunks, in one read.
pub(crate) static CHUNKED_8: Workload = Workload {
    group: "decode",
    name: "chunked_8",
    operations: 200,
    digest: 0x163c_174a_5887_3732,
    start: || {
        let chunk = format!("{CHUNK_BYTES:x}\r\n{}\r\n", "x".repeat(CHUNK_BYTES));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Box::new(Decode::new([head, &chunk.repeat(8), "0\r\n\r\n"].concat().as_bytes(), 1))
    },
};

/// A body of 64 KiB, which with its head takes two reads.
pub(crate) static BODY_64_KIB: Workload = Workload {
    group: "decode",
    name: "body_64_kib",
    operations: 200,
    digest: 0x5065_f569_8ef0_dcb9,
    start: || {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE_BODY_BYTES}\r\n\r\n");
        Box::new(Decode::new([head, "x".repeat(LARGE_BODY_BYTES)].concat().as_bytes(), 1))
    },
};

/// One connection's receiving side.
struct Decode {
    decoder: ResponseDecoder,
    buffer: ReceiveBuffer,
    /// Bytes of each read of an operation.
    reads: Vec<usize>,
    /// Responses in an operation.
    responses: usize,
    /// Where two digits are that change with each operation.
    seconds_at: Option<usize>,
    operations: u64,
    seen: Seen,
}

/// What a client keeps of the responses.
#[derive(Default)]
struct Seen {
    responses: u64,
    statuses: u64,
    pieces: u64,
    body_bytes: u64,
    wire_bytes: u64,
    keep_alive: u64,
}

impl Decode {
    /// Receives `bytes`, which are so many responses, over and over.
    fn new(bytes: &[u8], responses: usize) -> Self {
        let mut buffer = ReceiveBuffer::with_capacity(LARGE_BODY_BYTES, LARGE_BODY_BYTES);
        let room = buffer.spare(1).expect("nothing is unread");
        let first = bytes.len().min(room.len());
        room[..first].copy_from_slice(&bytes[..first]);
        Self {
            decoder: ResponseDecoder::default(),
            reads: bytes.chunks(room.len()).map(<[u8]>::len).collect(),
            buffer,
            responses,
            seconds_at: None,
            operations: 0,
            seen: Seen::default(),
        }
    }

    /// Has `bytes` received, whatever the memory holds.
    fn receive(&mut self, bytes: usize) {
        let (mut storage, at) = self.buffer.take_storage(1).expect("nothing is unread");
        debug_assert_eq!(at, 0, "what was received before has been consumed");
        if let Some(seconds_at) = self.seconds_at {
            let second = (self.operations % 60) as u8;
            storage[seconds_at..seconds_at + 2]
                .copy_from_slice(&[b'0' + second / 10, b'0' + second % 10]);
        }
        self.buffer.restore_storage(black_box(storage), black_box(bytes));
    }

    /// Decodes all that is there.
    fn decode(&mut self) {
        while let Some(event) = self.decoder.next(&mut self.buffer).expect("the bytes are valid") {
            self.seen.note(&event);
        }
    }
}

impl Seen {
    #[inline]
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Interim { .. } => {}
            Event::Head(head) => self.statuses += u64::from(head.status()),
            Event::Body(_) => self.pieces += 1,
            Event::End(end) => {
                self.responses += 1;
                self.body_bytes += end.body_bytes;
                self.wire_bytes += end.wire_bytes;
                self.keep_alive += u64::from(end.keep_alive);
            }
        }
    }
}

impl Measured for Decode {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            for _ in 0..self.responses {
                self.decoder.expect(RequestKind::Other);
            }
            for read in 0..self.reads.len() {
                self.receive(self.reads[read]);
                self.decode();
            }
            self.operations += 1;
        }
    }

    fn digest(mut self: Box<Self>) -> u64 {
        assert_eq!((self.buffer.len(), self.decoder.outstanding()), (0, 0), "all was decoded");
        let Seen { responses, statuses, pieces, body_bytes, wire_bytes, keep_alive } = self.seen;
        let received = self.buffer.spare(1).expect("nothing is unread");
        [responses, statuses, pieces, body_bytes, wire_bytes, keep_alive]
            .into_iter()
            .fold(Digest::new().bytes(&received[..self.reads[0]]), Digest::number)
            .finish()
    }
}
