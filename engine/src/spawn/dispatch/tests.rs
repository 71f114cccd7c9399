//! The worked example, corner cases of Locust's dispatcher, and what holds for any sequence of ramps.

use proptest::prelude::*;

use super::*;

fn share(name: &str, weight: f64, fixed_count: u64) -> ClassShare {
    ClassShare { name: name.to_owned(), weight, fixed_count }
}

fn rate(users: f64) -> Option<SpawnRate> {
    Some(SpawnRate::per_sec(users).expect("a rate"))
}

/// Three workers; A and B weighted, F fixed.
fn example() -> Dispatcher {
    Dispatcher::new(&[share("A", 3.0, 0), share("B", 1.0, 0), share("F", 1.0, 2)], 3)
}

/// Steps to the end of the ramp: each assignment, and the waits in milliseconds.
fn ramp(dispatcher: &mut Dispatcher) -> (Vec<Vec<Vec<u64>>>, Vec<u128>) {
    let (mut assignments, mut waits) = (Vec::new(), Vec::new());
    loop {
        let step = dispatcher.step();
        assignments.push(dispatcher.assignment().to_vec());
        waits.push(step.wait.as_millis());
        if step.done {
            return (assignments, waits);
        }
    }
}

#[test]
fn the_worked_example() {
    let mut dispatcher = example();
    dispatcher.begin(10, rate(2.5), None);
    let (up, waits) = ramp(&mut dispatcher);
    assert_eq!(
        up,
        [
            [[0, 0, 1], [0, 0, 1], [0, 0, 0]],
            [[0, 1, 1], [0, 0, 1], [1, 0, 0]],
            [[0, 1, 1], [1, 0, 1], [2, 0, 0]],
            [[1, 1, 1], [1, 1, 1], [2, 0, 0]],
            [[2, 1, 1], [1, 1, 1], [3, 0, 0]],
        ]
    );
    assert_eq!(waits, [800, 800, 800, 800, 0]);

    dispatcher.begin(4, rate(3.0), None);
    let (down, waits) = ramp(&mut dispatcher);
    assert_eq!(down, [[[1, 1, 1], [1, 0, 1], [2, 0, 0]], [[0, 1, 1], [0, 0, 1], [1, 0, 0]]]);
    assert_eq!(waits, [1000, 0]);
}

#[test]
fn a_target_already_met_is_one_step() {
    let mut dispatcher = example();
    dispatcher.begin(5, None, None);
    assert_eq!(dispatcher.step(), Step { done: true, wait: Duration::ZERO });
    let before = dispatcher.assignment().to_vec();
    dispatcher.begin(5, rate(1.0), None);
    assert_eq!(dispatcher.step(), Step { done: true, wait: Duration::ZERO });
    assert_eq!(dispatcher.assignment(), before);
}

#[test]
fn a_slow_rate_moves_one_user_at_a_time() {
    let mut dispatcher = example();
    dispatcher.begin(2, rate(0.5), None);
    assert_eq!(ramp(&mut dispatcher).1, [2000, 0]);
}

#[test]
fn a_ramp_of_fixed_users_only_ends_when_they_run_out() {
    let mut dispatcher = Dispatcher::new(&[share("F", 1.0, 3), share("Z", 0.0, 0)], 2);
    dispatcher.begin(10, rate(2.0), None);
    let (up, waits) = ramp(&mut dispatcher);
    assert_eq!(up, [[[1, 0], [1, 0]], [[2, 0], [1, 0]]]);
    assert_eq!(waits, [1000, 1000], "the end is noticed a step later");
    assert_eq!(dispatcher.step(), Step { done: true, wait: Duration::ZERO });
    assert_eq!(dispatcher.user_count(), 3);
}

#[test]
fn without_classes_the_ramp_ends_at_once() {
    let mut dispatcher = Dispatcher::new(&[], 0);
    dispatcher.begin(5, rate(2.0), None);
    assert!(dispatcher.step().done);
    assert_eq!(dispatcher.user_count(), 0);
}

