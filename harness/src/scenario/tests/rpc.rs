//! Calls of XML-RPC in files: what their parameters come to, how they are shown, what is refused.

use loadr_protocols::xmlrpc::{Limits, MethodCall, Value as Xml, decode_call};
use serde_json::json;

use super::compiled::{User, request, scenario};
use super::{read, with_steps};
use crate::scenario::rpc::{Faults, json_of};
use crate::scenario::step::Body;
use crate::scenario::template::{Unfit, Unset};
use crate::scenario::{Scenario, show};

/// A file that calls `f` with `params`, beside a step that sets `x`.
fn calling(params: &str) -> Scenario {
    let steps =
        format!("{{ xmlrpc = {{ method = \"f\", params = [{params}] }} }},{{ set = {{ x = 0 }} }}");
    scenario(&with_steps(&steps))
}

fn render(params: &str, x: serde_json::Value) -> Result<MethodCall, Unset> {
    let scenario = calling(params);
    let Body::XmlRpc(call) = &request(&scenario).body else { panic!("{scenario:?}") };
    let mut text = "before".to_owned();
    call.render(&User::new(&scenario, &[("x", x)]), &mut text)?;
    let bytes = text.strip_prefix("before").unwrap().as_bytes();
    Ok(decode_call(bytes, &Limits::default()).unwrap())
}

#[track_caller]
fn assert_sends(param: &str, expected: Xml) {
    let call = render(param, json!("a<b")).unwrap();
    assert_eq!((call.method.as_str(), call.params), ("f", vec![expected]), "{param}");
}

#[test]
fn every_type_can_be_said() {
    let moment = |text: &str| Xml::DateTime(text.parse().unwrap());
    assert_sends("7", Xml::Int(7));
    assert_sends("-2147483649", Xml::I8(-2_147_483_649));
    assert_sends("{ i8 = 7 }", Xml::I8(7));
    assert_sends("true", Xml::Boolean(true));
    assert_sends("1e300", Xml::Double(1e300));
    assert_sends("{ double = 1 }", Xml::Double(1.0));
    assert_sends("\"a&b\"", Xml::from("a&b"));
    assert_sends("{ string = 1 }", Xml::from("1"));
    assert_sends("1998-07-17T14:08:55", moment("19980717T14:08:55"));
    assert_sends("1998-07-17T14:08:55.250+01:30", moment("19980717T14:08:55.25+01:30"));
    assert_sends("1998-07-17T14:08:55Z", moment("19980717T14:08:55Z"));
    assert_sends("{ datetime = \"19980717T14:08:55\" }", moment("19980717T14:08:55"));
    assert_sends("{ base64 = \"AAEC/w==\" }", Xml::bytes([0, 1, 2, 255]));
    assert_sends("{ nil = true }", Xml::Nil);
    assert_sends("[]", Xml::Array(Vec::new()));
    assert_sends("{}", Xml::Struct(Vec::new()));
    assert_sends("[1, [\"a\"]]", Xml::Array(vec![1.into(), Xml::from(["a"])]));
    assert_sends("{ b = 1, \"<\" = 2 }", Xml::structure([("b", 1), ("<", 2)]));
    assert_sends("{ struct = { nil = 1 } }", Xml::structure([("nil", 1)]));
    assert_sends("{ nil = 1, i8 = 2 }", Xml::structure([("nil", 1), ("i8", 2)]));
}

#[test]
fn placeholders_take_the_type_of_their_value() {
    assert_sends("\"${x}\"", Xml::from("a<b"));
    assert_sends("\"<${x}&\"", Xml::from("<a<b&"));
    assert_sends("{ \"a\" = [\"${x}\"] }", Xml::structure([("a", Xml::from(["a<b"]))]));
    let sent = |param: &str, x| render(param, x).unwrap().params.remove(0);
    assert_eq!(sent("\"${x}\"", json!(5)), Xml::Int(5));
    assert_eq!(sent("\"${x}\"", json!(1_u64 << 40)), Xml::I8(1 << 40));
    assert_eq!(sent("\"${x}\"", json!(1.5)), Xml::Double(1.5));
    assert_eq!(sent("\"${x}\"", json!(null)), Xml::Nil);
    let object = Xml::structure([("k", Xml::from([true]))]);
    assert_eq!(sent("\"${x}\"", json!({ "k": [true] })), object);
    assert_eq!(sent("{ i8 = \"${x}\" }", json!(5)), Xml::I8(5));
    assert_eq!(sent("{ double = \"${x}\" }", json!(5)), Xml::Double(5.0));
    assert_eq!(sent("{ string = \"${x}\" }", json!(5)), Xml::from("5"));
    assert_eq!(sent("{ base64 = \"${x}\" }", json!("AAEC")), Xml::bytes([0, 1, 2]));
    assert_eq!(sent("\"${random.int(3,3)}\"", json!(null)), Xml::Int(3));
}

#[test]
fn a_value_that_cannot_be_sent_ends_the_step() {
    let unfit = |param: &str, x| render(param, x).unwrap_err();
    let control = Unset::Unfit(Unfit::Character(8));
    assert_eq!(unfit("\"${x}\"", json!("a\u{8}")), control);
    assert_eq!(unfit("\"<${x}\"", json!("a\u{8}")), control);
    assert_eq!(unfit("{ i8 = \"${x}\" }", json!("a")), Unset::Unfit(Unfit::NoType("i8")));
    assert_eq!(unfit("\"${x}\"", json!(u64::MAX)), Unset::Unfit(Unfit::NoType("i8")));
    assert_eq!(unfit("{ base64 = \"${x}\" }", json!("a")), Unset::Unfit(Unfit::NoType("base64")));
    assert_eq!(unfit("{ double = \"${x}\" }", json!("inf")), Unset::Unfit(Unfit::NoType("double")));
    let deep = (0..600).fold(json!(1), |value, _| json!([value]));
    assert_eq!(unfit("\"${x}\"", deep), Unset::Unfit(Unfit::Depth));
}

