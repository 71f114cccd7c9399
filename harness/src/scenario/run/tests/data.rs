//! Rows of data: who draws which, and what happens at their end.

use std::collections::BTreeSet;

use super::world::{Ran, World, ok};

/// Users of a feed with rows 0 to 3, each of whose tasks sends its row.
fn feed(options: &str, on_start: &str) -> String {
    format!(
        "[data.d]\nrows = [{{ r = 0 }}, {{ r = 1 }}, {{ r = 2 }}, {{ r = 3 }}]\n{options}\n\
         [[user]]\nname = \"A\"\nhost = \"http://shop/api\"\nwait = 1\ndata = \"d\"\n{on_start}\n\
         [[user.task]]\nname = \"t\"\nsteps = [{{ get = \"/${{user.index}}/${{data.r}}\" }}]\n"
    )
}

fn run(text: &str, users: u64, iterations: u64) -> Ran {
    let world = World { users, iterations: Some(iterations), ..World::default() };
    world.run(text, |_| ok(""))
}

/// User and row of each request.
fn rows(ran: &Ran) -> Vec<(u64, u64)> {
    let row = |line: &str| {
        let mut parts = line.trim_start_matches("GET /api/").split('/');
        let mut part = || parts.next().and_then(|part| part.parse().ok()).expect("a number");
        (part(), part())
    };
    ran.lines().into_iter().map(row).collect()
}

#[test]
fn unique_rows_are_drawn_once_in_the_run_and_kept() {
    let ran = run(&feed("order = \"unique\"", ""), 3, 6);
    let drawn: BTreeSet<(u64, u64)> = rows(&ran).into_iter().collect();
    assert_eq!(rows(&ran).len(), 6);
    assert_eq!(drawn.len(), 3, "each user kept its own: {drawn:?}");
    assert_eq!(drawn.iter().map(|(_, row)| row).collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn unique_rows_stay_unique_over_shards() {
    let world = World { users: 4, shards: 2, iterations: Some(40), ..World::default() };
    let ran = world.run(&feed("order = \"unique\"\nper = \"iteration\"", ""), |_| ok(""));
    let mut drawn: Vec<u64> = rows(&ran).into_iter().map(|(_, row)| row).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, [0, 1, 2, 3], "and everybody stopped");
    assert_eq!(ran.errors(), []);
}

#[test]
fn rows_that_run_out_stop_fail_or_come_again() {
    let unique = |when_out: &str| {
        let options = format!("order = \"unique\"\nper = \"iteration\"\nwhen_out = \"{when_out}\"");
        run(&feed(&options, ""), 1, 6)
    };
    assert_eq!(unique("stop").lines().len(), 4);
    let failed = unique("fail");
    assert_eq!(failed.lines().len(), 4);
    assert_eq!(failed.errors(), [("A.t", "[data.d] has no more rows: all were drawn", 2)]);
    let again: Vec<u64> = rows(&unique("cycle")).into_iter().map(|(_, row)| row).collect();
    assert_eq!(again, [0, 1, 2, 3, 0, 1]);
}

#[test]
fn shared_rows_go_round_over_all_users() {
    let ran = run(&feed("", ""), 2, 10);
    let mut counts = [0; 4];
    rows(&ran).into_iter().for_each(|(_, row)| counts[row as usize] += 1);
    assert_eq!(counts, [3, 3, 2, 2]);
}

#[test]
fn each_user_goes_through_the_rows_for_itself() {
    let ran = run(&feed("order = \"each\"", ""), 2, 12);
    for user in 0..2 {
        let own: Vec<u64> =
            rows(&ran).into_iter().filter(|(by, _)| *by == user).map(|(_, row)| row).collect();
        assert_eq!(own, [0, 1, 2, 3, 0, 1]);
    }
    assert_eq!(run(&feed("order = \"each\"\nwhen_out = \"stop\"", ""), 1, 9).lines().len(), 4);
}

#[test]
fn random_rows_come_as_they_come() {
    let ran = run(&feed("order = \"random\"", ""), 1, 60);
    let drawn: BTreeSet<u64> = rows(&ran).into_iter().map(|(_, row)| row).collect();
    assert_eq!(drawn.len(), 4);
    let kept = run(&feed("order = \"random\"\nper = \"user\"", ""), 1, 60);
    assert_eq!(rows(&kept).into_iter().collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn a_user_without_a_row_stops_at_its_start() {
    let on_start = "on_start = [{ get = \"/${user.index}/${data.r}\" }]";
    let ran = run(&feed("order = \"unique\"", on_start), 6, 100);
    let users: BTreeSet<u64> = rows(&ran).into_iter().map(|(user, _)| user).collect();
    assert_eq!(users.len(), 4);
    assert_eq!(ran.errors(), []);
}

#[test]
fn who_leaves_goes_on_with_the_row_that_it_has() {
    let on_stop = "on_stop = [{ get = \"/9/${data.r}\" }]";
    let world = World {
        iterations: Some(2),
        stop_timeout: std::time::Duration::from_secs(1),
        ..World::default()
    };
    let ran = world.run(&feed("order = \"unique\"\nper = \"iteration\"", on_stop), |_| ok(""));
    assert_eq!(rows(&ran), [(0, 0), (0, 1), (9, 1)]);
}
