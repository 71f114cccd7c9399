//! Any bytes as an XML-RPC response: no panic, within the limits, checked as decoded, written as read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::xmlrpc::xmlrpc_response(data));
