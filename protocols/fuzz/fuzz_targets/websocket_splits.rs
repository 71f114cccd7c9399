//! Any bytes as WebSocket frames, split anywhere: the same events or the same error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::websocket::websocket_splits(data));
