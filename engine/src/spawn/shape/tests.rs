//! Each shape at its edges, and when the driver asks.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Users wanted at each of some times in seconds; `None` where the run is over.
fn users_at<const N: usize>(shape: &LoadShape, seconds: [f64; N]) -> [Option<u64>; N] {
    seconds.map(|at| shape.tick(secs(at), 0).map(|tick| tick.users))
}

fn stages() -> LoadShape {
    let classes = Some(vec!["Admin".to_owned()]);
    LoadShape::Stages(vec![
        Stage { duration: secs(10.0), tick: ShapeTick::new(5, 1.0) },
        Stage {
            duration: secs(20.0),
            tick: ShapeTick { users: 50, spawn_rate_per_sec: 10.0, classes },
        },
        Stage { duration: secs(0.0), tick: ShapeTick::new(7_000, 1.0) },
        Stage { duration: secs(5.0), tick: ShapeTick::new(0, 10.0) },
    ])
}

fn steps() -> LoadShape {
    LoadShape::Steps {
        step_users: 10,
        step_time: secs(30.0),
        spawn_rate_per_sec: 10.0,
        time_limit: secs(600.0),
    }
}

fn spike() -> LoadShape {
    LoadShape::Spike {
        base_users: 10,
        peak_users: 500,
        at: secs(60.0),
        length: secs(15.0),
        spawn_rate_per_sec: 100.0,
        time_limit: secs(120.0),
    }
}

fn double_wave() -> LoadShape {
    LoadShape::DoubleWave {
        users_min: 20,
        peak_one_users: 60,
        peak_two_users: 40,
        time_limit: secs(600.0),
    }
}

#[test]
fn stages_follow_each_other() {
    let shape = stages();
    assert_eq!(
        users_at(&shape, [0.0, 9.999, 10.0, 29.9, 30.0, 34.9, 35.0]),
        [Some(5), Some(5), Some(50), Some(50), Some(0), Some(0), None]
    );
    let second = shape.tick(secs(10.0), 5).expect("the second stage");
    assert_eq!(second.spawn_rate_per_sec, 10.0);
    assert_eq!(second.classes.as_deref(), Some(["Admin".to_owned()].as_slice()));
    assert_eq!(LoadShape::Stages(Vec::new()).tick(Duration::ZERO, 0), None);
}

#[test]
fn steps_climb_until_the_limit() {
    assert_eq!(
        users_at(&steps(), [0.0, 29.9, 30.0, 60.0, 599.0, 600.0]),
        [Some(10), Some(10), Some(20), Some(30), Some(200), None]
    );
}

#[test]
fn a_spike_rises_and_falls() {
    assert_eq!(
        users_at(&spike(), [0.0, 59.9, 60.0, 74.9, 75.0, 119.9, 120.0]),
        [Some(10), Some(10), Some(500), Some(500), Some(10), Some(10), None]
    );
}

/// The figures are those that Locust's example gives.
#[test]
fn a_double_wave_is_that_of_locust() {
    let shape = double_wave();
    assert_eq!(
        users_at(&shape, [0.0, 150.0, 160.0, 200.0, 230.5, 231.5, 240.0, 300.0]),
        [20, 28, 35, 60, 43, 41, 35, 20].map(Some)
    );
    assert_eq!(
        users_at(&shape, [350.0, 380.0, 400.0, 430.0, 599.4, 599.6]),
        [Some(24), Some(36), Some(40), Some(31), Some(20), None]
    );
    assert_eq!(shape.tick(secs(200.0), 0), Some(ShapeTick::new(60, 60.0)));
}

#[test]
fn a_wave_from_nothing_still_has_a_rate() {
    let shape = LoadShape::DoubleWave {
        users_min: 0,
        peak_one_users: 9,
        peak_two_users: 9,
        time_limit: secs(60.0),
    };
    assert_eq!(shape.tick(Duration::ZERO, 0), Some(ShapeTick::new(0, 1.0)));
}

