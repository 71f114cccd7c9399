//! Protocols of one's own, at the engine's full speed.
//!
//! A [`Codec`] says how a request is written, how long a message is and how it reads. A [`Framed`] connection speaks it
//! over a stream that the user's [`Context`](loadr_engine::user::Context) has opened: `context.tcp(..)`, `context.unix(..)`;
//! datagrams come by `context.udp(..)`. A [`Pipeline`] makes exchanges on it, each counted with its time, its bytes and why
//! it failed.
//!
//! This is a whole program, with all the flags of the command line. Its protocol has a request and a reply on a line each;
//! a reply that begins with `ERR` reports an error.
//!
//! ```no_run
//! use loadr::library::custom::*;
//! use loadr::prelude::*;
//!
//! struct Lines;
//!
//! impl Codec for Lines {
//!     type Request<'r> = &'r str;
//!     type Message<'b> = &'b str;
//!     type Error = std::str::Utf8Error;
//!
//!     fn encode(request: &str, into: &mut BytesMut) -> Result<(), Self::Error> {
//!         into.extend_from_slice(request.as_bytes());
//!         into.extend_from_slice(b"\n");
//!         Ok(())
//!     }
//!
//!     fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, Self::Error> {
//!         Ok(unread.iter().position(|&byte| byte == b'\n').map(|end| end + 1))
//!     }
//!
//!     fn message<'b>(&mut self, frame: &'b [u8]) -> Result<&'b str, Self::Error> {
//!         std::str::from_utf8(frame).map(str::trim_end)
//!     }
//!
//!     fn failure(reply: &&str) -> Option<Failure> {
//!         reply.starts_with("ERR").then(|| Failure::new(FailureKind::Status, reply.to_string()))
//!     }
//! }
//!
//! async fn ask(user: User) -> TaskResult {
//!     let stream = user.context.tcp("127.0.0.1:7000").await?;
//!     let mut line = Pipeline::new(Framed::new(&user.context, stream, Lines, Duration::from_secs(5)));
//!     let entry = user.context.entry(EntryKind::Exchange, "LINE", "time");
//!     while !user.context.is_stopping() {
//!         println!("{}", line.exchange(entry, "what time is it?").await?);
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     loadr::run(Test::new().user(UserClass::new("Asker").task(ask)))
//! }
//! ```
//!
//! **What counts.** Exchanges of a pipeline, and of
//! [`Context::exchange`](loadr_engine::user::Context::exchange) around anything else, are the run's own: `-n 100000` ends
//! the run after so many, and what is in flight at its end is reported as cut off. `user.measure` and `user.record` put
//! further figures beside them that take nothing of `-n`.
//!
//! **What may happen at any await** is that the user is stopped and the task dropped. A stream whose operation is dropped in
//! its middle is cut off, and so is what is made of it; a UDP socket stays good.
//!
//! The examples `redis` and `mqtt` are complete clients of real servers: the one for pipelines and their speed, the other
//! for messages that come unasked.

pub use bytes::BytesMut;
pub use loadr_engine::client::backoff::Backoff;
pub use loadr_engine::client::framed::{Codec, Framed, FramedReader, FramedWriter, Pipeline};
pub use loadr_engine::record::{EntryIndex, EntryKind, Exchange};
pub use loadr_engine::stream::{Stream, UdpSocket};
pub use loadr_engine::user::{Permit, Traffic};
