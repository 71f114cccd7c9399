//! Random values written by Python's `xmlrpc.client` and read by ours, and the other way round.
//!
//! To try other values, change `SEED`; a failure shows the document.

use std::io::Write;
use std::process::{Command, Stdio};

use loadr_engine::random::SplitMix64;
use loadr_protocols::xmlrpc::{
    DateTime, Fault, Limits, Value, decode_call, decode_response, encode_call, encode_fault,
    encode_response,
};
use loadr_tests::python::python;
use loadr_tests::workspace_root;
use serde_json::{Value as Json, json};

const SEED: u64 = 4;
const COUNT: usize = 2_000;

/// Runs `tests/data/xmlrpc_marshal.py`, and gives the documents that it prints, one a line.
fn python_says(arguments: &[&str], input: String) -> Vec<Json> {
    let mut command = Command::new(python());
    command.arg(workspace_root().join("tests/data/xmlrpc_marshal.py")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("Python can be waited for");
    writer.join().expect("no panic").expect("Python reads all of it");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("Python prints UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What a value is, as the script says it.
fn described(value: &Value) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match value {
        Value::Int(number) => json!(["int", number.to_string()]),
        Value::I8(number) => json!(["int", number.to_string()]),
        Value::Boolean(truth) => json!(["boolean", truth]),
        Value::String(text) => json!(["string", text]),
        Value::Double(number) => json!(["double", hex(&number.to_be_bytes())]),
        Value::DateTime(moment) => json!(["dateTime", moment.as_str()]),
        Value::Base64(bytes) => json!(["base64", hex(bytes)]),
        Value::Array(values) => json!(["array", values.iter().map(described).collect::<Vec<_>>()]),
        Value::Struct(members) => {
            let members = members.iter().map(|(name, value)| json!([name, described(value)]));
            json!(["struct", members.collect::<Vec<_>>()])
        }
        Value::Nil => json!(["nil"]),
    }
}

/// The text that stands under `key` in base64, as bytes.
fn document(line: &Json, key: &str) -> Vec<u8> {
    // Decoded as a value of XML-RPC is: the vectors of the codec hold that it is right.
    let text = line[key].as_str().expect("text");
    let before = "<methodResponse><params><param><value><base64>";
    let after = "</base64></value></param></params></methodResponse>";
    let whole = format!("{before}{text}{after}");
    let value = decode_response(whole.as_bytes(), &Limits::default());
    value.expect("base64").expect("a value").as_bytes().expect("bytes").to_vec()
}

#[test]
fn what_python_writes_is_read() {
    let lines = python_says(&["write", &SEED.to_string(), &COUNT.to_string()], String::new());
    assert_eq!(lines.len(), COUNT);
    for line in lines {
        let response = document(&line, "response");
        let shown = String::from_utf8_lossy(&response).into_owned();
        let value = decode_response(&response, &Limits::default());
        let value = value.unwrap_or_else(|error| panic!("{error}\n{shown}")).expect("no fault");
        assert_eq!(described(&value), line["value"], "{shown}");
        let call = decode_call(&document(&line, "call"), &Limits::default()).expect("a call");
        assert_eq!(call.method, "a.b");
        assert_eq!(described(&call.params[0]), line["value"], "{shown}");
        let code = line["code"].as_i64().expect("a number");
        assert_eq!(call.params[1].as_i64(), Some(code));
        let fault = decode_response(&document(&line, "fault"), &Limits::default());
        let string = line["string"].as_str().expect("text").to_owned();
        assert_eq!(fault, Ok(Err(Fault { code, string })));
    }
}

#[test]
fn what_we_write_is_read_by_python() {
    let mut random = SplitMix64::new(SEED);
    let (mut input, mut expected) = (String::new(), Vec::new());
    let mut send = |bytes: &[u8], says: Json| {
        input.push_str(&encoded(bytes));
        input.push('\n');
        expected.push((String::from_utf8_lossy(bytes).into_owned(), says));
    };
    for _ in 0..COUNT {
        let (one, other) = (value(&mut random, 4), value(&mut random, 2));
        let mut bytes = Vec::new();
        encode_response(&one, &mut bytes).expect("a value that can be sent");
        send(&bytes, json!({ "params": [described(&one)], "method": null }));
        bytes.clear();
        let says = json!({ "params": [described(&one), described(&other)], "method": "a.b" });
        encode_call("a.b", &[one, other], &mut bytes).expect("a call that can be sent");
        send(&bytes, says);
        bytes.clear();
        let fault = Fault { code: random.below(2_000) as i64 - 1_000, string: text(&mut random) };
        encode_fault(&fault, &mut bytes).expect("a fault that can be sent");
        send(&bytes, json!({ "code": fault.code, "string": fault.string }));
    }
    let said = python_says(&["read"], input);
    assert_eq!(said.len(), expected.len());
    for (said, (document, expected)) in said.iter().zip(&expected) {
        assert_eq!(said, expected, "seed {SEED}: {document}");
    }
}

fn encoded(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    let value = Value::bytes(bytes);
    loadr_protocols::xmlrpc::encode_value(&value, &mut out).expect("bytes can be sent");
    let text = String::from_utf8(out).expect("ASCII");
    text.replace("<value><base64>", "").replace("</base64></value>", "")
}

fn text(random: &mut SplitMix64) -> String {
    let characters: Vec<char> =
        "aZ09 \t\n\r<>&\"'];#\u{e9}\u{20ac}\u{1f600}\u{d7ff}\u{e000}\u{fffd}".chars().collect();
    let length = random.below(12);
    (0..length).map(|_| characters[random.below(characters.len() as u64) as usize]).collect()
}

fn value(random: &mut SplitMix64, depth: u32) -> Value {
    let count = random.below(5);
    match random.below(6) {
        0 if depth > 0 => Value::Array((0..count).map(|_| value(random, depth - 1)).collect()),
        1 if depth > 0 => {
            // Of members with one name Python keeps the last.
            let name = |number: u64, random: &mut SplitMix64| format!("{number}{}", text(random));
            let members = (0..count).map(|n| (name(n, random), value(random, depth - 1)));
            Value::Struct(members.collect())
        }
        _ => scalar(random),
    }
}

fn scalar(random: &mut SplitMix64) -> Value {
    match random.below(8) {
        0 => Value::Int(random.next_u64() as i32),
        1 => Value::I8(random.next_u64() as i64),
        2 => Value::Boolean(random.below(2) == 1),
        3 => loop {
            let number = f64::from_bits(random.next_u64());
            if number.is_finite() {
                return Value::Double(number);
            }
        },
        4 => {
            let mut part = |bound: u64| random.below(bound) as u8;
            let (date, time) = ((1 + part(12), 1 + part(28)), (part(24), part(60), part(60)));
            let year = 1 + random.below(9_999) as u16;
            let moment = DateTime::new((year, date.0, date.1), time);
            Value::DateTime(moment.expect("there is such a moment"))
        }
        5 => {
            let count = random.below(120);
            Value::Base64((0..count).map(|_| random.next_u64() as u8).collect())
        }
        6 => Value::Nil,
        _ => Value::String(text(random)),
    }
}
