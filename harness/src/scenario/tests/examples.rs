//! Each example is read whole; what it is there to show is looked at.

use std::path::{Path, PathBuf};

use crate::scenario::data::{FeedOrder, FeedPer, WhenOut};
use crate::scenario::model::{ActionIndex, Order, TaskBody, WaitTime};
use crate::scenario::step::Step;
use crate::scenario::{Scenario, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn example(name: &str) -> Scenario {
    load(&folder().join(name)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_example_is_a_scenario() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            load(&path).unwrap_or_else(|error| panic!("{error}"));
            count += 1;
        }
    }
    assert_eq!(count, 12);
}

#[test]
fn the_shop_has_what_the_file_says() {
    let shop = example("shop.toml");
    assert_eq!(shop.host.as_deref(), Some("http://127.0.0.1:8080"));
    assert_eq!(shop.settings.users, Some(50));
    assert_eq!(shop.fail_if.len(), 2);
    let names: Vec<&str> = shop.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "/login",
            "/products/[id]",
            "/orders",
            "/things",
            "POST /things/ID - async",
            "/things/[id]",
            "front page"
        ]
    );
    let [shopper, visitor] = shop.classes.as_slice() else { panic!("{:?}", shop.classes) };
    assert_eq!(shopper.model.weight, 3.0);
    assert_eq!(shopper.model.wait, WaitTime::Between(0.9, 1.1));
    assert_eq!(shopper.model.root.on_start, Some(ActionIndex(0)));
    assert_eq!(shopper.variables, ["token", "id"]);
    let weights: Vec<u32> = shopper.model.root.tasks.iter().map(|task| task.weight).collect();
    assert_eq!(weights, [10, 1]);
    assert_eq!(shopper.actions.len(), 3);
    assert_eq!(shopper.actions[0].feeds.len(), 1, "only the log-in draws a row");
    assert!(shopper.actions[1].feeds.is_empty());
    assert!(matches!(shopper.actions[2].steps[2], Step::Background(_)));
    assert_eq!(visitor.actions[0].steps.len(), 2, "a group is its steps");
    let feed = &shop.feeds[0];
    assert_eq!(
        (feed.order, feed.per, feed.when_out),
        (FeedOrder::Unique, FeedPer::User, WhenOut::Stop)
    );
    assert_eq!(feed.table.rows().get(), 4);
}

#[test]
fn sets_nest_and_keep_their_order() {
    let forum = example("nested_task_sets.toml");
    let root = &forum.classes[0].model.root;
    let names = |set: &crate::scenario::model::TaskSetModel| -> Vec<String> {
        set.tasks.iter().map(|task| task.name.clone()).collect()
    };
    assert_eq!(names(root), ["front page", "board"]);
    let TaskBody::Set(board) = &root.tasks[1].body else { panic!("{root:?}") };
    assert_eq!(names(board), ["list threads", "leave", "thread"]);
    let TaskBody::Set(thread) = &board.tasks[2].body else { panic!("{board:?}") };
    assert_eq!(names(thread), ["open", "read on", "reply"]);
    assert_eq!((board.order, thread.order), (Order::Random, Order::Sequential));
    assert_eq!(thread.wait, Some(WaitTime::Constant(2.0)));
}

#[test]
fn a_suite_has_an_entry_for_each_test_and_parameter() {
    let suite = example("test_suite.toml");
    let names: Vec<&str> = suite.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "test_login",
            "test_search[chrome]",
            "test_search[firefox]",
            "test_prices[de-free]",
            "test_prices[fr-paid]"
        ]
    );
    assert_eq!(suite.settings.task_stats, None, "parameters have entries of their own");
    assert!(suite.classes[0].model.fresh_session);
    let Step::Command(search) = &suite.classes[0].actions[1].steps[1] else { panic!() };
    assert_eq!(search.arguments.last().and_then(|last| last.fixed()), Some("firefox"));
}

#[test]
fn the_reference_shows_what_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = std::fs::read_to_string(folder.join("scenarios.md")).unwrap();
    let name = folder.join("examples/reference.toml");
    let mut count = 0;
    for block in reference.split("\n```toml").skip(1) {
        let (info, block) = block.split_once('\n').unwrap();
        let text = block.split("\n```").next().unwrap();
        let text = match info.trim() {
            "steps" => format!(
                "[[user]]\nname = \"A\"\n[[user.task_set]]\nname = \"s\"\n[[user.task_set.task]]\nname = \"t\"\nsteps = [\n{text}\n]\n"
            ),
            _ => text.to_owned(),
        };
        let read = crate::scenario::parse(&name.to_string_lossy(), &text, &|_| None);
        read.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        count += 1;
    }
    assert_eq!(count, 12);
}
