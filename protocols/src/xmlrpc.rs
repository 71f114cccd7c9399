//! XML-RPC (xmlrpc.com/spec): calls encoded, responses decoded or merely checked, all of it bytes in and values out.
//!
//! - [`value`]: what can be said, and the conversions from Rust's own types. `params`: the values of a call.
//! - [`encode`]: calls, and for servers and tests responses and faults.
//! - [`decode`]: [`decode_response`] builds the value, [`check_response`] reads as strictly and builds nothing, for the
//!   many responses of a load test that nobody looks at. `grammar` knows which element may stand where, and hands what it
//!   finds to a `sink`; `token` knows XML, as much of it as XML-RPC needs; `scalar` knows what may stand within a type.
//! - [`limits`], [`error`], [`fault`]: how much a target may send, what it can do wrong, and what it can say went wrong.
//!
//! Beside the specification there are the extensions that are met with: `nil` and `i8` (64 bits), also as `ex:nil` and
//! `ex:i8`, as Apache writes them.
//!
//! There is no processing of document types: a DOCTYPE is refused, so no entity can be declared, and none can blow up.
//! Reading takes linear time, and memory in proportion to what came, without recursion.

mod base64;
pub mod date_time;
pub mod decode;
pub mod element;
pub mod encode;
pub mod error;
pub mod fault;
mod grammar;
pub mod limits;
mod params;
mod scalar;
mod sink;
mod text;
mod token;
pub mod value;

pub use date_time::{BadDateTime, DateTime};
pub use decode::{MethodCall, Reply, check_response, decode_call, decode_response};
pub use element::Element;
pub use encode::{EncodeError, encode_call, encode_fault, encode_response, encode_value, escape};
pub use error::{DecodeError, DecodeErrorKind};
pub use fault::Fault;
pub use limits::Limits;
pub use params::IntoParams;
pub use value::Value;
