//! Properties over generated values and documents: what is encoded is decoded, however it is dressed, and another's reader
//! agrees with ours about every document that ours takes.

use loadr_protocols::fuzz;
use loadr_protocols::xmlrpc::{
    Fault, Limits, Value, decode_call, encode_call, encode_fault, encode_response,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{decode, decorated, oracle, values};

fn encoded(value: &Value) -> String {
    let mut bytes = Vec::new();
    encode_response(value, &mut bytes).expect("the values can be sent");
    String::from_utf8(bytes).expect("it is UTF-8")
}

/// What to do to a document to spoil it, or not.
#[derive(Clone, Debug)]
enum Spoil {
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, String),
    Repeat(prop::sample::Index, usize),
}

impl Spoil {
    fn apply(&self, document: &mut String) {
        let (Self::Remove(index, _) | Self::Insert(index, _) | Self::Repeat(index, _)) = self;
        let at = document.floor_char_boundary(index.index(document.len() + 1));
        match self {
            Self::Remove(_, length) => {
                let until = document.floor_char_boundary((at + length).min(document.len()));
                drop(document.drain(at..until));
            }
            Self::Insert(_, text) => document.insert_str(at, text),
            Self::Repeat(_, length) => {
                let until = document.floor_char_boundary((at + length).min(document.len()));
                let piece = document[at..until].to_owned();
                document.insert_str(at, &piece);
            }
        }
    }
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let fragments = [
        "<",
        ">",
        "</",
        "/>",
        "&",
        ";",
        "&#",
        "<!",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        " ",
        "=",
        "'",
        "\"",
        "\r",
        "0",
        "-",
        "<value>",
        "</value>",
        "<nil/>",
        "</data>",
        "\u{e9}",
    ];
    let fragment = prop::sample::select(fragments.to_vec()).prop_map(str::to_owned);
    prop_oneof![
        (any::<prop::sample::Index>(), 1_usize..12)
            .prop_map(|(at, length)| Spoil::Remove(at, length)),
        (any::<prop::sample::Index>(), fragment).prop_map(|(at, text)| Spoil::Insert(at, text)),
        (any::<prop::sample::Index>(), 1_usize..24)
            .prop_map(|(at, length)| Spoil::Repeat(at, length)),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(value in values::value()) {
        let document = encoded(&value);
        prop_assert_eq!(oracle::value_of_response(&document), Some(value.clone()));
        prop_assert_eq!(decode(document.as_bytes()), Ok(Ok(value)));
    }

    #[test]
    fn calls_and_faults_come_back_as_they_went(
        params in vec(values::value(), 0..4),
        method in "[A-Za-z0-9_.:/]{1,20}",
        code: i32,
        string in values::text(),
    ) {
        let mut bytes = Vec::new();
        encode_call(&method, &params, &mut bytes).unwrap();
        let call = decode_call(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!((call.method, call.params), (method, params));
        let fault = Fault { code: code.into(), string };
        bytes.clear();
        encode_fault(&fault, &mut bytes).unwrap();
        prop_assert_eq!(decode(&bytes), Ok(Err(fault)));
    }

    #[test]
    fn a_value_is_the_same_however_it_is_dressed(
        value in values::value(),
        choices in vec(any::<u8>(), 1..200),
    ) {
        let document = decorated::response(&value, &choices);
        prop_assert_eq!(oracle::value_of_response(&document), Some(value.clone()), "{}", &document);
        prop_assert_eq!(decode(document.as_bytes()), Ok(Ok(value)), "{}", document);
    }

    #[test]
    fn a_dressed_value_that_is_cut_off_is_no_value(
        value in values::value(),
        choices in vec(any::<u8>(), 1..200),
        at: prop::sample::Index,
    ) {
        let document = decorated::response(&value, &choices);
        let end = document.rfind("</methodResponse").unwrap();
        let cut = &document.as_bytes()[..at.index(end + "</methodResponse".len())];
        let message = decode(cut).unwrap_err().to_string();
        let expected = message.starts_with("the XML ends") || message.starts_with("an empty body");
        prop_assert!(expected, "{message}: {}", cut.escape_ascii());
    }

    #[test]
    fn whatever_is_taken_is_what_another_reader_takes_it_for(
        value in values::value(),
        choices in vec(any::<u8>(), 1..200),
        spoils in vec(spoil(), 0..4),
    ) {
        let mut document = decorated::response(&value, &choices);
        spoils.iter().for_each(|spoil| spoil.apply(&mut document));
        for limits in [&b"\0"[..], b"\x01"] {
            fuzz::xmlrpc::xmlrpc_response(&[limits, document.as_bytes()].concat());
        }
        if let Ok(Ok(value)) = decode(document.as_bytes()) {
            prop_assert_eq!(oracle::value_of_response(&document), Some(value), "{}", document);
        }
    }

    #[test]
    fn spoilt_calls_keep_the_contract(
        params in vec(values::value(), 0..3),
        spoils in vec(spoil(), 0..4),
        small: bool,
    ) {
        let mut bytes = Vec::new();
        encode_call("a.b", &params, &mut bytes).unwrap();
        let mut document = String::from_utf8(bytes).unwrap();
        spoils.iter().for_each(|spoil| spoil.apply(&mut document));
        fuzz::xmlrpc::xmlrpc_call(&[&[u8::from(small)], document.as_bytes()].concat());
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }
}