#[test]
fn a_new_set_of_classes_leaves_the_users_there_are() {
    let mut dispatcher = example();
    dispatcher.begin(6, None, Some(&[0]));
    dispatcher.step();
    dispatcher.begin(9, None, Some(&[1]));
    dispatcher.step();
    let users = [0, 1, 2].map(|class| dispatcher.users_of_class(class));
    assert_eq!(users, [6, 3, 0]);
    dispatcher.begin(10, None, None);
    dispatcher.step();
    assert_eq!(dispatcher.users_of_class(1), 4, "the set stays until another is named");
}

#[test]
fn naming_the_same_classes_does_not_restart_their_sequence() {
    let classes = [share("A", 1.0, 0), share("B", 1.0, 0)];
    let mut dispatcher = Dispatcher::new(&classes, 1);
    for target in 1..=4 {
        dispatcher.begin(target, None, Some(&[1, 0, 1]));
        dispatcher.step();
    }
    assert_eq!(dispatcher.assignment(), [[2, 2]]);
}

#[test]
fn the_name_breaks_a_tie() {
    let mut dispatcher = Dispatcher::new(&[share("b", 1.0, 0), share("a", 1.0, 0)], 1);
    dispatcher.begin(1, None, None);
    dispatcher.step();
    assert_eq!(dispatcher.assignment(), [[0, 1]]);
}

#[test]
fn a_new_set_in_the_middle_of_the_fixed_users_starts_over() {
    let mut dispatcher = Dispatcher::new(&[share("A", 1.0, 0), share("F", 1.0, 3)], 1);
    dispatcher.begin(1, None, None);
    dispatcher.step();
    dispatcher.begin(2, None, Some(&[0]));
    dispatcher.step();
    assert_eq!(dispatcher.assignment(), [[1, 1]]);
}

#[test]
fn fixed_users_of_a_new_set_wait_until_users_have_gone() {
    let mut dispatcher = example();
    dispatcher.begin(1, None, Some(&[0]));
    dispatcher.step();
    dispatcher.begin(3, None, Some(&[0, 2]));
    dispatcher.step();
    assert_eq!(dispatcher.users_of_class(2), 0);
    dispatcher.begin(2, None, None);
    dispatcher.step();
    dispatcher.begin(4, None, None);
    dispatcher.step();
    assert_eq!(dispatcher.users_of_class(2), 2);
}

#[test]
fn a_ramp_in_place_of_another_goes_on_from_the_users_there_are() {
    let mut dispatcher = example();
    dispatcher.begin(100, rate(2.0), None);
    dispatcher.step();
    dispatcher.begin(3, rate(5.0), None);
    assert_eq!(dispatcher.step(), Step { done: true, wait: Duration::ZERO });
    assert_eq!(dispatcher.assignment(), [[0, 0, 1], [0, 0, 1], [1, 0, 0]]);
}

#[test]
fn rates_that_are_none_are_refused() {
    for users in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(SpawnRate::per_sec(users).is_err());
    }
    let error = SpawnRate::per_sec(-1.5).expect_err("it is below zero");
    assert_eq!(
        error.to_string(),
        "a spawn rate of -1.5 users per second is not possible: it must be finite and above 0"
    );
}

#[test]
fn extreme_rates_neither_overflow_nor_stall() {
    for (users, wait) in [
        (2f64.powi(-30), Duration::from_secs(1 << 30)),
        (5e-324, Duration::MAX),
        (1e9, Duration::ZERO),
        (f64::MAX, Duration::ZERO),
    ] {
        let mut dispatcher = example();
        dispatcher.begin(50, rate(users), None);
        assert_eq!(dispatcher.step().wait, wait, "{users}");
    }
}

fn classes() -> impl Strategy<Value = Vec<ClassShare>> {
    let weight = prop_oneof![(0u8..6).prop_map(f64::from), 0.0f64..10.0];
    let fixed = prop_oneof![3 => Just(0), 1 => 1u64..6];
    prop::collection::vec((weight, fixed), 1..6).prop_map(|shares| {
        let named = shares.into_iter().zip('a'..);
        named.map(|((weight, fixed), name)| share(&name.to_string(), weight, fixed)).collect()
    })
}

