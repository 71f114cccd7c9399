//! Frames and what they come to: those of RFC 6455, 5.7, and RFC 7692, 7.2.3, first.

use loadr_protocols::{
    fuzz::websocket::Terms,
    websocket::{Deflate, Limits, Opcode, RemoteError},
};

/// Who reads, the bytes, the events in a few characters.
pub(crate) fn good() -> Vec<(Terms, Vec<u8>, &'static str)> {
    let client = Terms::client();
    let deflated = client.deflated(Deflate::default());
    let masked = Terms::server();
    let mut vectors: Vec<(Terms, Vec<u8>, &'static str)> = Vec::new();
    let mut add = |terms, bytes: &[u8], events| vectors.push((terms, bytes.to_vec(), events));

    // RFC 6455, 5.7, in its order.
    add(client, b"\x81\x05\x48\x65\x6c\x6c\x6f", "text \"Hello\"");
    add(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "text \"Hello\"");
    add(client, b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", "text \"Hello\"");
    add(client, b"\x89\x05\x48\x65\x6c\x6c\x6f", "ping \"Hello\"");
    add(masked, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "pong \"Hello\"");
    add(client, &[&b"\x82\x7e\x01\x00"[..], &[7; 256]].concat(), "256 bytes");
    add(
        client,
        &[&b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"[..], &[7; 65536]].concat(),
        "65536 bytes",
    );

    // RFC 7692, 7.2.3.1: one block, in one frame and in two.
    add(deflated, b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "text \"Hello\"");
    add(deflated, b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", "text \"Hello\"");
    // 7.2.3.2: the window is shared.
    add(
        deflated,
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
        "text \"Hello\", text \"Hello\"",
    );
    // 7.2.3.3: a block without compression.
    add(deflated, b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "text \"Hello\"");
    // 7.2.3.4: a block that says it is the last, and what may come behind it.
    add(deflated, b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "text \"Hello\"");
    add(
        deflated,
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
        "text \"Hello\", text \"Hello\"",
    );
    // 7.2.3.5: two blocks.
    add(
        deflated,
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        "text \"Hello\"",
    );
    // 7.2.3.6: an empty message.
    add(deflated, b"\xc2\x01\x00", "bytes \"\"");
    // An empty payload is tolerated, and leaves the window as it was.
    add(
        deflated,
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x00\xc1\x05\xf2\x00\x11\x00\x00",
        "text \"Hello\", text \"\", text \"Hello\"",
    );
    // Agreed on, but not used for each message.
    add(deflated, b"\x81\x05Hello", "text \"Hello\"");

    // Control frames between fragments, and empty fragments.
    add(
        client,
        b"\x01\x01a\x89\x01x\x00\x00\x8a\x00\x00\x01b\x80\x00",
        "ping \"x\", pong \"\", text \"ab\"",
    );
    add(
        deflated,
        b"\x41\x03\xf2\x48\xcd\x89\x00\x80\x04\xc9\xc9\x07\x00",
        "ping \"\", text \"Hello\"",
    );
    add(client, b"\x02\x00\x80\x00\x82\x00\x81\x00", "bytes \"\", bytes \"\", text \"\"");
    // A character in two fragments, and the last code point.
    add(client, b"\x01\x02\xe2\x82\x80\x01\xac", "text \"\u{20ac}\"");
    add(client, b"\x81\x04\xf4\x8f\xbf\xbf", "text \"\u{10ffff}\"");
    // The longest control frame, and mask keys that matter by their position.
    let ping = [&b"\x89\x7d"[..], &[b'x'; 125]].concat();
    add(client, &ping, LONGEST_PING);
    add(
        masked,
        b"\x01\x83\x01\x02\x03\x04\x60\x60\x60\x80\x82\x05\x06\x07\x08\x61\x63",
        "text \"abcde\"",
    );

    // Closes, and what comes behind them.
    add(client, b"\x88\x00", "close None \"\"");
    add(client, b"\x88\x02\x03\xe8", "close Some(1000) \"\"");
    add(client, b"\x88\x05\x03\xe9bye\x83garbage", "close Some(1001) \"bye\"");
    add(client, b"\x01\x01a\x88\x02\x0f\xa0", "close Some(4000) \"\"");
    vectors
}

const LONGEST_PING: &str = concat!(
    "ping \"",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""
);

/// Who reads, the bytes, what is wrong with them, and the close code that says so.
pub(crate) fn refused() -> Vec<(Terms, &'static [u8], RemoteError, Option<u16>)> {
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
    use RemoteError as E;

    let client = Terms::client();
    let server = Terms::server();
    let deflated = client.deflated(Deflate::default());
    let small = Terms { limits: Limits { message_bytes_max: 4 }, ..client };
    let protocol = Some(1002);
    let limit = 16 * 1024 * 1024;
    vec![
        // RFC 6455, 5.2: "MUST be 0 unless an extension is negotiated".
        (client, b"\xc1\x01a", E::ReservedBits { bits: 0b100, opcode: Text }, protocol),
        (client, b"\xa2\x01a", E::ReservedBits { bits: 0b010, opcode: Binary }, protocol),
        (client, b"\x99\x00", E::ReservedBits { bits: 0b001, opcode: Ping }, protocol),
        (deflated, b"\xe1\x01a", E::ReservedBits { bits: 0b110, opcode: Text }, protocol),
        (deflated, b"\xc9\x00", E::ReservedBits { bits: 0b100, opcode: Ping }, protocol),
        (
            client,
            b"\x01\x01a\xc0\x01a",
            E::ReservedBits { bits: 0b100, opcode: Continuation },
            protocol,
        ),
        (deflated, b"\x41\x01\xf2\xc0\x00", E::CompressedContinuation, protocol),
        (client, b"\x83\x00", E::ReservedOpcode { opcode: 3 }, protocol),
        (client, b"\x8b\x00", E::ReservedOpcode { opcode: 11 }, protocol),
        (client, b"\x0f", E::ReservedOpcode { opcode: 15 }, protocol),
        // 5.5: control frames "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented".
        (client, b"\x09\x00", E::FragmentedControl { opcode: Ping }, protocol),
        (client, b"\x08\x00", E::FragmentedControl { opcode: Close }, protocol),
        (client, b"\x8a\x7e\x00\x7e", E::ControlTooLong { opcode: Pong }, protocol),
        (client, b"\x88\x7f", E::ControlTooLong { opcode: Close }, protocol),
        // 5.1.
        (client, b"\x81\x81\0\0\0\0a", E::Masked { opcode: Text }, protocol),
        (client, b"\x89\x80", E::Masked { opcode: Ping }, protocol),
        (server, b"\x81\x01a", E::NotMasked { opcode: Text }, protocol),
        // 5.2: "the minimal number of bytes MUST be used".
        (client, b"\x82\x7e\x00\x7d", E::LengthNotMinimal { length: 125, bytes: 2 }, protocol),
        (
            client,
            b"\x82\x7f\0\0\0\0\0\0\xff\xff",
            E::LengthNotMinimal { length: 0xffff, bytes: 8 },
            protocol,
        ),
        (client, b"\x82\x7f\x80\0\0\0\0\0\0\0", E::LengthTooLarge { length: 1 << 63 }, protocol),
        // 5.4.
        (client, b"\x80\x01a", E::ContinuationWithoutStart, protocol),
        (client, b"\x81\x01a\x00\x00", E::ContinuationWithoutStart, protocol),
        (client, b"\x01\x01a\x81\x01b", E::InterruptedMessage { opcode: Text }, protocol),
        (client, b"\x01\x01a\x02\x01b", E::InterruptedMessage { opcode: Binary }, protocol),
        // Limits.
        (
            client,
            b"\x82\x7f\0\0\0\0\x40\0\0\0",
            E::MessageTooLong { declared: 1 << 30, limit },
            Some(1009),
        ),
        (
            client,
            b"\x02\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            E::MessageTooLong { declared: u64::MAX >> 1, limit },
            Some(1009),
        ),
        (small, b"\x82\x05", E::MessageTooLong { declared: 5, limit: 4 }, Some(1009)),
        // 8.1.
        (client, b"\x81\x03a\xc0\xaf", E::Utf8 { at: 1 }, Some(1007)),
        (client, b"\x81\x05ab\xed\xa0\x80", E::Utf8 { at: 2 }, Some(1007)),
        (client, b"\x01\x02\xf4\x90", E::Utf8 { at: 0 }, Some(1007)),
        (client, b"\x01\x03a\xe2\x82\x00\x01a", E::Utf8 { at: 1 }, Some(1007)),
        (client, b"\x81\x02a\xe2", E::Utf8CutOff { at: 1 }, Some(1007)),
        (client, b"\x01\x01a\x80\x01\xe2", E::Utf8CutOff { at: 1 }, Some(1007)),
        // RFC 7692: a block type that does not exist; text that is none once inflated ("\xff").
        (deflated, b"\xc1\x01\x06", E::Inflate, Some(1007)),
        (deflated, b"\xc1\x07\0\x01\0\xfe\xff\xff\0", E::Utf8 { at: 0 }, Some(1007)),
        // 5.5.1 and 7.4.
        (client, b"\x88\x01\x03", E::ClosePayload, protocol),
        (client, b"\x88\x02\x03\xed", E::CloseCode { code: 1005 }, protocol),
        (client, b"\x88\x02\x03\xee", E::CloseCode { code: 1006 }, protocol),
        (client, b"\x88\x02\x00\x00", E::CloseCode { code: 0 }, protocol),
        (client, b"\x88\x02\x13\x88", E::CloseCode { code: 5000 }, protocol),
        (client, b"\x88\x03\x03\xe8\xff", E::CloseReason, Some(1007)),
        // 7.1.5: the end of the connection without a close frame, wherever it comes.
        (client, b"", E::ClosedWithoutClose, None),
        (client, b"\x81\x01a", E::ClosedWithoutClose, None),
        (client, b"\x81", E::ClosedInHeader { received: 1 }, None),
        (client, b"\x81\x7e\x01", E::ClosedInHeader { received: 3 }, None),
        (server, b"\x81\x81abc", E::ClosedInHeader { received: 5 }, None),
        (client, b"\x81\x05Hell", E::ClosedInFrame { received: 4, expected: 5 }, None),
        (client, b"\x89\x05Hel", E::ClosedInFrame { received: 3, expected: 5 }, None),
        (client, b"\x01\x05Hello", E::ClosedInMessage { received: 5 }, None),
        (client, b"\x01\x02He\x00\x01l\x89\x00", E::ClosedInMessage { received: 3 }, None),
    ]
}
