//! Every vector is read whole, byte by byte and with trailing bytes.

use proptest::prelude::*;

use super::*;

fn encoded(request: Request<'_>) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    Mqtt::encode(request, &mut bytes).expect("it has a form");
    bytes.to_vec()
}

/// Where the first packet ends once so many bytes are there.
fn end(bytes: &[u8]) -> Result<Option<usize>, PacketError> {
    Ok(Mqtt.frame(bytes)?.filter(|end| *end <= bytes.len()))
}

#[track_caller]
fn reads_as(bytes: &[u8], expected: Message<'_>) {
    assert_eq!(end(bytes), Ok(Some(bytes.len())), "whole");
    assert_eq!(Mqtt.message(bytes), Ok(expected));
    assert_eq!(
        end(&[bytes, &[PINGRESP, 0]].concat()),
        Ok(Some(bytes.len())),
        "with trailing bytes"
    );
    for received in 1..bytes.len() {
        assert_eq!(end(&bytes[..received]), Ok(None), "{received} bytes");
    }
}

#[track_caller]
fn is_refused(bytes: &[u8], expected: PacketError) {
    let refused = |bytes: &[u8]| match end(bytes)? {
        Some(end) => Mqtt.message(&bytes[..end]).map(|_| ()),
        None => Ok(()),
    };
    assert_eq!(refused(bytes), Err(expected), "whole");
    let mut steps = (1..=bytes.len()).map(|received| refused(&bytes[..received]));
    assert_eq!(steps.find(Result::is_err), Some(Err(expected)), "byte by byte");
}

