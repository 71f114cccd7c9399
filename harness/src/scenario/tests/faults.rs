//! Every kind of fault is one line that says where it is and what was meant.

use super::{read, with_steps};

/// A text, and the lines that it is refused with, the file's name left out.
type Case = (&'static str, &'static [&'static str]);

/// Holds that each text is refused with just these lines; `whole` makes a file of the text.
#[track_caller]
fn assert_refused(cases: &[Case], whole: impl Fn(&str) -> String) {
    for (text, expected) in cases {
        let file = whole(text);
        let problems = read(&file).err().unwrap_or_else(|| panic!("nothing is wrong with\n{file}"));
        let lines: Vec<String> = problems.all().iter().map(ToString::to_string).collect();
        let lines: Vec<&str> =
            lines.iter().filter_map(|line| line.strip_prefix("shop.toml:")).collect();
        assert_eq!(lines, *expected, "\n{file}");
    }
}

/// `text` with the lines `USER` and `TASK` written out.
fn with_users(text: &str) -> String {
    text.replace("USER\n", "[[user]]\nname = \"A\"\n")
        .replace("TASK\n", "[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/\" }]\n")
}

#[test]
fn a_missing_file_is_named() {
    let error = crate::scenario::load("no/such.toml".as_ref()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the scenario file no/such.toml: "), "{error}");
}

#[test]
fn all_faults_are_told_in_the_order_of_the_file() {
    let steps = "{ get = \"/\", expct = 1, nmae = 2 },\n{ get = \"/${id}\" }";
    assert_eq!(
        read(&with_steps(steps)).unwrap_err().to_string(),
        "shop.toml:6:14: unknown key \"expct\" in a step; did you mean \"expect\"?\n\
         shop.toml:6:25: unknown key \"nmae\" in a step; did you mean \"name\"?\n\
         shop.toml:7:11: nothing sets the variable \"id\""
    );
}

#[test]
fn a_step_that_could_not_be_read_might_have_set_the_variable() {
    assert_refused(
        &[(
            "{ gett = \"/\", extract = { id = \"body\" } },\n{ get = \"/${id}\" }",
            &["6:1: unknown key \"gett\" in a step; did you mean \"get\"?"],
        )],
        with_steps,
    );
}

#[test]
fn what_stands_around_users() {
    let cases: &[Case] = &[
        ("host = ", &["1:8: not TOML: string values must be quoted, expected literal string"]),
        ("", &["1:1: there is no [[user]] in this file: nobody would do anything"]),
        (
            "hots = \"http://x\"\nUSER\nTASK\n",
            &[r#"1:1: unknown key "hots" in the file; did you mean "host"?"#],
        ),
        (
            "host = \"shop.example\"\nUSER\nTASK\n",
            &[
                r#"1:8: "host" is "shop.example", which is no http://, https://, ws:// or wss:// URL"#,
            ],
        ),
        (
            "host = \"${random.int(1,2)}\"\nUSER\nTASK\n",
            &[
                r#"1:8: "host" is needed before the run: of placeholders it may have ${env.NAME} alone"#,
            ],
        ),
        (
            "host = \"${env.SHOP}\"\nUSER\nTASK\n",
            &[
                "1:8: the environment variable SHOP is not set; set it, or write ${env.SHOP:-DEFAULT}",
            ],
        ),
        (
            "timeout = \"5 m\"\nUSER\nTASK\n",
            &[
                r#"1:11: "timeout": '5 m' is not a time: write 30s, 5m, 1h30m, 500ms, or a whole number of seconds"#,
            ],
        ),
        (
            "[run]\nusers = \"many\"\nspawn_rate = 0\nUSER\nTASK\n",
            &[
                r#"2:9: "users" wants a whole number, not a string"#,
                r#"3:14: "spawn_rate" has to be above 0"#,
            ],
        ),
        (
            "[run]\nusers = -1\nrun_tiem = 5\nUSER\nTASK\n",
            &[
                r#"2:9: "users" wants a whole number from 0"#,
                r#"3:1: unknown key "run_tiem" in [run]; did you mean "run_time"?"#,
            ],
        ),
        (
            "[run]\ntask_stats = \"onyl\"\nUSER\nTASK\n",
            &[
                r#"2:14: "task_stats" is "onyl", but can be "off", "on", "only"; did you mean "only"?"#,
            ],
        ),
        (
            "[checks]\nfail_if = \"p99 > 1s\"\nUSER\nTASK\n",
            &[r#"2:11: "fail_if" wants a list in [ ], not a string"#],
        ),
        (
            "[shape]\nUSER\nTASK\n",
            &[r#"1:1: [shape] is one of "stages", "steps", "spike" and "double_wave""#],
        ),
        ("[shape]\nstages = []\nUSER\nTASK\n", &[r#"2:10: "stages" is empty"#]),
        (
            "[shape]\nstages = [{ duration = 0, users = 1, spawn_rate = 0, classes = [\"a\"] }]\nUSER\nTASK\n",
            &[
                r#"2:24: "duration" is 0, which is no time at all"#,
                r#"2:51: "spawn_rate" has to be above 0"#,
                r#"2:64: there is no user called "a""#,
            ],
        ),
        (
            "[shape]\nspike = { users = 1, spike_users = 2, at = 60, length = 1, spawn_rate = 1, run_time = 30 }\nUSER\nTASK\n",
            &["2:9: the spike begins when the run is over"],
        ),
        (
            "[shape]\nsteps = { step_users = 0, step_time = 1 }\nUSER\nTASK\n",
            &[
                r#"2:9: a shape in steps needs "run_time""#,
                r#"2:9: a shape in steps needs "spawn_rate""#,
                r#"2:24: "step_users" is 0, the least is 1"#,
            ],
        ),
        (
            "[headers]\n\"bad name\" = \"x\"\nContent-Length = 5\nX-A = \"a\\nb\"\nUSER\nTASK\n",
            &[
                r#"2:1: "bad name" is no name of a header"#,
                r#"3:1: "Content-Length" is for the client to say, which knows the body; leave it out"#,
                r#"4:7: the header "X-A" has a line end in it"#,
            ],
        ),
        (
            "[variables]\nuuid = 1\n\"1x\" = 2\nUSER\nTASK\n",
            &[
                r#"2:1: "uuid" cannot name a variable: ${uuid} means something else"#,
                r#"3:1: "1x" cannot name a variable: letters, digits, _ and - can, a letter or _ first"#,
            ],
        ),
    ];
    assert_refused(cases, with_users);
}

#[test]
fn users_and_tasks() {
    let cases: &[Case] = &[
        ("[[user]]\nTASK\n", &[r#"1:1: a user needs "name""#]),
        ("USER\n", &["1:1: there is no task here: add [[user.task]] with steps"]),
        ("USER\nTASK\nUSER\nTASK\n", &[r#"6:1: there are two users called "A"; rename one"#]),
        (
            "USER\nweight = 1\nfixed_count = 2\nTASK\n",
            &[r#"4:15: a user has a "weight" or a "fixed_count", not both"#],
        ),
        ("USER\nweight = 0\nTASK\n", &[r#"3:10: "weight" is 0: there would be no such user"#]),
        (
            "USER\nwait = \"soon\"\nTASK\n",
            &[
                r#"3:8: "wait": 'soon' is not a time: write 30s, 5m, 1h30m, 500ms, or a whole number of seconds"#,
            ],
        ),
        (
            "USER\nwait = { between = [2, 1] }\nTASK\n",
            &[r#"3:20: "between" begins at 2 and ends before, at 1"#],
        ),
        ("USER\nwait = { between = [2] }\nTASK\n", &[r#"3:20: "between" wants [least, most]"#]),
        (
            "USER\nwait = { constant_througput = 1 }\nTASK\n",
            &[
                r#"3:10: unknown key "constant_througput" in a wait; did you mean "constant_throughput"?"#,
            ],
        ),
        (
            "USER\nwait = { constant_throughput = 0 }\nTASK\n",
            &[r#"3:32: "constant_throughput" has to be above 0"#],
        ),
        (
            "USER\nmin_wait = 5\nTASK\n",
            &[r#"3:12: "min_wait" and "max_wait" go together, both in milliseconds"#],
        ),
        (
            "USER\nwait = 1\nmin_wait = 5\nmax_wait = 6\nTASK\n",
            &[r#"3:8: "wait" goes without "min_wait" and "max_wait""#],
        ),
        ("USER\non_start = []\nTASK\n", &[r#"3:12: "on_start" has no steps"#]),
        (
            "USER\non_start = { get = \"/\" }\nTASK\n",
            &[r#"3:12: "on_start" wants a list in [ ], not a table"#],
        ),
        (
            "USER\norder = \"sequental\"\nTASK\n",
            &[
                r#"3:9: "order" is "sequental", but can be "random", "sequential"; did you mean "sequential"?"#,
            ],
        ),
        ("USER\nTASK\nTASK\n", &[r#"6:1: there are two tasks called "t" here; rename one"#]),
        (
            "USER\n[[user.task]]\nname = \"t\"\nweight = 0\nsteps = [{ get = \"/\" }]\n",
            &[r#"5:10: "weight" is 0: this would never run; leave it out or give it a weight"#],
        ),
        (
            "USER\n[[user.task]]\nname = \"t\"\nweight = 1.5\nsteps = [{ get = \"/\" }]\n",
            &[r#"5:10: "weight" wants a whole number, not a decimal number"#],
        ),
        ("USER\n[[user.task]]\nname = \"t\"\nsteps = []\n", &[r#"5:9: "steps" has no steps"#]),
        (
            "USER\n[[user.task]]\nname = \"\"\nstep = [{ get = \"/\" }]\n",
            &[
                r#"3:1: a task needs "steps""#,
                r#"4:8: "name" is empty"#,
                r#"5:1: unknown key "step" in a task; did you mean "steps"?"#,
            ],
        ),
        (
            "USER\n[[user.task_set]]\nname = \"s\"\n",
            &["3:1: there is no task here: add [[user.task]] with steps"],
        ),
    ];
    assert_refused(cases, with_users);
}

#[test]
fn data() {
    let cases: &[Case] = &[
        (
            "USER\ndata = { }\nTASK\n",
            &[r#"3:8: a data feed has its rows from one of "csv", "json" and "rows""#],
        ),
        (
            "USER\ndata = { csv = \"no/such.csv\" }\nTASK\n",
            &[
                "3:16: cannot read the data file no/such.csv: No such file or directory (os error 2)",
            ],
        ),
        ("USER\ndata = { rows = [] }\nTASK\n", &[r#"3:17: "rows" is empty"#]),
        (
            "USER\ndata = { rows = [{ a = 1 }, { b = 1 }] }\nTASK\n",
            &[r#"3:29: row 2 has no "a", which row 1 has"#],
        ),
        (
            "USER\ndata = { rows = [{ a = 1 }], order = \"uniqe\" }\nTASK\n",
            &[
                r#"3:38: "order" is "uniqe", but can be "unique", "shared", "random", "each"; did you mean "unique"?"#,
            ],
        ),
        (
            "USER\ndata = { rows = [{ a = 1 }], order = \"random\", when_out = \"stop\" }\nTASK\n",
            &[r#"3:59: "when_out" wants order = "unique" or "each": the others never run out"#],
        ),
        (
            "USER\ndata = { rows = [{ a = 1 }], order = \"each\", per = \"user\" }\nTASK\n",
            &[r#"3:52: per = "user" with order = "each" gives every user the first row"#],
        ),
        (
            "USER\ndata = { rows = [{ a = 1 }], delimiter = \";\" }\nTASK\n",
            &[r#"3:42: "delimiter" is for csv files"#],
        ),
        (
            "USER\ndata = \"acounts\"\nTASK\n[data.accounts]\nrows = [{ a = 1 }]\n",
            &[r#"3:8: there is no [data.acounts] in this file; did you mean "accounts"?"#],
        ),
        (
            "USER\ndata = { rows = [{ user = 1, password = 2 }] }\n[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/${data.pasword}\" }]\n",
            &[
                r#"6:20: in "get": the data of A has no column "pasword" (it has password, user); did you mean "password"?"#,
            ],
        ),
        (
            "USER\n[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/${data.user}\" }]\n",
            &[r#"5:20: in "get": ${data.user} wants a user with "data", which this one has not"#],
        ),
        (
            "USER\n[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/${data.acounts.a}\" }]\n[data.accounts]\nrows = [{ a = 1 }]\n",
            &[
                r#"5:20: in "get": there is no [data.acounts] in this file; did you mean "accounts"?"#,
            ],
        ),
        (
            "USER\ndata = { csv = \"no/such.csv\" }\n[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/${data.user}\" }]\n",
            &[
                "3:16: cannot read the data file no/such.csv: No such file or directory (os error 2)",
            ],
        ),
    ];
    assert_refused(cases, with_users);
}

#[test]
fn kinds_of_steps() {
    let cases: &[Case] = &[
        (
            "{}",
            &[
                "6:1: this step does nothing: it has none of get, post, put, patch, delete, head, options, xmlrpc, ws, poll, command, call, think, set, repeat, if, group and background",
            ],
        ),
        (r#"{ gett = "/" }"#, &[r#"6:1: unknown key "gett" in a step; did you mean "get"?"#]),
        (
            "{ zebra = 1 }",
            &[
                "6:1: this step does nothing: it has none of get, post, put, patch, delete, head, options, xmlrpc, ws, poll, command, call, think, set, repeat, if, group and background",
            ],
        ),
        ("5", &[r#"6:1: "steps" wants a table in { }, not a number"#]),
        (
            r#"{ get = "/", post = "/" }"#,
            &[r#"6:21: a step does one thing: "get" or "post", each in a step of its own"#],
        ),
        (
            r#"{ get = "/", expct = 1 }"#,
            &[r#"6:14: unknown key "expct" in a step; did you mean "expect"?"#],
        ),
        (
            "{ background = true }",
            &[r#"6:16: "background" wants a list of steps, or goes with "poll""#],
        ),
        (
            r#"{ think = "long" }"#,
            &[
                r#"6:11: "think": 'long' is not a time: write 30s, 5m, 1h30m, 500ms, or a whole number of seconds"#,
            ],
        ),
        (
            "{ think = { betwen = [1, 2] } }",
            &[
                r#"6:11: a pause needs "between""#,
                r#"6:13: unknown key "betwen" in a pause; did you mean "between"?"#,
            ],
        ),
        ("{ set = 5 }", &[r#"6:9: "set" wants a table in { }, not a number"#]),
        (
            "{ set = { data = 1 } }",
            &[r#"6:11: "data" cannot name a variable: ${data} means something else"#],
        ),
        (
            r#"{ repeat = { steps = [{ get = "/" }] } }"#,
            &[r#"6:12: a repeat without "times", "while" or "until" would never end"#],
        ),
        (
            r#"{ repeat = { times = 0, steps = [{ get = "/" }] } }"#,
            &[r#"6:22: "times" is 0, the least is 1"#],
        ),
        (
            r#"{ repeat = { times = "3", steps = [{ get = "/" }] } }"#,
            &[r#"6:22: "times" wants a whole number or a template"#],
        ),
        (
            r#"{ repeat = { while = "true", until = "true", steps = [{ get = "/" }] } }"#,
            &[r#"6:38: a repeat has "while" or "until", not both"#],
        ),
        (r#"{ if = "true" }"#, &[r#"6:1: a step needs "then""#]),
        (r#"{ if = "true", then = [] }"#, &[r#"6:23: "then" has no steps"#]),
        (r#"{ group = { steps = [{ get = "/" }] } }"#, &[r#"6:11: a group needs "name""#]),
        (
            "{ interrupt = true }",
            &[
                r#"6:15: "interrupt" outside a task set: there is nothing to leave; "stop_user" ends the user"#,
            ],
        ),
        ("{ stop_user = false }", &[r#"6:15: "stop_user" = false does nothing; leave it out"#]),
        (
            "{ background = [{ stop_user = true }] }",
            &[r#"6:31: "stop_user" in the background: the task has gone on without it"#],
        ),
        (
            r#"{ stop_user = true }, { get = "/" }"#,
            &["6:23: this step is never reached: the one before it ends the task"],
        ),
        (
            r#"{ if = "true", then = [{ fail = "no" }], else = [{ stop_test = true }] }, { get = "/" }"#,
            &["6:75: this step is never reached: the one before it ends the task"],
        ),
    ];
    assert_refused(cases, with_steps);
}

#[test]
fn requests_and_responses() {
    let cases: &[Case] = &[
        (r#"{ get = "" }"#, &[r#"6:9: "get" is empty"#]),
        (
            r#"{ get = "products" }"#,
            &[
                r#"6:9: "products" is no URL: begin it with / for a path on the host, or with http://"#,
            ],
        ),
        ("{ get = 5 }", &[r#"6:9: "get" wants a string, not a number"#]),
        (
            r#"{ post = "/", json = 1, form = { a = 1 } }"#,
            &[r#"6:22: a request has one body: "form" or "json""#],
        ),
        (
            r#"{ post = "/", body_file = "no/such.bin" }"#,
            &["6:27: cannot read the file no/such.bin: No such file or directory (os error 2)"],
        ),
        (r#"{ post = "/", json = { a = inf } }"#, &[r#"6:28: "a" is no number that JSON has"#]),
        (r#"{ post = "/", form = [1] }"#, &[r#"6:22: "form" wants a table in { }, not a list"#]),
        (
            r#"{ post = "/", form = { a = { b = 1 } } }"#,
            &[r#"6:28: "a" wants a string, not a table"#],
        ),
        (
            r#"{ post = "/", multipart = { a = { name = "x" } } }"#,
            &[r#"6:33: a file needs "file""#],
        ),
        (
            r#"{ get = "/", auth = { basic = ["a"] } }"#,
            &[r#"6:31: "basic" wants [user, password]"#],
        ),
        (
            r#"{ get = "/", auth = {} }"#,
            &[r#"6:21: "auth" is { basic = [user, password] } or { bearer = token }"#],
        ),
        (r#"{ get = "/", auth = "x" }"#, &[r#"6:21: "auth" wants a table in { }, not a string"#]),
        (r#"{ get = "/", timeout = 0 }"#, &[r#"6:24: "timeout" is 0, which is no time at all"#]),
        (
            r#"{ get = "/", expect = { status = 20 } }"#,
            &[r#"6:34: "status" is 20, allowed are 100 to 599"#],
        ),
        (
            r#"{ get = "/", expect = { status = "2x" } }"#,
            &[r#"6:34: a status is a number such as 200, or a class of them such as "2xx""#],
        ),
        (r#"{ get = "/", expect = { status = [] } }"#, &[r#"6:34: "status" lists no status"#]),
        (
            r#"{ get = "/", expect = { max_ms = 0 } }"#,
            &[r#"6:34: "max_ms" has to be above 0, in milliseconds"#],
        ),
        (
            r#"{ get = "/", expect = { statsu = 200 } }"#,
            &[r#"6:25: unknown key "statsu" in an expectation; did you mean "status"?"#],
        ),
        (
            r#"{ get = "/", expect = { json = { status = 1 } } }"#,
            &[r#"6:34: "status" is no JSON pointer; did you mean "/status"?"#],
        ),
        (
            r#"{ get = "/", expect = { json = { "/a" = {} } } }"#,
            &[
                r#"6:41: "/a" wants a value, or one of "equals", "exists", "contains", "matches", "above", "below""#,
            ],
        ),
        (
            r#"{ get = "/", expect = { json = { "/a" = [] } } }"#,
            &[r#"6:41: "/a" has no values to be one of"#],
        ),
        (
            r#"{ get = "/", expect = { json = { "/a" = { above = "x" } } } }"#,
            &[r#"6:51: "above" wants a number"#],
        ),
        (
            r#"{ get = "/", expect = { body_matches = "(" } }"#,
            &[r#"6:40: "(" is no regular expression: unclosed group"#],
        ),
        (
            r#"{ get = "/", expect = { not = { status = 200 } } }"#,
            &[r#"6:33: unknown key "status" in a "not""#],
        ),
        (
            r#"{ get = "/", extract = { a = "jsn:/x" } }"#,
            &[
                r#"6:30: "jsn:/x" is nothing to extract: write json:/POINTER, regex:PATTERN, header:NAME, cookie:NAME, body or status; did you mean "json"?"#,
            ],
        ),
        (
            r#"{ get = "/", extract = { a = "json:x" } }"#,
            &[r#"6:30: "x" is no JSON pointer; did you mean "/x"?"#],
        ),
        (
            r#"{ get = "/", extract = { a = "regex:[" } }"#,
            &[r#"6:30: "[" is no regular expression: unclosed character class"#],
        ),
        (
            r#"{ get = "/", extract = { a = "header:" } }"#,
            &[
                r#"6:30: "header:" is nothing to extract: write json:/POINTER, regex:PATTERN, header:NAME, cookie:NAME, body or status"#,
            ],
        ),
        (
            r#"{ get = "/", extract = { a = { default = 1 } } }"#,
            &[r#"6:30: an extraction needs "from""#],
        ),
        (
            r#"{ get = "/", extract = { "a b" = "body" } }"#,
            &[
                r#"6:26: "a b" cannot name a variable: letters, digits, _ and - can, a letter or _ first"#,
            ],
        ),
    ];
    assert_refused(cases, with_steps);
}

#[test]
fn polls_and_commands() {
    let cases: &[Case] = &[
        (
            r#"{ poll = { get = "/", until = {} } }"#,
            &[r#"6:3: a poll needs "name" beside it, which the whole operation is counted under"#],
        ),
        (
            r#"{ poll = { until = {} }, name = "p" }"#,
            &[r#"6:10: a poll sends one request, such as get = "/things/${id}""#],
        ),
        (r#"{ poll = { get = "/" }, name = "p" }"#, &[r#"6:10: a poll needs "until""#]),
        (
            r#"{ poll = { get = "/", until = {}, evry = 1 }, name = "p" }"#,
            &[r#"6:35: unknown key "evry" in a poll; did you mean "every"?"#],
        ),
        (
            r#"{ poll = { get = "/", until = {} }, name = "p ${id}", background = 1 }"#,
            &[
                r#"6:44: "name" is needed before the run: of placeholders it may have ${env.NAME} alone"#,
                r#"6:68: "background" wants true or false, not a number"#,
            ],
        ),
        ("{ command = [] }", &[r#"6:13: "command" is empty: name a program"#]),
        (r#"{ command = "ls" }"#, &[r#"6:13: "command" wants a list in [ ], not a string"#]),
        (
            r#"{ command = ["ls"], params = [] }"#,
            &[r#"6:30: "params" is empty: the command would never run"#],
        ),
        (
            r#"{ command = ["ls", "${param}"] }"#,
            &[r#"6:21: in "command": ${param} wants a command with "params""#],
        ),
        (
            r#"{ command = ["ls", "${param.a}"], params = ["x"] }"#,
            &[r#"6:21: in "command": the params have no "a""#],
        ),
        (
            r#"{ command = ["ls", "${param}"], params = [{ a = 1 }] }"#,
            &[r#"6:21: in "command": these params are tables: write ${param.KEY}"#],
        ),
        (
            r#"{ command = ["ls"], exit_codes = 300 }"#,
            &[r#"6:34: "exit_codes" is 300, allowed are 0 to 255"#],
        ),
        (r#"{ command = ["ls"], expect = 0 }"#, &[r#"6:21: unknown key "expect" in a step"#]),
    ];
    assert_refused(cases, with_steps);
}

#[test]
fn drivers() {
    let user = "[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"\nsteps = [{ call = \"c\" }]\n";
    let cases: &[Case] = &[
        ("driver = \"sh\"\n", &[r#"1:10: "driver" wants a list in [ ], not a string"#]),
        ("driver = []\n", &[r#"1:10: "driver" is empty: name a program"#]),
        (
            "driver = [\"nonesuch-program\"]\n",
            &[r#"1:10: "driver": there is no nonesuch-program in PATH"#],
        ),
        ("driver = [\"./nonesuch.sh\"]\n", &[r#"1:10: "driver": ./nonesuch.sh is no program"#]),
        ("driver = [\"/etc/passwd\"]\n", &[r#"1:10: "driver": /etc/passwd is no program"#]),
        (
            "driver = [\"sh\", \"${uuid}\"]\n",
            &[
                r#"1:17: "driver" is needed before the run: of placeholders it may have ${env.NAME} alone"#,
            ],
        ),
        ("driver = {}\n", &[r#"1:10: a driver needs "command""#]),
        (
            "driver = { comand = [\"sh\"], per = \"usr\" }\n",
            &[
                r#"1:10: a driver needs "command""#,
                r#"1:12: unknown key "comand" in a driver; did you mean "command"?"#,
                r#"1:35: "per" is "usr", but can be "user", "shard"; did you mean "user"?"#,
            ],
        ),
        (
            "driver = { command = [\"sh\"], timeout = 0, ready = 1 }\n",
            &[
                r#"1:40: "timeout" is 0, which is no time at all"#,
                r#"1:51: "ready" wants true or false, not a number"#,
            ],
        ),
        ("", &[r#"5:12: "call" wants a "driver" in its user or in the file"#]),
    ];
    assert_refused(cases, |text| format!("{text}{user}"));
}

#[test]
fn calls_of_drivers() {
    let cases: &[Case] = &[
        (r#"{ call = "" }"#, &[r#"7:10: "call" is empty"#]),
        (
            r#"{ call = "c", parms = [] }"#,
            &[r#"7:15: unknown key "parms" in a step; did you mean "params"?"#],
        ),
        (r#"{ call = "c", params = 1 }"#, &[r#"7:24: "params" of a call is a list or a table"#]),
        (r#"{ call = "c", params = ["${n}"] }"#, &[r#"7:26: nothing sets the variable "n""#]),
        (
            r#"{ call = "c", expect = { status = 200 } }"#,
            &["7:24: a driver's answer has no status and no headers to expect"],
        ),
        (
            r#"{ call = "c", extract = { a = "header:x" } }"#,
            &[
                "7:25: of a driver's answer there is json:/POINTER, regex:PATTERN or body to extract",
            ],
        ),
        (
            r#"{ call = "c", get = "/" }"#,
            &[r#"7:10: a step does one thing: "get" or "call", each in a step of its own"#],
        ),
        (r#"{ cal = "c" }"#, &[r#"7:1: unknown key "cal" in a step; did you mean "call"?"#]),
    ];
    assert_refused(cases, |steps| format!("driver = [\"sh\"]\n{}", with_steps(steps)));
}

#[test]
fn templates_and_conditions() {
    let cases: &[Case] = &[
        (r#"{ get = "/${id}" }"#, &[r#"6:11: nothing sets the variable "id""#]),
        (
            r#"{ get = "/${idd}", extract = { id = "body" } }"#,
            &[r#"6:11: nothing sets the variable "idd"; did you mean "id"?"#],
        ),
        (
            r#"{ get = "/a/${id" }"#,
            &[r#"6:13: in "get": "${" without its "}"; write "$${" for the characters themselves"#],
        ),
        (
            r#"{ get = "/${}" }"#,
            &[
                r#"6:11: in "get": "${}" is no placeholder: write a name, as in ${id}, or $${ for the characters"#,
            ],
        ),
        (
            r#"{ get = "/${uuidd}" }"#,
            &[r#"6:11: nothing sets the variable "uuidd"; did you mean "uuid"?"#],
        ),
        (
            r#"{ get = "/${now.unx}" }"#,
            &[r#"6:11: in "get": there is no ${now.unx}; did you mean "now.unix"?"#],
        ),
        (
            r#"{ get = "/${random.int}" }"#,
            &[r#"6:11: in "get": ${random.int} wants arguments: ${random.int(1, 100)}"#],
        ),
        (
            r#"{ get = "/${random.int(5)}" }"#,
            &[r#"6:11: in "get": ${random.int(…)} wants (1, 100)"#],
        ),
        (
            r#"{ get = "/${random.int(5, 1)}" }"#,
            &[r#"6:11: in "get": a random number from 5 to 1: the ends are the wrong way round"#],
        ),
        (
            r#"{ get = "/${random.string(0)}" }"#,
            &[r#"6:11: in "get": ${random.string(n)}: n is 1 to 65536"#],
        ),
        (
            r#"{ get = "/${random.itn(1,2)}" }"#,
            &[r#"6:11: in "get": there is no ${random.itn}; did you mean "random.int"?"#],
        ),
        (r#"{ get = "/${x(1)}" }"#, &[r#"6:11: in "get": there is no ${x}"#]),
        (
            r#"{ get = "/${env.SHOP}" }"#,
            &[
                r#"6:11: in "get": the environment variable SHOP is not set; set it, or write ${env.SHOP:-DEFAULT}"#,
            ],
        ),
        (
            r#"{ get = "/${id:-5}" }"#,
            &[r#"6:11: in "get": ${id:-…}: only ${env.NAME:-…} takes a default"#],
        ),
        (r#"{ get = "/${data}" }"#, &[r#"6:11: in "get": ${data} wants a column: ${data.COLUMN}"#]),
        (
            r#"{ log = "\u0041 ${" }"#,
            &[r#"6:9: in "log": "${" without its "}"; write "$${" for the characters themselves"#],
        ),
        (
            "{ log = \"\"\"a\n${b\"\"\" }",
            &[r#"7:1: in "log": "${" without its "}"; write "$${" for the characters themselves"#],
        ),
        (r#"{ if = "", then = [{ get = "/" }] }"#, &[r#"6:8: "if" is empty"#]),
        (
            r#"{ if = "x == 1", then = [{ get = "/" }] }"#,
            &[r#"6:9: in "if": "x" is no value: write ${x} for a variable, 'x' for text"#],
        ),
        (
            r#"{ if = "${uuid} == ", then = [{ get = "/" }] }"#,
            &[r#"6:20: in "if": the condition ends where a value should be"#],
        ),
        (
            r#"{ if = "(true", then = [{ get = "/" }] }"#,
            &[r#"6:14: in "if": a "(" without its ")""#],
        ),
        (
            r#"{ if = "true false", then = [{ get = "/" }] }"#,
            &[r#"6:14: in "if": "false" where "and", "or" or the end should be"#],
        ),
        (
            r#"{ if = "'a' matches 5", then = [{ get = '/' }] }"#,
            &[r#"6:21: in "if": "matches" wants a regular expression in quotes"#],
        ),
        (
            r#"{ if = "'a' matches '('", then = [{ get = '/' }] }"#,
            &[r#"6:22: in "if": not a regular expression: unclosed group"#],
        ),
        (
            r#"{ if = "'a", then = [{ get = '/' }] }"#,
            &[r#"6:9: in "if": a string without its closing '"#],
        ),
        (
            r#"{ if = "${x} = 1", then = [{ set = { x = 1 } }] }"#,
            &[r#"6:14: in "if": "=" compares nothing; did you mean "=="?"#],
        ),
    ];
    assert_refused(cases, with_steps);
}

#[test]
fn tasks_after_the_end_of_a_sequence() {
    let set = |order: &str| {
        format!(
            "[[user]]\nname = \"A\"\n[[user.task_set]]\nname = \"s\"\norder = \"{order}\"\n\
             [[user.task_set.task]]\nname = \"a\"\nsteps = [{{ get = \"/\" }}, {{ interrupt = true }}]\n\
             [[user.task_set.task]]\nname = \"b\"\nsteps = [{{ get = \"/\" }}]\n"
        )
    };
    assert!(read(&set("random")).is_ok());
    let message =
        "shop.toml:9:1: this task is never reached: the one before it always leaves the sequence";
    assert_eq!(read(&set("sequential")).unwrap_err().to_string(), message);
}

#[test]
fn numbers_too_large_to_be_meant() {
    let cases: &[Case] = &[
        (
            "USER\nweight = 1e12\nTASK\n",
            &["3:10: \"weight\" is 1000000000000, allowed is up to 1000000000"],
        ),
        ("USER\nwait = 1e300\nTASK\n", &["3:8: \"wait\" is more time than can be counted"]),
        ("USER\nwait = { poisson = 1e-300 }\nTASK\n", &["3:20: \"poisson\" has to be above 0"]),
        (
            "USER\nfixed_count = 99999999999999999999\nTASK\n",
            &["3:15: \"fixed_count\" wants a whole number from 0"],
        ),
    ];
    assert_refused(cases, with_users);
}

#[test]
fn names_of_commands_may_have_the_parameter() {
    let steps = r#"{ command = ["ls", "${param}"], params = ["a", "b"], name = "list ${param}" }"#;
    let scenario = read(&with_steps(steps)).unwrap();
    let names: Vec<&str> = scenario.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["list a", "list b"]);
}
