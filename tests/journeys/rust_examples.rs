//! The examples in Rust.

use std::collections::BTreeMap;

use loadr_tests::program::{Invocation, example};

use super::{Journey, travel};

const PRODUCTS: &str = "GET /products/[id] = GET /products/<int:number>";

#[track_caller]
fn run(name: &str, flags: &str, names: &[&str]) -> Journey {
    travel(Invocation::of(example(name), [""; 0]), flags, names)
}

#[test]
fn readme_journey() {
    let names =
        ["GET /resources/UUID = GET /resources/<uuid:identity>", "POST /things = POST /things"];
    let journey = run("readme_journey", "-u 25 -r 100 -i 50", &names);
    assert_eq!(journey.saved.requests(), 50, "one for each task\n{}", journey.finished);
}

#[test]
fn login_token() {
    let names = [
        "POST /login = POST /login",
        "GET /orders = GET /orders",
        "GET /account = GET /account",
        "POST /logout = POST /logout",
    ];
    let journey = run("login_token", "-u 5 -r 100 -i 50", &names);
    let each_once = (0..5).map(|user| (format!("member-{user}"), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(journey.shop.logins, each_once, "{}", journey.finished);
    assert_eq!(journey.count("POST /logout"), 5, "{}", journey.finished);
}

#[test]
fn nested_task_sets() {
    let names = [
        "GET / = GET /",
        "GET /boards/[board] = GET /boards/<board>",
        "GET /threads/[id] + GET reply = GET /threads/<int:number>",
        "POST reply = POST /threads/<int:number>/replies",
    ];
    let journey = run("nested_task_sets", "-u 5 -r 100 -i 200 --shards 2", &names);
    assert_eq!(journey.count("GET reply"), journey.count("POST reply"), "{}", journey.finished);
}

#[test]
fn tags_leave_tasks_out() {
    let names = [
        "GET / = GET /",
        "GET /boards/[board] = GET /boards/<board>",
        "GET /threads/[id] = GET /threads/<int:number>",
    ];
    run("nested_task_sets", "-u 5 -r 100 -i 200 --exclude-tags writing", &names);
}

#[test]
fn custom_shape() {
    let names = ["GET / = GET /", PRODUCTS];
    run("custom_shape", "--stop-timeout 20", &names);
}

#[track_caller]
fn feed(flags: &str) {
    let names = ["POST /login = POST /login", PRODUCTS, "GET /account = GET /account"];
    let journey = run("data_feeder", flags, &names);
    let logins = ["ada", "barbara", "edsger", "grace"].map(|user| (user.to_owned(), 1));
    assert_eq!(journey.shop.logins, BTreeMap::from(logins), "{}", journey.finished);
}

#[test]
fn data_feeder() {
    feed("-u 4 -r 100 -i 100 --shards 2");
}

#[test]
fn users_without_a_row_end() {
    feed("-u 7 -r 100 -i 100 --shards 1");
}

#[test]
fn background_polling() {
    let names = [
        "POST /things = POST /things",
        "GET /things/ID = GET /things/<identity>",
        "ASYNC POST /things/ID",
    ];
    let journey = run("background_polling", "-u 5 -r 100 -i 50", &names);
    // A thing is there when it is asked for the third time, and everyone was waited for.
    let counts = ["POST /things", "GET /things/ID", "ASYNC POST /things/ID"];
    let counts = counts.map(|name| journey.count(name));
    assert_eq!(counts, [50, 150, 50], "{}", journey.finished);
}

#[test]
fn events() {
    let names = [PRODUCTS, "BLOCK buy"];
    let journey = run("events", "-u 5 -r 100 -i 50", &names);
    let said = journey.finished.stderr.lines();
    let heard = said.filter(|line| !line.starts_with('[') && !line.starts_with("loadr-bench: "));
    let expected = [
        "init: Local",
        "test_start: a place to make what the test needs",
        "spawning_complete: 5 users",
        "test_stop: 1050 spent",
        "report: 100 requests",
        "quit: 0",
    ];
    assert_eq!(heard.collect::<Vec<_>>(), expected, "{}", journey.finished);
}

#[test]
fn own_arguments() {
    let names = [PRODUCTS];
    let own = "--product 7 --product 8 --language de";
    run("own_arguments", &format!("{own} -u 5 -r 100 -i 50 --shards 2"), &names);
}

#[test]
fn own_arguments_are_in_the_help() {
    let finished = Invocation::of(example("own_arguments"), ["--help"]).run();
    finished.expect_code(0);
    for wanted in ["--product <PRODUCT>", "Language of the pages", "--spawn-rate"] {
        assert!(finished.stdout.contains(wanted), "{wanted}\n{finished}");
    }
}
