//! The contract of the XML-RPC codec over any bytes.
//!
//! Input: one byte choosing the limits, then what the server (or the client) sends.

use crate::http1::Snippet;
use crate::xmlrpc::{
    DecodeError, DecodeErrorKind, Limits, Value, check_response, decode_call, decode_response,
    encode_call, encode_fault, encode_response,
};

/// Any bytes as a response: no panic; the same whether built or merely checked; within the limits; what is taken can be
/// written, and reads back as the same.
pub fn xmlrpc_response(data: &[u8]) {
    let Some((limits, bytes)) = case(data) else { return };
    let decoded = decode_response(bytes, &limits);
    let checked = check_response(bytes, &limits);
    assert_eq!(decoded.clone().map(|reply| reply.map(drop)), checked, "checked as it is decoded");
    let mut written = Vec::new();
    match &decoded {
        Err(error) => return check_error(error, bytes),
        Ok(Ok(value)) => {
            assert!(count(value) <= limits.values_max && depth(value) <= limits.depth_max);
            encode_response(value, &mut written).expect("what was read can be written");
        }
        // Codes beyond 32 bits are read and not written.
        Ok(Err(fault)) => match encode_fault(fault, &mut written) {
            Ok(()) => {}
            Err(error) => return assert!(i32::try_from(fault.code).is_err(), "{error}"),
        },
    }
    assert_eq!(decode_response(&written, &Limits::default()), decoded, "read back");
}

/// Any bytes as a call, as a server reads it.
pub fn xmlrpc_call(data: &[u8]) {
    let Some((limits, bytes)) = case(data) else { return };
    match decode_call(bytes, &limits) {
        Err(error) => check_error(&error, bytes),
        Ok(call) => {
            let mut written = Vec::new();
            let done = encode_call(&call.method, &call.params, &mut written);
            done.expect("what was read can be written");
            assert_eq!(decode_call(&written, &Limits::default()), Ok(call), "read back");
        }
    }
}

fn case(data: &[u8]) -> Option<(Limits, &[u8])> {
    let (&choice, bytes) = data.split_first()?;
    let small = Limits { bytes_max: 2_000, depth_max: 3, values_max: 8, name_bytes_max: 24 };
    Some((if choice & 1 == 0 { Limits::default() } else { small }, bytes))
}

fn check_error(error: &DecodeError, bytes: &[u8]) {
    assert!(error.at <= bytes.len(), "{error}: a place within {} bytes", bytes.len());
    assert!(error.to_string().len() < 256, "a message is bounded: {error}");
    if let DecodeErrorKind::NotXml { found } = error.kind {
        assert!(found != Snippet::first(b""), "there is something to show: {error}");
    }
}

fn count(value: &Value) -> usize {
    let within: usize = match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Struct(members) => members.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    };
    1 + within
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Struct(members) => {
            1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or_default()
        }
        _ => 0,
    }
}
