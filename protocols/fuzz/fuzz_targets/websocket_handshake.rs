//! Any bytes as the answer to a WebSocket handshake: judged, never accepted without the value that answers the key.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| loadr_protocols::fuzz::websocket::websocket_handshake(data));