#[test]
fn results_are_seen_as_json() {
    let value = Xml::structure([
        ("a", Xml::Nil),
        ("b", Xml::bytes([255])),
        ("c", Xml::Array(vec![1.into(), Xml::I8(1 << 40), 1.5.into(), false.into()])),
        ("d", Xml::DateTime("19980717T14:08:55".parse().unwrap())),
        ("a", Xml::from("last")),
    ]);
    let expected = json!({
        "a": "last", "b": "/w==", "c": [1, 1_u64 << 40, 1.5, false], "d": "19980717T14:08:55"
    });
    assert_eq!(json_of(&value), expected);
}

#[test]
fn what_stands_beside_a_call_is_that_of_a_request() {
    let file = with_steps(
        "{ xmlrpc = { method = \"a.b\" }, url = \"/RPC2\", type = \"rpc\", name = \"n\", timeout = 2, \
         headers = { X = \"1\" }, expect = { fault = [4, -5], max_ms = 10 }, extract = { y = \"json:\" } }",
    );
    let scenario = scenario(&file);
    let request = request(&scenario);
    let label = &scenario.entries[0];
    assert_eq!((label.method.as_str(), label.name.as_str()), ("rpc", "n"));
    assert_eq!((request.url.text(), request.extract.len()), ("/RPC2", 1));
    let faults = &request.rpc.as_ref().unwrap().faults;
    assert_eq!(faults, &Faults::OneOf([4, -5].into()));
    assert_eq!(faults.to_string(), "fault 4 or -5");
    let shown = show(&scenario);
    assert!(shown.contains("\n    rpc a.b() to /RPC2, as n\n      X: 1\n"), "{shown}");
}

#[test]
fn calls_are_shown_as_they_are_written() {
    let scenario = calling("1, \"${x}\", [{ i8 = \"${x}\" }], { a = { nil = true } }");
    let shown = show(&scenario);
    let line = "\n    xmlrpc f(1, \"${x}\", [{\"i8\":\"${x}\"}], {\"a\":null})\n";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn what_cannot_be_called_is_refused() {
    for (step, expected) in [
        ("{ xmlrpc = \"f\" }", "6:12: \"xmlrpc\" wants a table in { }, not a string"),
        ("{ xmlrpc = {} }", "6:12: an XML-RPC call needs \"method\""),
        (
            "{ xmlrpc = { methd = \"f\" } }",
            "6:12: an XML-RPC call needs \"method\"\n\
             6:14: unknown key \"methd\" in an XML-RPC call; did you mean \"method\"?",
        ),
        (
            "{ xmlrpc = { method = \"a b\" } }",
            "6:23: \"a b\" is no method's name: it may have letters, digits and _ . : /",
        ),
        ("{ xmlrpc = { method = \"f\" }, params = [1] }", "6:30: unknown key \"params\" in a step"),
        (
            "{ xmlrpc = { method = \"f\" }, expect = { status = 200 } }",
            "6:41: unknown key \"status\" in an expectation of a call",
        ),
        (
            "{ xmlrpc = { method = \"f\" }, expect = { fault = \"x\" } }",
            "6:49: \"fault\" wants a fault's code, several in [ ], or true for any",
        ),
        (
            "{ xmlrcp = { method = \"f\" } }",
            "6:1: unknown key \"xmlrcp\" in a step; did you mean \"xmlrpc\"?",
        ),
        (
            "{ xmlrpc = { method = \"f\" }, get = \"/\" }",
            "6:12: a step does one thing: \"get\" or \"xmlrpc\", each in a step of its own",
        ),
    ] {
        assert_refused(step, expected);
    }
}

#[test]
fn parameters_that_cannot_be_sent_are_refused() {
    for (param, expected) in [
        ("inf", "this is no number that XML-RPC can carry"),
        ("9223372036854775808", "a whole number has 64 bits at most"),
        ("1998-07-17", "XML-RPC knows a date with a time, and neither alone"),
        ("14:08:55", "XML-RPC knows a date with a time, and neither alone"),
        ("{ i8 = \"x\" }", "\"x\" is no i8"),
        ("{ base64 = \"a\" }", "\"a\" is no base64"),
        ("{ datetime = \"now\" }", "\"now\" is no datetime"),
        ("{ nil = false }", "\"nil\" = false says nothing; write { nil = true }"),
        ("\"a\\u0008\"", "XML cannot carry the character U+0008; bytes can be sent as base64"),
    ] {
        let steps = format!("{{ xmlrpc = {{ method = \"f\", params = [{param}] }} }}");
        let problems = read(&with_steps(&steps)).expect_err(param).to_string();
        assert!(problems.ends_with(&format!(": {expected}")), "{param}: {problems}");
        assert!(problems.lines().count() == 1, "{problems}");
    }
}

#[track_caller]
fn assert_refused(step: &str, expected: &str) {
    let problems = read(&with_steps(step)).expect_err(step);
    let lines: Vec<String> = problems.all().iter().map(ToString::to_string).collect();
    assert_eq!(lines.join("\n").replace("shop.toml:", ""), expected, "{step}");
}