#[test]
fn a_custom_shape_is_given_time_and_users() {
    let shape = LoadShape::Custom(Arc::new(|run_time, users| {
        (users < 3).then(|| ShapeTick::new(users + run_time.as_secs(), 1.0))
    }));
    assert_eq!(shape.tick(secs(5.0), 2), Some(ShapeTick::new(7, 1.0)));
    assert_eq!(shape.tick(secs(5.0), 3), None);
    assert_eq!(shape.users_max(), None);
}

#[test]
fn the_most_users_are_known_before_the_run() {
    let known = [stages(), steps(), spike(), double_wave()].map(|shape| shape.users_max());
    assert_eq!(known, [Some(7_000), Some(200), Some(500), Some(60)]);
    let endless = LoadShape::Steps {
        step_users: 1,
        step_time: Duration::ZERO,
        spawn_rate_per_sec: 1.0,
        time_limit: Duration::MAX,
    };
    assert_eq!(endless.users_max(), Some(u64::MAX));
}

#[test]
fn the_driver_tells_changes_only() {
    let mut driver = ShapeDriver::new(steps());
    assert_eq!(driver.poll(Duration::ZERO, 0), ShapeChange::Changed(ShapeTick::new(10, 10.0)));
    for second in 1..30 {
        assert_eq!(driver.poll(Duration::from_secs(second), 10), ShapeChange::Unchanged);
    }
    assert_eq!(driver.poll(secs(30.0), 10), ShapeChange::Changed(ShapeTick::new(20, 10.0)));
    assert_eq!(driver.poll(secs(600.0), 20), ShapeChange::Stop);
    assert_eq!(driver.poll(secs(1.0), 20), ShapeChange::Stop, "it stays stopped");
}

#[test]
fn the_driver_asks_once_a_second_and_not_for_seconds_it_missed() {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let shape = LoadShape::Custom(Arc::new(move |_, _| {
        Some(ShapeTick::new(counter.fetch_add(1, Ordering::Relaxed), 1.0))
    }));
    let mut driver = ShapeDriver::new(shape);
    for (at, asked_by_then, next_at) in
        [(0.0, 1, 1.0), (0.2, 1, 1.0), (0.999, 1, 1.0), (1.1, 2, 2.0), (7.5, 3, 8.0), (7.9, 3, 8.0)]
    {
        driver.poll(secs(at), 0);
        assert_eq!(asked.load(Ordering::Relaxed), asked_by_then, "at {at} s");
        assert_eq!(driver.next_at(), secs(next_at), "at {at} s");
    }
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..100_000).prop_map(Duration::from_millis),
        (any::<u64>(), 0u32..1_000_000_000).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn any_shape() -> impl Strategy<Value = LoadShape> {
    let users = || prop_oneof![0u64..1_000, any::<u64>()];
    let times = (any_duration(), any_duration(), any_duration());
    (0..4, users(), users(), users(), times).prop_map(|(kind, a, b, c, (x, y, time_limit))| {
        let spawn_rate_per_sec = 1.0;
        match kind {
            0 => LoadShape::Stages(vec![
                Stage { duration: x, tick: ShapeTick::new(a, 1.0) },
                Stage { duration: y, tick: ShapeTick::new(b, 1.0) },
            ]),
            1 => LoadShape::Steps { step_users: a, step_time: x, spawn_rate_per_sec, time_limit },
            2 => LoadShape::Spike {
                base_users: a,
                peak_users: b,
                at: x,
                length: y,
                spawn_rate_per_sec,
                time_limit,
            },
            _ => LoadShape::DoubleWave {
                users_min: a,
                peak_one_users: b,
                peak_two_users: c,
                time_limit,
            },
        }
    })
}

proptest! {
    #[test]
    fn no_shape_asks_for_more_than_its_most(shape in any_shape(), run_time in any_duration()) {
        if let Some(tick) = shape.tick(run_time, 0) {
            prop_assert!(Some(tick.users) <= shape.users_max());
            prop_assert!(tick.spawn_rate_per_sec > 0.0);
        }
    }
}
