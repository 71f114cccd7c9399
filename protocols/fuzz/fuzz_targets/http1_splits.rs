//! Any bytes as HTTP/1.1 responses, split anywhere: the same events or the same error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::http1_splits(data));
