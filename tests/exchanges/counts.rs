//! How many: requests exactly as asked for, over shards, pipelines, ramps and warm-ups.

use loadr_target::RouteKind;
use loadr_tests::{on_each_runtime, start_target, url};

use super::{clean_run, counted};

on_each_runtime!(
    exactly_as_many_requests_as_asked_for,
    exactly_as_many_over_two_shards,
    fewer_requests_than_users,
    a_pipeline_changes_no_count,
    a_run_by_time_counts_what_the_target_counts,
    a_warm_up_is_in_no_figure,
    users_start_at_the_spawn_rate,
);

fn exactly_as_many_requests_as_asked_for(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/"), "-n 3001 -u 7");
    assert_eq!((saved.requests(), saved.cut_off()), (3_001, 0));
    assert_eq!(saved["ended_by"], "requests");
    let totals = &saved["totals"];
    assert_eq!(totals["body_bytes"], 3_001 * 12, "the body is 'hello world' and a line end");
    assert_eq!(totals["bytes_received"], 3_001 * 160, "a response is 160 bytes");
    let stats = counted(target);
    assert_eq!(stats.served(RouteKind::Root), 3_001);
    assert_eq!((stats.connections_accepted, saved.connections()), (7, 7));
}

fn exactly_as_many_over_two_shards(runtime: &str) {
    let target = start_target();
    // Enough for the budget to be dealt out in several blocks.
    let saved = clean_run(runtime, &url(&target, "/"), "-n 9001 -u 5 --shards 2");
    assert_eq!((saved.requests(), saved.cut_off()), (9_001, 0));
    assert_eq!(saved["generator"]["shards"].as_array().map(Vec::len), Some(2));
    assert_eq!(counted(target).served(RouteKind::Root), 9_001);
}

fn fewer_requests_than_users(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/"), "-n 3 -u 50 --shards 2");
    assert_eq!(saved.requests(), 3);
    assert_eq!(counted(target).requests(), 3);
}

fn a_pipeline_changes_no_count(runtime: &str) {
    let target = start_target();
    // Neither divides the other: the last batches are not full.
    let saved = clean_run(runtime, &url(&target, "/"), "-n 5003 -u 3 --pipeline 16 --shards 2");
    assert_eq!((saved.requests(), saved.cut_off()), (5_003, 0));
    assert_eq!(saved["totals"]["body_bytes"], 5_003 * 12);
    let stats = counted(target);
    assert_eq!((stats.served(RouteKind::Root), stats.connections_accepted), (5_003, 3));
}

fn a_run_by_time_counts_what_the_target_counts(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/"), "-t 1s -u 5 --pipeline 2 --shards 2");
    let served = counted(target).requests();
    let (requests, cut_off) = (saved.requests(), saved.cut_off());
    assert!(requests > 0 && cut_off <= 10, "{requests} requests, {cut_off} cut off");
    // Of those cut off the target may have answered all or none.
    assert!((requests..=requests + cut_off).contains(&served), "{requests} {cut_off} {served}");
    assert_eq!(saved["ended_by"], "run-time");
    let duration_s = saved.duration_s();
    assert!((1.0..2.0).contains(&duration_s), "the run took {duration_s} s, not one");
}

fn a_warm_up_is_in_no_figure(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/delay/20"), "-n 30 -u 2 --warm-up 500ms");
    let warm_up = &saved["warm_up"];
    let warmed = warm_up["requests"].as_u64().expect("a count");
    assert_eq!(saved.requests(), 30, "the budget is of measured requests");
    assert!(warmed > 0 && warm_up["duration_s"] == 0.5, "{warm_up}");
    assert_eq!(saved.connections(), 0, "connections were made in the warm-up");
    assert_eq!(counted(target).requests(), 30 + warmed);
    let duration_s = saved.duration_s();
    // 15 exchanges of 20 ms one after the other, of which the first may have begun just before.
    assert!(duration_s < 0.28 + 0.5, "{duration_s} s has the warm-up in it");
}

fn users_start_at_the_spawn_rate(runtime: &str) {
    let target = start_target();
    // Locust's steps: two at once, and two more each 0.8 s.
    let saved = clean_run(runtime, &url(&target, "/delay/10"), "-t 1200ms -u 50 -r 2.5");
    let started = counted(target).connections_accepted;
    assert!([2, 4].contains(&started), "{started} users in 1.2 s at 2.5 a second");
    let users_max = saved["users_max"].as_u64().expect("a count");
    assert!((started..=4).contains(&users_max), "{users_max} users, {started} connections");
}
