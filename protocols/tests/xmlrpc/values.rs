//! Values at random.

use loadr_protocols::xmlrpc::{DateTime, Value};
use proptest::collection::vec;
use proptest::prelude::*;

/// Characters that XML can carry, those that mean something to it more often than chance would have it.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => "[ -~]".prop_map(|text| text.chars().next().expect("one")),
        2 => prop::sample::select(vec!['<', '>', '&', '"', '\'', '\r', '\n', '\t', ' ', ']', ';', '#']),
        1 => any::<char>().prop_filter("XML carries it", |c| {
            matches!(u32::from(*c), 0x20..=0xd7ff | 0xe000..=0xfffd | 0x10000..)
        }),
    ];
    vec(character, 0..12).prop_map(String::from_iter)
}

fn date_time() -> impl Strategy<Value = DateTime> {
    let date = (0_u16..10_000, 1_u8..13, 1_u8..29);
    (date, (0_u8..24, 0_u8..60, 0_u8..61))
        .prop_map(|(date, time)| DateTime::new(date, time).expect("there are such moments"))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::I8),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::String),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double),
        date_time().prop_map(Value::DateTime),
        vec(any::<u8>(), 0..20).prop_map(Value::Base64),
        Just(Value::Nil),
    ]
}

/// Values of every type, within each other.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            vec((text(), inner), 0..5).prop_map(Value::Struct),
        ]
    })
}
