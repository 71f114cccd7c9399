//! Any bytes as an XML-RPC call: no panic, within the limits, written as read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::xmlrpc::xmlrpc_call(data));
