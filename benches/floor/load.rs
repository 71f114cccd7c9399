//! The loop: submit, wait, count what arrived, ask again.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use io_uring::types::{Fixed, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue};

use crate::answer::learn_length;
use crate::buffers::{GROUP, ProvidedBuffers};
use crate::error::FloorError;

/// Submission slots; a fuller batch is submitted in parts.
const SUBMISSIONS: u32 = 4096;

/// Longest response time kept apart from others; what is above counts as this.
const RESPONSE_TIME_US_MAX: u64 = 60_000_000;

/// What a completion is about, kept in the upper half of its user data (the connection below).
const RECEIVE: u64 = 0;
const SEND: u64 = 1 << 32;
const DEADLINE: u64 = 2 << 32;

/// What one measured window came to.
pub(crate) struct Window {
    pub requests: u64,
    pub elapsed: Duration,
    pub response_time_us: Histogram<u64>,
}

/// Open connections and the ring that drives them.
pub(crate) struct Load {
    ring: IoUring,
    /// Held open for the fixed files' sake.
    _streams: Vec<TcpStream>,
    connections: Vec<Connection>,
    batch: Batch,
}

/// The requests sent together on a connection, and what they bring back.
#[derive(Clone, Copy)]
struct Batch {
    /// Leaked: the kernel may read it while the ring is torn down.
    bytes: &'static [u8],
    requests: u32,
    answer_bytes: u32,
}

#[derive(Clone, Copy)]
struct Connection {
    /// Bytes still to come before the batch in flight is answered.
    awaited_bytes: u64,
    sent_at_us: u64,
}

impl Load {
    /// Opens the connections, learns the answer's length and prepares the ring; sends no load yet.
    pub(crate) fn connect(
        address: SocketAddr,
        count: u32,
        pipeline: u32,
    ) -> Result<Self, FloorError> {
        let mut streams = open(address, count)?;
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let answer_bytes = match streams.first_mut() {
            Some(stream) => learn_length(stream, request.as_bytes())?,
            None => return Err(FloorError::FirstAnswer { reason: "no connection".to_owned() }),
        };
        let batch = Batch {
            bytes: request.repeat(pipeline as usize).into_bytes().leak(),
            requests: pipeline,
            answer_bytes,
        };
        let ring =
            build_ring(count).map_err(|source| FloorError::Ring { call: "setup", source })?;
        let files: Vec<_> = streams.iter().map(AsRawFd::as_raw_fd).collect();
        ring.submitter()
            .register_files(&files)
            .map_err(|source| FloorError::Ring { call: "register files", source })?;
        let idle = Connection { awaited_bytes: 0, sent_at_us: 0 };
        Ok(Self { ring, _streams: streams, connections: vec![idle; count as usize], batch })
    }

    /// Keeps one batch in flight on every connection for the length of the window.
    pub(crate) fn run(&mut self, length: Duration) -> Result<Window, FloorError> {
        let (submitter, submissions, mut completions) = self.ring.split();
        let buffers = provide_buffers(&submitter, self.connections.len() as u32, self.batch)
            .map_err(|source| FloorError::Ring { call: "register buffers", source })?;
        let mut pump = Pump {
            queue: Queue { submitter, submissions },
            buffers,
            connections: &mut self.connections,
            batch: self.batch,
            window: Window { requests: 0, elapsed: Duration::ZERO, response_time_us: histogram() },
            now_us: 0,
        };
        let started = Instant::now();
        pump.start(length)?;
        while pump.turn(&mut completions, started)? {}
        pump.window.elapsed = started.elapsed();
        Ok(pump.window)
    }
}

/// The submitting side of the ring; entries refer to leaked memory and to fixed files only.
struct Queue<'ring> {
    submitter: Submitter<'ring>,
    submissions: SubmissionQueue<'ring>,
}

impl Queue<'_> {
    fn send(&mut self, index: u32, batch: Batch) -> Result<(), FloorError> {
        let entry = opcode::Send::new(Fixed(index), batch.bytes.as_ptr(), batch.bytes.len() as u32)
            // The kernel goes on after a short write by itself...
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build()
            // ...so that only a failure is worth a completion.
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND | u64::from(index));
        self.push(&entry)
    }

    fn receive(&mut self, index: u32) -> Result<(), FloorError> {
        let entry = opcode::RecvMulti::new(Fixed(index), GROUP).build();
        self.push(&entry.user_data(RECEIVE | u64::from(index)))
    }

    /// Ends the wait after `length` even where the target has gone quiet.
    fn deadline(&mut self, length: Duration) -> Result<(), FloorError> {
        let length =
            Box::leak(Box::new(Timespec::new().sec(length.as_secs()).nsec(length.subsec_nanos())));
        self.push(&opcode::Timeout::new(length).build().user_data(DEADLINE))
    }

    fn push(&mut self, entry: &squeue::Entry) -> Result<(), FloorError> {
        // SAFETY: every entry is built in this impl, from memory that is never freed.
        while unsafe { self.submissions.push(entry) }.is_err() {
            self.submit(0)?;
        }
        Ok(())
    }

    fn submit(&mut self, wait_for: usize) -> Result<(), FloorError> {
        self.submissions.sync();
        let outcome = self.submitter.submit_and_wait(wait_for);
        self.submissions.sync();
        match outcome {
            Ok(_) => Ok(()),
            // EBUSY: completions overflowed and have to be taken first.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => Ok(()),
            Err(source) => Err(FloorError::Ring { call: "enter", source }),
        }
    }
}

