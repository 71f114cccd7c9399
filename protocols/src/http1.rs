//! HTTP/1.1 as a client speaks it (RFC 9112): requests encoded once, responses decoded as they come.
//!
//! A tour, in the order of an exchange:
//!
//! - [`request`]: a [`RequestBuilder`] checks what the user asked for and encodes it into a
//!   [`RequestTemplate`], whose bytes are then sent any number of times; a [`SlottedTemplate`] has
//!   places in it that are filled anew each time.
//! - [`state`]: the [`ResponseDecoder`] is told what to [`expect`](ResponseDecoder::expect), then
//!   turns a [`ReceiveBuffer`](crate::buffer::ReceiveBuffer) into events. All its states are there.
//! - `head`: finds and reads a head at once with `httparse`; `scan` takes over, a byte at a time,
//!   for a head that came in pieces or is malformed; `framing` says which body follows it.
//! - `body`: content-length, chunked, until-close.
//! - [`event`], [`error`]: what the caller sees; the target's faults.
//! - [`limits`]: how much of anything a target may send.
//!
//! The codec is strict where leniency lets two readers disagree about where a response ends: such
//! input is refused, not repaired, because a load generator that loses count of responses reports
//! nonsense. The same bytes give the same events, or the same error, however they are split.

pub(crate) mod body;
pub mod error;
pub mod event;
pub(crate) mod framing;
pub(crate) mod head;
pub mod limits;
pub mod request;
pub(crate) mod scan;
pub mod state;

pub use error::{RemoteError, Snippet};
pub use event::{End, Event, Headers, ResponseHead, Version};
pub(crate) use framing::list;
pub use limits::Limits;
pub(crate) use request::is_token_all;
pub use request::{
    Method, Piece, RequestBuilder, RequestError, RequestKind, RequestTemplate, SlotError,
    SlottedBuilder, SlottedTemplate, check_field,
};
pub use state::ResponseDecoder;
