//! What compiled templates, conditions and bodies come to, and files that nobody meant.

use std::cell::Cell as Mutable;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{read, with_steps};
use crate::scenario::Scenario;
use crate::scenario::data::FeedIndex;
use crate::scenario::expect::ExtractFrom;
use crate::scenario::model::{ActionIndex, Driver, DriverPer, TaskBody};
use crate::scenario::step::{Body, Request, RequestName, Step};
use crate::scenario::template::{Cell, CounterSlot, FeedSlot, Unset, Values, VariableSlot};

/// A user whose variables and random bits a test chooses.
pub(super) struct User<'a> {
    scenario: &'a Scenario,
    variables: Vec<Option<Value>>,
    random: Mutable<u64>,
    count: Mutable<u64>,
}

impl<'a> User<'a> {
    pub(super) fn new(scenario: &'a Scenario, variables: &[(&str, Value)]) -> Self {
        let value = |name: &String| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let variables = scenario.classes[0].variables.iter().map(value).collect();
        Self { scenario, variables, random: Mutable::new(0), count: Mutable::new(0) }
    }
}

impl Values for User<'_> {
    fn variable(&self, slot: VariableSlot) -> Option<&Value> {
        self.variables[slot.0 as usize].as_ref()
    }

    fn cell(&self, feed: FeedSlot, column: u32) -> Option<Cell<'_>> {
        let index = self.scenario.classes[0].feeds[feed.0 as usize];
        Some(self.scenario.feeds[index.0 as usize].table.cell(0, column))
    }

    fn random(&self) -> u64 {
        self.random.get()
    }

    fn count_on(&self, _: CounterSlot) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    fn user_index(&self) -> u64 {
        7
    }

    fn iteration(&self) -> u64 {
        3
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(1_767_225_600_250).unwrap()
    }
}