/// Everything one turn of the loop touches.
struct Pump<'ring> {
    queue: Queue<'ring>,
    buffers: ProvidedBuffers,
    connections: &'ring mut [Connection],
    batch: Batch,
    window: Window,
    /// Taken once a turn: a clock read costs a tenth of the user time a request needs here.
    now_us: u64,
}

impl Pump<'_> {
    fn start(&mut self, length: Duration) -> Result<(), FloorError> {
        self.queue.deadline(length)?;
        for index in 0..self.connections.len() as u32 {
            self.queue.receive(index)?;
            self.send(index)?;
        }
        Ok(())
    }

    /// Waits for at least one completion and handles all there are; false once time is up.
    fn turn(
        &mut self,
        completions: &mut CompletionQueue<'_>,
        started: Instant,
    ) -> Result<bool, FloorError> {
        self.queue.submit(1)?;
        completions.sync();
        self.now_us = started.elapsed().as_micros() as u64;
        let mut running = true;
        for completion in &mut *completions {
            let user_data = completion.user_data();
            let index = user_data as u32;
            match user_data - u64::from(index) {
                RECEIVE => self.received(index, completion.result(), completion.flags())?,
                SEND => return Err(self.send_failed(index, completion.result())),
                _ => running = false,
            }
        }
        completions.sync();
        self.buffers.publish();
        Ok(running)
    }

    fn received(&mut self, index: u32, result: i32, flags: u32) -> Result<(), FloorError> {
        match result {
            // All buffers are in use: those of this turn are back before the next submission.
            result if result == -libc::ENOBUFS => return self.queue.receive(index),
            0 => return Err(FloorError::Closed { index, requests: self.window.requests }),
            result if result < 0 => {
                return Err(FloorError::Receive { index, source: os_error(result) });
            }
            _ => {}
        }
        if let Some(buffer) = cqueue::buffer_select(flags) {
            self.buffers.give_back(buffer);
        }
        self.count(index, result.unsigned_abs().into())?;
        if cqueue::more(flags) { Ok(()) } else { self.queue.receive(index) }
    }

    /// Books the answers that `bytes` complete, and sends the next batch after the last of them.
    fn count(&mut self, index: u32, bytes: u64) -> Result<(), FloorError> {
        let connection = &mut self.connections[index as usize];
        let answer_bytes = self.batch.answer_bytes;
        let Some(awaited_bytes) = connection.awaited_bytes.checked_sub(bytes) else {
            let excess = bytes - connection.awaited_bytes;
            return Err(FloorError::AnswerLength { index, excess, answer_bytes });
        };
        let length = u64::from(answer_bytes);
        let answers = connection.awaited_bytes.div_ceil(length) - awaited_bytes.div_ceil(length);
        connection.awaited_bytes = awaited_bytes;
        let response_time_us = self.now_us - connection.sent_at_us;
        self.window.response_time_us.saturating_record_n(response_time_us, answers);
        self.window.requests += answers;
        if awaited_bytes == 0 { self.send(index) } else { Ok(()) }
    }

    fn send(&mut self, index: u32) -> Result<(), FloorError> {
        let awaited_bytes = u64::from(self.batch.requests) * u64::from(self.batch.answer_bytes);
        self.connections[index as usize] = Connection { awaited_bytes, sent_at_us: self.now_us };
        self.queue.send(index, self.batch)
    }

    fn send_failed(&self, index: u32, result: i32) -> FloorError {
        match u32::try_from(result) {
            Ok(sent) => FloorError::ShortSend { index, sent, wanted: self.batch.bytes.len() },
            Err(_) => FloorError::Send { index, source: os_error(result) },
        }
    }
}

fn open(address: SocketAddr, count: u32) -> Result<Vec<TcpStream>, FloorError> {
    let connect = |index| {
        let stream = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        stream.map_err(|source| FloorError::Connect { index, count, address, source })
    };
    (0..count).map(connect).collect()
}

fn build_ring(connections: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_cqsize(connections.next_power_of_two().clamp(SUBMISSIONS * 2, 65_536))
        .build(SUBMISSIONS)
}

/// Two buffers a connection, each with room for a whole batch of answers.
fn provide_buffers(
    submitter: &Submitter<'_>,
    connections: u32,
    batch: Batch,
) -> io::Result<ProvidedBuffers> {
    let batch_bytes = batch.answer_bytes.saturating_mul(batch.requests);
    let buffer_bytes = batch_bytes.next_multiple_of(256).min(64 * 1024);
    ProvidedBuffers::register(submitter, connections * 2, buffer_bytes)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(RESPONSE_TIME_US_MAX, 3).expect("the range and 3 digits are legal")
}

fn os_error(result: i32) -> io::Error {
    io::Error::from_raw_os_error(-result)
}