fn totals(dispatcher: &Dispatcher) -> Vec<u64> {
    (0..dispatcher.users_of_class.len()).map(|class| dispatcher.users_of_class(class)).collect()
}

/// The most users that the classes allow.
fn users_max(classes: &[ClassShare]) -> u64 {
    let weighted = classes.iter().any(|class| class.fixed_count == 0 && class.weight > 0.0);
    if weighted { u64::MAX } else { classes.iter().map(|class| class.fixed_count).sum() }
}

proptest! {
    #[test]
    fn any_ramps_reach_their_targets(
        classes in classes(),
        workers in 1usize..5,
        ramps in prop::collection::vec((0u64..80, 0.1f64..50.0), 1..6),
    ) {
        let mut dispatcher = Dispatcher::new(&classes, workers);
        let possible = users_max(&classes);
        for (target, users_per_sec) in ramps {
            dispatcher.begin(target, rate(users_per_sec), None);
            ramp(&mut dispatcher);
            let target = target.min(possible);
            prop_assert_eq!(dispatcher.user_count(), target);
            prop_assert_eq!(dispatcher.assignment().iter().flatten().sum::<u64>(), target);
            let by_class = totals(&dispatcher);
            prop_assert_eq!(by_class.iter().sum::<u64>(), target);
            for (class, users) in classes.iter().zip(by_class) {
                prop_assert!(class.fixed_count == 0 || users <= class.fixed_count);
                prop_assert!(class.fixed_count > 0 || class.weight > 0.0 || users == 0);
            }
        }
    }

    #[test]
    fn fixed_users_come_first(classes in classes(), target in 0u64..80) {
        let fixed: u64 = classes.iter().map(|class| class.fixed_count).sum();
        let mut dispatcher = Dispatcher::new(&classes, 2);
        dispatcher.begin(target, rate(3.0), None);
        ramp(&mut dispatcher);
        let of_fixed = classes.iter().zip(totals(&dispatcher)).filter(|(class, _)| class.fixed_count > 0);
        prop_assert_eq!(of_fixed.map(|(_, users)| users).sum::<u64>(), fixed.min(target));
    }

    #[test]
    fn workers_differ_by_one_at_most_after_a_ramp_up(classes in classes(), workers in 1usize..9, target in 0u64..200) {
        let mut dispatcher = Dispatcher::new(&classes, workers);
        dispatcher.begin(target, None, None);
        dispatcher.step();
        let of_workers: Vec<u64> = dispatcher.assignment().iter().map(|users| users.iter().sum()).collect();
        let (most, fewest) = (of_workers.iter().max(), of_workers.iter().min());
        prop_assert!(most.zip(fewest).is_some_and(|(most, fewest)| most - fewest <= 1));
    }

    #[test]
    fn going_down_undoes_going_up(classes in classes(), low in 0u64..40, more in 0u64..40, users_per_sec in 0.1f64..50.0) {
        let mut dispatcher = Dispatcher::new(&classes, 3);
        dispatcher.begin(low, rate(users_per_sec), None);
        ramp(&mut dispatcher);
        let before = dispatcher.assignment().to_vec();
        dispatcher.begin(low + more, rate(users_per_sec), None);
        ramp(&mut dispatcher);
        dispatcher.begin(low, rate(users_per_sec), None);
        ramp(&mut dispatcher);
        prop_assert_eq!(dispatcher.assignment(), before);
    }

    #[test]
    fn steps_and_one_step_lead_to_the_same(classes in classes(), target in 0u64..200, users_per_sec in 1e-9f64..1e9) {
        let (mut in_steps, mut at_once) = (Dispatcher::new(&classes, 3), Dispatcher::new(&classes, 3));
        in_steps.begin(target, rate(users_per_sec), None);
        ramp(&mut in_steps);
        at_once.begin(target, None, None);
        at_once.step();
        prop_assert_eq!(in_steps.assignment(), at_once.assignment());
    }
}