pub(super) fn scenario(text: &str) -> Scenario {
    read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn first_step(scenario: &Scenario) -> &Step {
    &scenario.classes[0].actions[0].steps[0]
}

pub(super) fn request(scenario: &Scenario) -> &Request {
    match first_step(scenario) {
        Step::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

/// What `template` comes to in a log step, beside a step that sets `x` and `n`.
#[track_caller]
fn assert_renders(template: &str, random: u64, expected: &str) {
    let steps = format!("{{ log = {template:?} }}, {{ set = {{ x = 0, n = 0 }} }}");
    let data = "[data.words]\nrows = [{ word = \"kettle\", hits = 12 }]\n";
    let scenario = scenario(&format!("{}{data}", with_steps(&steps)));
    let user = User::new(&scenario, &[("x", json!("a b")), ("n", json!({"k": [1]}))]);
    user.random.set(random);
    let Step::Log(log) = first_step(&scenario) else { panic!("{scenario:?}") };
    let mut text = String::new();
    assert_eq!(log.render(&user, &mut text), Ok(()));
    assert_eq!(text, expected, "{template}");
}

#[test]
fn every_placeholder_renders() {
    for (template, random, expected) in [
        ("plain", 0, "plain"),
        ("$${x} costs 5$", 0, "${x} costs 5$"),
        ("<${x}>", 0, "<a b>"),
        ("${ n }", 0, "{\"k\":[1]}"),
        ("${env.HOME}/${env.NOWHERE:-x:-y}", 0, "/home/ada/x:-y"),
        ("${data.words.word} ${data.words.hits}", 0, "kettle 12"),
        ("${random.int(1,500)}", 0, "1"),
        ("${random.int(1,500)}", u64::MAX, "500"),
        ("${random.int(-9223372036854775808,9223372036854775807)}", 0, "-9223372036854775808"),
        ("${random.float(0.5,1.5)}", 1 << 63, "1"),
        ("${random.choice(a, 'b,c')}", u64::MAX, "b,c"),
        ("${random.string(3)}", u64::MAX, "999"),
        ("${uuid}", 0, "00000000-0000-4000-8000-000000000000"),
        ("${uuid}", u64::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ("${counter}${counter}", 0, "12"),
        ("${user.index}/${iteration}", 0, "7/3"),
        ("${now.unix} ${now.unix_ms}", 0, "1767225600 1767225600250"),
        ("${now.iso}", 0, "2026-01-01T00:00:00.250Z"),
    ] {
        assert_renders(template, random, expected);
    }
}

#[test]
fn a_placeholder_alone_keeps_its_type_in_json() {
    let scenario = scenario(&with_steps(
        r#"{ post = "/", json = { a = "${n}", b = "<${n}>", c = ["${x}", 1.5, true], "d\"" = "say \"${x}\"", e = { f = "${flag}" } } },
           { set = { n = 0, x = 0, flag = false } }"#,
    ));
    let user =
        User::new(&scenario, &[("n", json!(5)), ("x", json!("q\"\\\n")), ("flag", json!(true))]);
    let Body::Json(body) = &request(&scenario).body else { panic!("{scenario:?}") };
    let mut text = String::new();
    assert_eq!(body.render(&user, &mut text), Ok(()));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        document,
        json!({
            "a": 5, "b": "<5>", "c": ["q\"\\\n", 1.5, true],
            "d\"": "say \"q\"\\\n\"", "e": {"f": true}
        })
    );
    assert!(body.fixed().is_none());
}

#[test]
fn a_document_without_placeholders_is_written_before_the_run() {
    let scenario = scenario(&with_steps(r#"{ post = "/", json = { b = 1, a = [true, "x"] } }"#));
    let Body::Json(body) = &request(&scenario).body else { panic!("{scenario:?}") };
    assert_eq!(body.fixed(), Some(r#"{"b":1,"a":[true,"x"]}"#));
}

#[test]
fn a_variable_without_a_value_is_named() {
    let scenario = scenario(&with_steps(r#"{ log = "${x}" }, { set = { x = 1 } }"#));
    let user = User::new(&scenario, &[]);
    let Step::Log(log) = first_step(&scenario) else { panic!("{scenario:?}") };
    let rendered = log.render(&user, &mut String::new());
    assert_eq!(rendered, Err(Unset::Variable(VariableSlot(0))));
    assert_eq!(scenario.classes[0].variables, ["x"]);
}

#[test]
fn conditions_hold_as_they_read() {
    for (condition, expected) in [
        ("${a} == 'x'", true),
        ("${a} != 'x'", false),
        ("${n} == 5", true),
        ("${n} == '5'", true),
        ("${n} == 5.0", true),
        ("'010' == '10'", false),
        ("'10' > '9'", true),
        ("'b' > 'a'", true),
        ("${n} >= 5 and ${n} <= 5", true),
        ("${n} < 5 or ${n} > 5", false),
        ("not ${n} < 5 and ${a}", true),
        ("not (${n} == 5 and ${a} == 'x')", false),
        ("true or false and false", true),
        ("${list} contains 2", true),
        ("${list} contains 3", false),
        ("${a} contains 'y'", false),
        ("'shop ${a}' contains 'p x'", true),
        ("${a} matches '^[x-z]$'", true),
        ("${nothing}", false),
        ("not ${nothing}", true),
        ("${null} == null", true),
        ("${n} == null", false),
        ("${empty}", false),
        ("0 or '' or false or null", false),
        ("-1.5 < 0", true),
    ] {
        let scenario = scenario(&with_steps(&format!(
            "{{ if = \"{condition}\", then = [{{ set = {{ a = 0, n = 0, list = 0, nothing = 0, null = 0, empty = 0 }} }}] }}"
        )));
        let user = User::new(
            &scenario,
            &[
                ("a", json!("x")),
                ("n", json!(5)),
                ("list", json!([1, 2])),
                ("null", json!(null)),
                ("empty", json!([])),
            ],
        );
        let Step::If(branch) = first_step(&scenario) else { panic!("{scenario:?}") };
        assert_eq!(branch.condition.holds(&user), Ok(expected), "{condition}");
    }
}

#[test]
fn headers_of_the_file_the_user_and_the_request_are_merged() {
    let text = "headers = { Accept = \"a\", X-One = 1 }\n[[user]]\nname = \"A\"\nheaders = { accept = \"b\" }\n\
                [[user.task]]\nname = \"t\"\nsteps = [{ get = \"/\", headers = { ACCEPT = \"c\", X-Two = true } }, { get = \"/x\" }]\n";
    let scenario = scenario(text);
    let headers = |step: &Step| -> Vec<(String, String)> {
        let Step::Request(request) = step else { panic!("{step:?}") };
        let owned =
            request.headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        owned.collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let steps = &scenario.classes[0].actions[0].steps;
    assert_eq!(
        headers(&steps[0]),
        [pair("X-One", "1"), pair("ACCEPT", "c"), pair("X-Two", "true")]
    );
    assert_eq!(headers(&steps[1]), [pair("X-One", "1"), pair("accept", "b")]);
}

#[test]
fn an_action_draws_from_the_feeds_that_it_uses() {
    let text = "[data.a]\nrows = [{ x = 1 }]\n[data.b]\nrows = [{ y = 1 }]\n\
                [[user]]\nname = \"A\"\nheaders = { X-A = \"${data.a.x}\" }\n\
                on_start = [{ get = \"/${data.b.y}\" }]\non_stop = [{ log = \"bye\" }]\n\
                [[user.task]]\nname = \"t\"\nsteps = [{ if = \"${uuid}\", then = [{ get = \"/\" }] }]\n";
    let scenario = scenario(text);
    let class = &scenario.classes[0];
    let feeds =
        |action: Option<ActionIndex>| class.actions[action.unwrap().0 as usize].feeds.to_vec();
    assert_eq!(class.feeds, [FeedIndex(0), FeedIndex(1)]);
    assert_eq!(feeds(class.model.root.on_start), [FeedSlot(0), FeedSlot(1)]);
    assert_eq!(feeds(class.model.root.on_stop), []);
    let TaskBody::Action(task) = class.model.root.tasks[0].body else { panic!("{class:?}") };
    assert_eq!(feeds(Some(task)), [FeedSlot(0)], "a header of the user is one of every request");
    assert!(class.initial.feeds.is_empty());
}

#[test]
fn requests_are_named_by_themselves_their_group_or_their_url() {
    let scenario = scenario(&with_steps(
        r#"{ group = { name = "g", steps = [{ get = "/a" }, { get = "/b", name = "own" }] } },
           { get = "/c/${random.int(1,9)}" }, { get = "/d", name = "n ${uuid}" }, { post = "/a", name = "own" }"#,
    ));
    let labels: Vec<(&str, &str)> =
        scenario.entries.iter().map(|entry| (&*entry.method, &*entry.name)).collect();
    assert_eq!(
        labels,
        [("GET", "g"), ("GET", "own"), ("GET", "/c/${random.int(1,9)}"), ("POST", "own")]
    );
    let Step::Request(dynamic) = &scenario.classes[0].actions[0].steps[3] else { panic!() };
    assert!(matches!(&dynamic.name, RequestName::Rendered(name) if name.text() == "n ${uuid}"));
}

#[test]
fn a_body_is_read_only_where_somebody_looks_at_it() {
    for (step, reads) in [
        (r#"{ get = "/" }"#, false),
        (
            r#"{ get = "/", expect = { status = 200, header = { A = "b" } }, extract = { x = "header:A" } }"#,
            false,
        ),
        (r#"{ get = "/", expect = { body_contains = "x" } }"#, true),
        (r#"{ get = "/", expect = { not = { json = { "/a" = 1 } } } }"#, true),
        (r#"{ get = "/", extract = { x = "json:/a" } }"#, true),
    ] {
        assert_eq!(request(&scenario(&with_steps(step))).reads_body, reads, "{step}");
    }
}

#[test]
fn extractions_say_where_they_look() {
    let scenario = scenario(&with_steps(
        r#"{ get = "/", extract = { a = "json:", b = "regex:a:(b)", c = "header:X-A", d = "cookie:s", e = "body", f = { from = "status", default = 0 } } }"#,
    ));
    let extract = &request(&scenario).extract;
    assert!(matches!(&extract[0].from, ExtractFrom::Json(pointer) if pointer.tokens().is_empty()));
    assert!(matches!(&extract[1].from, ExtractFrom::Regex(regex) if regex.as_str() == "a:(b)"));
    assert!(matches!(&extract[2].from, ExtractFrom::Header(name) if &**name == "x-a"));
    assert!(matches!(&extract[3].from, ExtractFrom::Cookie(name) if &**name == "s"));
    assert!(matches!(&extract[4].from, ExtractFrom::Body));
    assert!(matches!(&extract[5].from, ExtractFrom::Status) && extract[5].default.is_some());
    assert_eq!(scenario.classes[0].variables, ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn what_users_would_send_can_be_shown() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let shown: String =
        ["shop.toml", "nested_task_sets.toml", "login_token.toml", "async_poll.toml"]
            .iter()
            .map(|name| {
                let scenario = crate::scenario::load(&folder.join(name)).unwrap();
                format!("{name}\n{}\n", crate::scenario::show(&scenario))
            })
            .collect();
    insta::assert_snapshot!(shown);
}

/// Words of the language, so that random text gets past the first key.
const WORDS: [&str; 42] = [
    "driver",
    "call",
    "user",
    "task",
    "task_set",
    "name",
    "steps",
    "get",
    "post",
    "expect",
    "extract",
    "json",
    "poll",
    "until",
    "data",
    "csv",
    "rows",
    "order",
    "wait",
    "between",
    "if",
    "then",
    "repeat",
    "times",
    "group",
    "set",
    "think",
    "weight",
    "host",
    "run",
    "shape",
    "stages",
    "command",
    "params",
    "status",
    "headers",
    "form",
    "multipart",
    "auth",
    "background",
    "on_start",
    "interrupt",
];

/// A TOML value of any type, not too deep.
fn any_value() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        any::<i64>().prop_map(|whole| whole.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}").to_lowercase()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        "[a-z/${}().:=' -]{0,12}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(&WORDS[..]).prop_map(|word| format!("{word:?}")),
        Just("\"${data.a} ${x} ${random.int(1,2)}\"".to_owned()),
        Just("1979-05-27".to_owned()),
    ];
    plain.prop_recursive(4, 32, 4, |inner| {
        let key = prop::sample::select(&WORDS[..]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", fields.join(", "))
            }),
        ]
    })
}

#[test]
fn a_user_has_the_driver_of_the_file_unless_it_has_its_own() {
    let text = r#"
driver = { command = ["sh", "${env.HOME}"], env = { A = "${env.B:-b}" }, cwd = "sub", per = "shard", timeout = "5s", ready = true }
[[user]]
name = "A"
[[user.task]]
name = "t"
steps = [{ call = "get", params = { n = "${user.index}" }, timeout = 2 }, { call = "put", name = "store", type = "RPC" }]
[[user]]
name = "B"
driver = ["sh", "x y"]
[[user.task]]
name = "t"
steps = [{ call = "get" }]
"#;
    let scenario = scenario(text);
    let shared = Driver {
        arguments: vec!["sh".into(), "/home/ada".into()],
        environment: vec![("A".into(), "b".into())],
        folder: "sub".into(),
        per: DriverPer::Shard,
        timeout: Duration::from_secs(5),
        says_ready: true,
    };
    assert_eq!(scenario.classes[0].driver.as_deref(), Some(&shared));
    let own = Driver {
        arguments: vec!["sh".into(), "x y".into()],
        environment: vec![],
        folder: "".into(),
        per: DriverPer::User,
        timeout: Duration::from_secs(60),
        says_ready: false,
    };
    assert_eq!(scenario.classes[1].driver.as_deref(), Some(&own));
    let labels: Vec<_> =
        scenario.entries.iter().map(|entry| (&*entry.method, &*entry.name)).collect();
    assert_eq!(labels, [("DRIVER", "get"), ("RPC", "store")]);
    let [Step::DriverCall(get), Step::DriverCall(put)] = &*scenario.classes[0].actions[0].steps
    else {
        panic!("{scenario:?}")
    };
    assert_eq!(
        (get.params.text(), get.timeout),
        ("{\"n\":\"${user.index}\"}", Some(Duration::from_secs(2)))
    );
    assert_eq!((&*put.call, put.params.fixed(), put.timeout), ("put", Some("[]"), None));
    let shown = crate::scenario::show(&scenario);
    for line in [
        "driver sh /home/ada, one for each shard",
        "driver sh x y, one for each user",
        "call get {\"n\":\"${user.index}\"}",
        "call put [], as store",
    ] {
        assert!(shown.lines().any(|shown| shown.trim() == line), "{line}\n{shown}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_single_lines(text in "\\PC{0,60}") {
        if let Err(problems) = read(&text) {
            prop_assert!(problems.all().iter().all(|problem| !problem.to_string().contains('\n')));
        }
    }

    #[test]
    fn any_toml_is_read_or_refused_without_panic(
        fields in prop::collection::btree_map(prop::sample::select(&WORDS[..]), any_value(), 0..8),
    ) {
        let text: String = fields.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        prop_assert!(read(&text).is_err(), "chance does not write a whole scenario: {text}");
    }

    #[test]
    fn any_steps_are_read_or_refused_with_places_in_the_file(
        steps in prop::collection::vec(
            prop::collection::btree_map(prop::sample::select(&WORDS[..]), any_value(), 0..4),
            1..4,
        ),
    ) {
        let steps: Vec<String> = steps
            .iter()
            .map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", fields.join(", "))
            })
            .collect();
        let text = with_steps(&steps.join(",\n"));
        if let Err(problems) = read(&text) {
            let lines = text.lines().count();
            prop_assert!(!problems.all().is_empty());
            prop_assert!(problems.all().iter().all(|problem| problem.line <= lines + 1));
        }
    }

    #[test]
    fn templates_keep_their_literal_text(text in "[a-z0-9 $\\-_.é]{0,30}") {
        prop_assume!(!text.contains("${"));
        let scenario = scenario(&with_steps(&format!("{{ log = '{text}' }}")));
        let Step::Log(log) = first_step(&scenario) else { panic!("{scenario:?}") };
        prop_assert_eq!(log.fixed(), Some(text.as_str()));
    }
}
