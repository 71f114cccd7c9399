//! Where: several URLs, names, statuses that count as successes.

use loadr_target::RouteKind;
use loadr_tests::program::Invocation;
use loadr_tests::{on_each_runtime, start_target, url};

use super::{clean_run, counted};

on_each_runtime!(
    users_are_spread_over_several_urls,
    several_origins_are_named_whole,
    names_past_the_limit_share_one_entry,
    statuses_below_400_are_successes,
    expected_statuses_alone_are_successes,
);

fn users_are_spread_over_several_urls(runtime: &str) {
    let target = start_target();
    let line =
        format!("{} {} -u 6 -t 1s", url(&target, "/bytes/7?q=1"), url(&target, "/status/204"));
    let saved = clean_run(runtime, &url(&target, "/"), &line);
    let names: Vec<&str> = saved["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    assert_eq!(names, ["/", "/bytes/7?q=1", "/status/204"], "paths with queries, as in Locust");
    let stats = counted(target);
    let served = [RouteKind::Root, RouteKind::Bytes, RouteKind::Status];
    for (index, kind) in served.into_iter().enumerate() {
        let reported = saved["entries"][index]["requests"].as_u64().expect("a count");
        // Two users each, of which each may have been cut off.
        assert!((reported..=reported + 2).contains(&stats.served(kind)), "{kind:?}: {reported}");
        assert!(reported > 0, "{kind:?}");
    }
    assert_eq!(stats.connections_accepted, 6);
}

fn several_origins_are_named_whole(runtime: &str) {
    let (first, second) = (start_target(), start_target());
    let (one, other) = (url(&first, "/"), url(&second, "/bytes/5"));
    let saved = clean_run(runtime, &one, &format!("{other} -u 2 -n 100"));
    assert_eq!(saved["entries"][0]["name"], one);
    assert_eq!(saved["entries"][1]["name"], other);
    assert_eq!(counted(first).requests() + counted(second).requests(), 100);
}

fn names_past_the_limit_share_one_entry(runtime: &str) {
    let target = start_target();
    let more: Vec<String> = (1..5).map(|size| url(&target, &format!("/bytes/{size}"))).collect();
    let line = format!("{} -u 5 -n 5000 --shards 1 --max-names 3", more.join(" "));
    let saved = clean_run(runtime, &url(&target, "/"), &line);
    let names: Vec<&str> = saved["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    assert_eq!(names.len(), 4, "three names and the rest: {names:?}");
    assert!(names.contains(&"(other)"), "{names:?}");
    assert_eq!(saved.requests(), 5_000);
    let warned = saved["warnings"].as_array().expect("a list").iter();
    assert!(warned.clone().any(|warning| warning["kind"] == "names-over-limit"), "{warned:?}");
    assert_eq!(counted(target).requests(), 5_000);
}

fn statuses_below_400_are_successes(runtime: &str) {
    let target = start_target();
    assert_eq!(clean_run(runtime, &url(&target, "/status/302"), "-n 20 -u 2").requests(), 20);
    let failing = Invocation::new([&url(&target, "/status/503"), "--runtime", runtime, "-n", "20"]);
    let (finished, saved) = failing.run_saved();
    finished.expect_code(1);
    assert_eq!((saved.requests(), saved.failures()), (20, 20));
    saved.expect_only("status", "503 Service Unavailable");
    assert_eq!(saved["errors"].as_array().map(Vec::len), Some(1), "counted together");
    assert_eq!(counted(target).requests(), 40);
}

fn expected_statuses_alone_are_successes(runtime: &str) {
    let target = start_target();
    let line = "-n 20 -u 2 --expect-status 404,503";
    assert_eq!(clean_run(runtime, &url(&target, "/status/503"), line).requests(), 20);
    let other = Invocation::new([&url(&target, "/"), "--runtime", runtime]);
    let (finished, saved) = other.and(line.split_whitespace()).run_saved();
    finished.expect_code(1);
    saved.expect_only("status", "200 OK");
    assert_eq!(saved.failures(), 20);
}
