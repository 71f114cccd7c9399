//! Properties over generated input: what is encoded is decoded, splits never matter, any bytes keep the contract.

use loadr_protocols::{
    fuzz::websocket::{
        Seen, Terms, encode, transcript, websocket_frames, websocket_handshake, websocket_splits,
    },
    websocket::{Deflate, RemoteError},
};
use proptest::{prelude::*, sample::Index};

/// How a connection may be read: both roles, with and without compression on all its terms.
fn terms() -> impl Strategy<Value = Terms> {
    let deflate = prop::option::of(any::<(bool, bool)>().prop_map(|(server, client)| Deflate {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
    }));
    (any::<bool>(), deflate).prop_map(|(client, deflate)| {
        let terms = if client { Terms::client() } else { Terms::server() };
        Terms { deflate, ..terms }
    })
}

/// Payloads of the sizes at which something changes, some of which compress well.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..40),
        2 => prop::collection::vec(b'a'..b'd', 100..300),
        1 => prop::collection::vec(any::<u8>(), 65_530..65_545),
        1 => (any::<u8>(), 70_000..140_000usize).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,20}",
        1 => "[a-f ]{100,300}",
        1 => "\\PC{1,20}".prop_map(|text| text.repeat(2_000)),
    ]
}

/// What one side may send, a close at the end or none.
pub(crate) fn events() -> impl Strategy<Value = Vec<Seen>> {
    let control = || prop::collection::vec(any::<u8>(), 0..126);
    let event = prop_oneof![
        3 => text().prop_map(Seen::Text),
        3 => payload().prop_map(Seen::Binary),
        1 => control().prop_map(Seen::Ping),
        1 => control().prop_map(Seen::Pong),
    ];
    let code = prop_oneof![1000..=1003u16, 1007..=1011u16, 3000..=4999u16];
    let close = prop_oneof![
        Just(Seen::Close(None, String::new())),
        (code, "\\PC{0,20}").prop_map(|(code, reason)| Seen::Close(Some(code), reason)),
    ];
    (prop::collection::vec(event, 0..6), prop::option::of(close)).prop_map(|(mut events, close)| {
        events.extend(close);
        events
    })
}

/// Cuts `bytes` at the given positions.
fn split<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

/// Frames, most of them well formed, made without the codec: first byte, whether masked, payload.
pub(crate) fn frames() -> impl Strategy<Value = Vec<(u8, bool, Vec<u8>)>> {
    let first = prop_oneof![
        20 => prop::sample::select(vec![0x01, 0x02, 0x81, 0x82, 0x00, 0x80, 0x89, 0x8a]),
        1 => Just(0x88),
        1 => prop::sample::select(vec![0xc1, 0x41, 0x91, 0xa2, 0x83, 0x8b, 0x09, 0x08]),
    ];
    let payload = prop_oneof![
        4 => prop::collection::vec(b'a'..b'e', 0..8),
        2 => prop::sample::select(vec!["ä", "€", "😀", "\u{7ff}"]).prop_map(|text| text.into()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => Just(b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        1 => Just(vec![b'x'; 126]),
    ];
    // A close may say nothing, or a code that everybody allows.
    let frame = (first, prop::bool::weighted(0.01), payload).prop_map(|(first, odd, payload)| {
        match first & 0xf {
            8 => (first, odd, b"\x03\xe8".to_vec()),
            _ => (first, odd, payload),
        }
    });
    prop::collection::vec(frame, 0..12)
}

/// The bytes of such frames as their sender would send them, but for those that are oddly masked.
pub(crate) fn raw(frames: &[(u8, bool, Vec<u8>)], masked: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (first, odd, payload) in frames {
        let masked = masked != *odd;
        let bit = if masked { 0x80 } else { 0 };
        out.push(*first);
        match payload.len() {
            short @ 0..126 => out.push(bit | short as u8),
            long => {
                out.push(bit | 126);
                out.extend((long as u16).to_be_bytes());
            }
        }
        let key = if masked { [0x37, 0xfa, 0x21, 0x3d] } else { [0; 4] };
        if masked {
            out.extend(key);
        }
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_is_decoded_however_it_is_fragmented_and_split(
        terms in terms(),
        events in events(),
        choice in any::<u8>(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        // Few bytes a fragment for small payloads only, or this takes for ever.
        let large = events.iter().any(|event| match event {
            Seen::Text(text) => text.len() > 1_000,
            Seen::Binary(bytes) => bytes.len() > 1_000,
            _ => false,
        });
        let bytes = encode(terms, if large { choice & !7 } else { choice }, &events);
        let mut expected = events;
        if !matches!(expected.last(), Some(Seen::Close(..))) {
            expected.push(Seen::Refused(RemoteError::ClosedWithoutClose));
        }
        let seen = transcript(terms, split(&bytes, &cuts));
        prop_assert!(seen == expected, "{seen:?} is not {expected:?}");
    }

    #[test]
    fn frames_of_any_kind_keep_the_contract(
        choice in any::<[u8; 2]>(),
        frames in frames(),
    ) {
        let input = [&choice[..], &raw(&frames, choice[0] & 1 != 0)].concat();
        websocket_frames(&input);
        websocket_splits(&input);
    }

    #[test]
    fn any_bytes_keep_the_contract(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        websocket_frames(&bytes);
        websocket_splits(&bytes);
        websocket_handshake(&bytes);
    }
}
