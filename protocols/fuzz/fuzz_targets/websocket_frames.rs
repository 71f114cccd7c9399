//! Any bytes as WebSocket frames: no panic, bounded memory, errors that last, and what is understood encodes again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::websocket::websocket_frames(data));
