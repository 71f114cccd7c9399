//! Any bytes as HTTP/1.1 responses: no panic, bounded memory, events in order, errors that last.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::http1_response(data));