#[test]
fn requests_are_written_as_the_specification_says() {
    let connect = Request::Connect { client_id: "a", keep_alive_s: 60, login: None };
    assert_eq!(encoded(connect), b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a");
    let login = Some(("me", "pw"));
    let connect = Request::Connect { client_id: "", keep_alive_s: 0, login };
    assert_eq!(
        encoded(connect),
        b"\x10\x14\x00\x04MQTT\x04\xc2\x00\x00\x00\x00\x00\x02me\x00\x02pw"
    );
    let publish = |qos| Request::Publish { topic: "a/b", payload: b"hi", qos, identifier: 10 };
    assert_eq!(encoded(publish(Qos::AtMostOnce)), b"\x30\x07\x00\x03a/bhi");
    assert_eq!(encoded(publish(Qos::AtLeastOnce)), b"\x32\x09\x00\x03a/b\x00\x0ahi");
    assert_eq!(encoded(Request::Acknowledge { identifier: 258 }), b"\x40\x02\x01\x02");
    let subscribe = Request::Subscribe { identifier: 1, filter: "a/#", qos: Qos::AtLeastOnce };
    assert_eq!(encoded(subscribe), b"\x82\x08\x00\x01\x00\x03a/#\x01");
    assert_eq!(encoded(Request::Ping), b"\xc0\x00");
    assert_eq!(encoded(Request::Disconnect), b"\xe0\x00");
}

/// Table 2.4: the sizes at which the remaining length takes another byte.
#[test]
fn remaining_lengths_take_one_byte_to_four() {
    for (remaining, head) in [
        (127, &[PUBLISH, 0x7f][..]),
        (128, &[PUBLISH, 0x80, 0x01]),
        (16_383, &[PUBLISH, 0xff, 0x7f]),
        (16_384, &[PUBLISH, 0x80, 0x80, 0x01]),
        (2_097_151, &[PUBLISH, 0xff, 0xff, 0x7f]),
        (2_097_152, &[PUBLISH, 0x80, 0x80, 0x80, 0x01]),
        (268_435_455, &[PUBLISH, 0xff, 0xff, 0xff, 0x7f]),
    ] {
        let mut written = BytesMut::new();
        assert_eq!(put_head(&mut written, PUBLISH, remaining), Ok(()));
        assert_eq!(written, head);
        assert_eq!(Mqtt.frame(head), Ok(Some(head.len() + remaining)));
    }
    let too_long = put_head(&mut BytesMut::new(), PUBLISH, 268_435_456);
    assert_eq!(too_long, Err(PacketError::TooLong(268_435_456)));
}

#[test]
fn what_has_no_form_is_refused() {
    let topic = "t".repeat(65_536);
    let publish =
        Request::Publish { topic: &topic, payload: b"", qos: Qos::AtMostOnce, identifier: 0 };
    let refused = Mqtt::encode(publish, &mut BytesMut::new());
    assert_eq!(refused, Err(PacketError::TextTooLong("topic", 65_536)));
}

#[test]
fn messages_of_a_server() {
    let connected =
        |session_present, return_code| Message::Connected { session_present, return_code };
    reads_as(b"\x20\x02\x00\x00", connected(false, 0));
    reads_as(b"\x20\x02\x01\x00", connected(true, 0));
    reads_as(b"\x20\x02\x00\x05", connected(false, 5));
    reads_as(b"\x40\x02\x01\x02", Message::Acknowledged { identifier: 258 });
    reads_as(b"\x90\x03\x00\x01\x01", Message::Subscribed { identifier: 1, granted: Some(1) });
    reads_as(b"\x90\x03\x00\x01\x80", Message::Subscribed { identifier: 1, granted: None });
    reads_as(b"\xd0\x00", Message::Pong);
    let published =
        |payload, qos, identifier| Message::Published { topic: "a/b", payload, qos, identifier };
    reads_as(b"\x30\x07\x00\x03a/bhi", published(b"hi", Qos::AtMostOnce, 0));
    reads_as(b"\x31\x05\x00\x03a/b", published(b"", Qos::AtMostOnce, 0));
    reads_as(b"\x3a\x09\x00\x03a/b\x00\x0ahi", published(b"hi", Qos::AtLeastOnce, 10));
    let long = vec![b'x'; 300];
    let publish =
        Request::Publish { topic: "a/b", payload: &long, qos: Qos::AtLeastOnce, identifier: 7 };
    reads_as(&encoded(publish), published(&long, Qos::AtLeastOnce, 7));
}

#[test]
fn what_is_no_packet_for_a_client_is_refused() {
    // Reserved types, a client's own, quality of service 2, and flags that must be 0.
    for first in [0x00, 0xf0, 0x10, 0x82, 0xc0, 0x50, 0x34, 0x36, 0x21, 0xd1] {
        is_refused(&[first, 0], PacketError::Type(first));
    }
    is_refused(b"\x30\xff\xff\xff\xff\x01", PacketError::Remaining);
    is_refused(b"\x20\x01\x00", PacketError::Length("CONNACK", 1));
    is_refused(b"\x40\x03\x00\x01\x00", PacketError::Length("PUBACK", 3));
    is_refused(b"\x90\x02\x00\x01", PacketError::Length("SUBACK", 2));
    is_refused(b"\xd0\x01\x00", PacketError::Length("PINGRESP", 1));
    is_refused(b"\x30\x01\x00", PacketError::Length("PUBLISH", 1));
    is_refused(b"\x30\x04\x00\x03a/", PacketError::Length("PUBLISH", 4));
    is_refused(b"\x32\x04\x00\x01a\x00", PacketError::Length("PUBLISH", 4));
    is_refused(b"\x30\x02\x00\x00", PacketError::Topic);
    is_refused(b"\x30\x03\x00\x01#", PacketError::Topic);
    is_refused(b"\x30\x03\x00\x01\xff", PacketError::Topic);
    is_refused(b"\x32\x05\x00\x01a\x00\x00", PacketError::Identifier);
    is_refused(b"\x40\x02\x00\x00", PacketError::Identifier);
    is_refused(b"\x90\x03\x00\x01\x03", PacketError::ReturnCode(3));
}

#[test]
fn refusals_are_failures_in_words() {
    let failure = |message| Mqtt::failure(&message).map(|failure| failure.message.into_owned());
    let connected = |return_code| Message::Connected { session_present: false, return_code };
    assert_eq!(failure(connected(0)), None);
    let words = "connection refused: bad user name or password";
    assert_eq!(failure(connected(4)).as_deref(), Some(words));
    let subscribed = |granted| Message::Subscribed { identifier: 1, granted };
    assert_eq!(failure(subscribed(Some(0))), None);
    assert_eq!(failure(subscribed(None)).as_deref(), Some("subscription refused"));
}

proptest! {
    #[test]
    fn what_is_published_reads_as_it_was_written(
        topic in "[a-z/]{1,40}",
        payload in prop::collection::vec(any::<u8>(), 0..400),
        number in 1_u16..,
    ) {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            let identifier = if qos == Qos::AtLeastOnce { number } else { 0 };
            let request = Request::Publish { topic: &topic, payload: &payload, qos, identifier };
            let expected =
                Message::Published { topic: &topic, payload: &payload, qos, identifier };
            reads_as(&encoded(request), expected);
        }
    }

    /// Any bytes are a packet, an error or unfinished, and never a panic.
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(Some(end)) = end(&bytes) {
            let _ = Mqtt.message(&bytes[..end]);
        }
    }
}
