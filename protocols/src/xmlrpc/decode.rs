//! Decoding whole bodies: a client collects them anyway, since HTTP says where they end.

use super::encode::is_method_name;
use super::error::{DecodeError, DecodeErrorKind as Kind};
use super::fault::Fault;
use super::grammar::{Answer, Grammar};
use super::limits::Limits;
use super::sink::{Builder, Nowhere, Sink};
use super::text::Document;
use super::value::Value;
use crate::http1::Snippet;

/// What a server answered: a value, or that the call failed.
pub type Reply<T = Value> = Result<T, Fault>;

/// A call as a server sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodCall {
    /// The method's name.
    pub method: String,
    /// The parameters, in order.
    pub params: Vec<Value>,
}

/// Decodes a response.
///
/// # Errors
/// It is no XML-RPC response, or exceeds a limit. A fault is no error: the server has done as it should.
pub fn decode_response(bytes: &[u8], limits: &Limits) -> Result<Reply, DecodeError> {
    read(bytes, limits, Builder::default(), |mut grammar| {
        let answer = grammar.response()?;
        let value = grammar.sink.done.pop().expect("a response has a value");
        match answer {
            Answer::Value => Ok(Ok(value)),
            Answer::Fault => Fault::of_value(&value).map(Err).ok_or(Kind::Fault.at(0)),
        }
    })
}

/// Checks a response as strictly as [`decode_response`] does, without building the value; a fault is read.
///
/// It allocates nothing for a value in UTF-8 or US-ASCII whose texts have neither references nor parts.
///
/// # Errors
/// As those of [`decode_response`].
pub fn check_response(bytes: &[u8], limits: &Limits) -> Result<Reply<()>, DecodeError> {
    match read(bytes, limits, Nowhere, |mut grammar| grammar.response())? {
        Answer::Value => Ok(Ok(())),
        Answer::Fault => decode_response(bytes, limits).map(|reply| reply.map(drop)),
    }
}

/// Decodes a call, as a server does.
///
/// # Errors
/// It is no XML-RPC call, or exceeds a limit.
pub fn decode_call(bytes: &[u8], limits: &Limits) -> Result<MethodCall, DecodeError> {
    read(bytes, limits, Builder::default(), |mut grammar| {
        let method = grammar.call()?;
        let limit = limits.name_bytes_max;
        match is_method_name(&method) {
            _ if method.len() > limit => Err(Kind::Name { limit }.at(0)),
            false => Err(Kind::MethodName { found: Snippet::first(method.as_bytes()) }.at(0)),
            true => Ok(MethodCall { method: method.into_owned(), params: grammar.sink.done }),
        }
    })
}

fn read<S: Sink, T>(
    bytes: &[u8],
    limits: &Limits,
    sink: S,
    read: impl FnOnce(Grammar<'_, S>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    if bytes.len() > limits.bytes_max {
        return Err(Kind::Size { limit: limits.bytes_max }.at(limits.bytes_max));
    }
    let document = Document::read(bytes, limits.name_bytes_max)?;
    let grammar = Grammar::new(&document.text, document.begins, *limits, sink);
    read(grammar).map_err(|error| document.place(error))
}
