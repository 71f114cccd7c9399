//! The examples in Rust.

use std::collections::BTreeMap;

use loadr_tests::program::{Invocation, example};

use super::{Journey, Open, travel};

in_each_shop! {
    readme_journey,
    login_token,
    nested_task_sets,
    tags_leave_tasks_out,
    custom_shape,
    data_feeder,
    users_without_a_row_end,
    background_polling,
    events,
    own_arguments,
}

const PRODUCTS: &str = "GET /products/[id] = GET /products/<int:number>";

#[track_caller]
fn run(open: Open, name: &str, flags: &str, names: &[&str]) -> Journey {
    travel(open, Invocation::of(example(name), [""; 0]), flags, names)
}

fn readme_journey(open: Open) {
    let names =
        ["GET /resources/UUID = GET /resources/<uuid:identity>", "POST /things = POST /things"];
    let journey = run(open, "readme_journey", "-u 25 -r 100 -i 50", &names);
    assert_eq!(journey.saved.requests(), 50, "one for each task\n{}", journey.finished);
}

fn login_token(open: Open) {
    let names = [
        "POST /login = POST /login",
        "GET /orders = GET /orders",
        "GET /account = GET /account",
        "POST /logout = POST /logout",
    ];
    let journey = run(open, "login_token", "-u 5 -r 100 -i 50", &names);
    let each_once = (0..5).map(|user| (format!("member-{user}"), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(journey.shop.logins, each_once, "{}", journey.finished);
    assert_eq!(journey.count("POST /logout"), 5, "{}", journey.finished);
}

fn nested_task_sets(open: Open) {
    let names = [
        "GET / = GET /",
        "GET /boards/[board] = GET /boards/<board>",
        "GET /threads/[id] + GET reply = GET /threads/<int:number>",
        "POST reply = POST /threads/<int:number>/replies",
    ];
    let journey = run(open, "nested_task_sets", "-u 5 -r 100 -i 200 --shards 2", &names);
    assert_eq!(journey.count("GET reply"), journey.count("POST reply"), "{}", journey.finished);
}

fn tags_leave_tasks_out(open: Open) {
    let names = [
        "GET / = GET /",
        "GET /boards/[board] = GET /boards/<board>",
        "GET /threads/[id] = GET /threads/<int:number>",
    ];
    run(open, "nested_task_sets", "-u 5 -r 100 -i 200 --exclude-tags writing", &names);
}

fn custom_shape(open: Open) {
    let names = ["GET / = GET /", PRODUCTS];
    run(open, "custom_shape", "--stop-timeout 20", &names);
}

#[track_caller]
fn feed(open: Open, flags: &str) {
    let names = ["POST /login = POST /login", PRODUCTS, "GET /account = GET /account"];
    let journey = run(open, "data_feeder", flags, &names);
    let logins = ["ada", "barbara", "edsger", "grace"].map(|user| (user.to_owned(), 1));
    assert_eq!(journey.shop.logins, BTreeMap::from(logins), "{}", journey.finished);
}

fn data_feeder(open: Open) {
    feed(open, "-u 4 -r 100 -i 100 --shards 2");
}

fn users_without_a_row_end(open: Open) {
    feed(open, "-u 7 -r 100 -i 100 --shards 1");
}

fn background_polling(open: Open) {
    let names = [
        "POST /things = POST /things",
        "GET /things/ID = GET /things/<identity>",
        "ASYNC POST /things/ID",
    ];
    let journey = run(open, "background_polling", "-u 5 -r 100 -i 50", &names);
    // A thing is there when it is asked for the third time, and everyone was waited for.
    let counts = ["POST /things", "GET /things/ID", "ASYNC POST /things/ID"];
    let counts = counts.map(|name| journey.count(name));
    assert_eq!(counts, [50, 150, 50], "{}", journey.finished);
}

fn events(open: Open) {
    let names = [PRODUCTS, "BLOCK buy"];
    let journey = run(open, "events", "-u 5 -r 100 -i 50", &names);
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

fn own_arguments(open: Open) {
    let names = [PRODUCTS];
    let own = "--product 7 --product 8 --language de";
    run(open, "own_arguments", &format!("{own} -u 5 -r 100 -i 50 --shards 2"), &names);
}

#[test]
fn own_arguments_are_in_the_help() {
    let finished = Invocation::of(example("own_arguments"), ["--help"]).run();
    finished.expect_code(0);
    for wanted in ["--product <PRODUCT>", "Language of the pages", "--spawn-rate"] {
        assert!(finished.stdout.contains(wanted), "{wanted}\n{finished}");
    }
}
