//! Our dispatcher beside Locust's own, step by step: who runs where, and how long until the next step.
//!
//! `tests/data/locust_dispatch.py` drives the real one, which `tools/test` installs in a virtual environment of Python;
//! without that, the test fails.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadr_engine::spawn::dispatch::{ClassShare, Dispatcher, SpawnRate};
use loadr_engine::spawn::workers::worker_order;
use loadr_tests::python::python;
use loadr_tests::workspace_root;
use serde_json::{Value, json};

/// What both dispatchers are made to do.
struct Configuration {
    name: &'static str,
    workers: Vec<&'static str>,
    classes: Vec<ClassShare>,
    ramps: Vec<Ramp>,
}

/// One call of `begin`, and the steps that follow it.
#[derive(Default)]
struct Ramp {
    target: u64,
    rate: f64,
    classes: Option<Vec<&'static str>>,
    /// Steps after which the next ramp takes over; `None` for all there are.
    steps_max: Option<usize>,
}

/// A step as both sides tell it; the wait is `None` after the last step of a ramp that was given up.
#[derive(Debug, PartialEq)]
struct Taken {
    users: Vec<Vec<u64>>,
    wait: Option<Duration>,
}

/// `NAME:WEIGHT`, or `NAME=COUNT` for fixed users, with blanks between.
fn classes(shares: &str) -> Vec<ClassShare> {
    let of_share = |share: &str| {
        let (name, number) = share.split_once([':', '=']).expect("a name and a number");
        let number: f64 = number.parse().expect("a number");
        let (weight, fixed_count) =
            if share.contains('=') { (1.0, number as u64) } else { (number, 0) };
        ClassShare { name: name.to_owned(), weight, fixed_count }
    };
    shares.split_whitespace().map(of_share).collect()
}

fn ramps<const N: usize>(ramps: [(u64, f64); N]) -> Vec<Ramp> {
    ramps.map(|(target, rate)| Ramp { target, rate, ..Ramp::default() }).into()
}

fn of_classes(target: u64, rate: f64, classes: &[&'static str]) -> Ramp {
    Ramp { target, rate, classes: Some(classes.to_vec()), steps_max: None }
}

fn given_up(target: u64, rate: f64, steps_max: usize) -> Ramp {
    Ramp { target, rate, classes: None, steps_max: Some(steps_max) }
}

fn many_classes() -> Vec<ClassShare> {
    let share = |number: u32| ClassShare {
        name: format!("User{number}"),
        weight: f64::from(number % 7) * 0.7 + f64::from(number % 3),
        fixed_count: u64::from(number % 11 == 5) * u64::from(number),
    };
    (0..60).map(share).collect()
}

fn configurations() -> Vec<Configuration> {
    let configuration = |name, workers: &[&'static str], classes, ramps| Configuration {
        name,
        workers: workers.to_vec(),
        classes,
        ramps,
    };
    vec![
        configuration(
            "the worked example",
            &["h1_b", "h1_a", "h2_a"],
            classes("A:3 B:1 F=2"),
            ramps([(10, 2.5), (4, 3.0)]),
        ),
        configuration(
            "weights with fractions",
            &["h_1", "h_2", "h_3"],
            classes("A:0.1 B:0.2 C:0.7 D:0.333333333333333333 E:2.5 F:1e-9 G:0.30000000000000004"),
            ramps([(400, 7.3), (1_000, 99.9)]),
        ),
        configuration(
            "weights that differ in the last bit",
            &["only"],
            classes("A:0.7000000000000001 B:0.7 C:0.7000000000000002"),
            ramps([(40, 1.0)]),
        ),
        configuration(
            "many classes",
            &["b_1", "a_2", "b_2", "a_1", "b_3"],
            many_classes(),
            ramps([(500, 33.3), (120, 41.0), (700, 12.5)]),
        ),
        configuration(
            "down and up again",
            &["h_1", "h_2"],
            classes("A:5 B:1 F=3 G=2 C:2"),
            ramps([(50, 4.0), (20, 7.5), (35, 1.0), (0, 11.0), (40, 3.3), (2, 100.0), (9, 0.9)]),
        ),
        configuration(
            "a single worker",
            &["only"],
            classes("A:1 B:2"),
            ramps([(9, 0.3), (1, 0.7)]),
        ),
        configuration(
            "fixed users only",
            &["h_1", "h_2"],
            classes("A=3 B=5"),
            ramps([(20, 2.0), (30, 100.0), (3, 2.0), (8, 1.5), (9, 1.0)]),
        ),
        configuration(
            "subsets of the classes",
            &["h1_1", "h2_1", "h2_2"],
            classes("A:3 B:1 F=2 C:2 G=4"),
            vec![
                of_classes(3, 2.0, &["A", "G"]),
                of_classes(6, 2.0, &["A", "B", "G"]),
                of_classes(12, 4.0, &["F", "C"]),
                of_classes(10, 4.0, &["C", "F"]),
                of_classes(20, 5.0, &["G", "F", "B"]),
                of_classes(15, 5.0, &["G"]),
                of_classes(30, 5.0, &["G"]),
                of_classes(25, 9.0, &["A", "B", "C", "F", "G"]),
            ],
        ),
        configuration(
            "a target that is met already",
            &["h_1", "h_2"],
            classes("A:1 B:1 F=1"),
            ramps([(0, 1.0), (5, 2.0), (5, 2.0), (5, 100.0), (6, 1.0), (0, 6.0), (0, 1.0)]),
        ),
        configuration(
            "ties, names out of order and weights of zero",
            &["w_3", "w_1", "w_2"],
            classes("b:1 a:1 Z:1 É:2 aa:2 zero:0 E:2 c:4 d:4 zwei=2 eins=2"),
            ramps([(97, 10.0), (13, 20.0), (88, 5.5)]),
        ),
        configuration(
            "ramps that are given up",
            &["h_1", "h_2"],
            classes("A:2 F=4 B:1 G=4"),
            vec![
                given_up(30, 3.0, 1),
                given_up(1, 1.0, 1),
                given_up(30, 1.5, 3),
                given_up(0, 2.0, 2),
                given_up(50, 4.0, 6),
                Ramp { target: 10, rate: 5.0, ..Ramp::default() },
            ],
        ),
        configuration(
            "extreme rates",
            &["h_1", "h_2"],
            classes("A:3 B:1 F=2"),
            ramps([(3, 1e-9), (20_000, 1e9), (19_998, 1e-3), (15_000, 1_999.99)]),
        ),
    ]
}

fn as_json(configuration: &Configuration) -> Value {
    let class = |share: &ClassShare| json!({"name": share.name, "weight": share.weight, "fixed_count": share.fixed_count});
    let ramp = |ramp: &Ramp| {
        json!({
            "target": ramp.target, "rate": ramp.rate, "classes": ramp.classes, "steps_max": ramp.steps_max,
        })
    };
    json!({
        "workers": configuration.workers,
        "classes": configuration.classes.iter().map(class).collect::<Vec<_>>(),
        "ramps": configuration.ramps.iter().map(ramp).collect::<Vec<_>>(),
    })
}

/// What Locust makes of the configurations.
fn ask_locust(configurations: &[Configuration]) -> Vec<Value> {
    let python = python();
    let mut command = Command::new(&python);
    command.arg(workspace_root().join("tests/data/locust_dispatch.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let asked = Value::from_iter(configurations.iter().map(as_json));
    let mut stdin = child.stdin.take().expect("it is piped");
    // A script that ended early says why below.
    let _ = stdin.write_all(asked.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "locust_dispatch.py: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("the script prints a list")
}

fn taken(step: &Value) -> Taken {
    let wait = step["wait"].as_str().map(|wait| wait.parse().expect("seconds"));
    Taken {
        users: serde_json::from_value(step["users"].clone()).expect("numbers of users"),
        wait: wait.map(Duration::from_secs_f64),
    }
}

/// The steps that our dispatcher takes for a ramp.
fn take(dispatcher: &mut Dispatcher, ramp: &Ramp, all: &[ClassShare]) -> Vec<Taken> {
    let index = |name: &&str| all.iter().position(|share| share.name == *name).expect("a class");
    let chosen = ramp.classes.as_ref().map(|names| names.iter().map(index).collect::<Vec<_>>());
    let rate = SpawnRate::per_sec(ramp.rate).expect("a rate");
    dispatcher.begin(ramp.target, Some(rate), chosen.as_deref());
    let steps_max = ramp.steps_max.unwrap_or(usize::MAX);
    let mut steps = Vec::new();
    loop {
        let step = dispatcher.step();
        let users = dispatcher.assignment().to_vec();
        let given_up = steps.len() + 1 == steps_max;
        steps.push(Taken { users, wait: (!given_up).then_some(step.wait) });
        if given_up || step.done {
            return steps;
        }
    }
}

/// Compares one configuration, and counts its steps.
fn compare(configuration: &Configuration, of_locust: &Value) -> usize {
    let Configuration { name, workers, classes, ramps } = configuration;
    let order: Vec<&str> = worker_order(workers).into_iter().map(|index| workers[index]).collect();
    assert_eq!(json!(order), of_locust["workers"], "{name}: order of the workers");
    let mut dispatcher = Dispatcher::new(classes, workers.len());
    let mut steps = 0;
    for (ramp, wanted) in ramps.iter().enumerate() {
        let theirs = of_locust["ramps"][ramp].as_array().expect("the steps of a ramp");
        let ours = take(&mut dispatcher, wanted, classes);
        for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            assert_eq!(*ours, taken(theirs), "{name}: ramp {ramp}, step {step}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}: steps of ramp {ramp}");
        steps += ours.len();
    }
    steps
}

#[test]
fn users_are_dispatched_as_by_locust() {
    let configurations = configurations();
    let answers = ask_locust(&configurations);
    assert_eq!(configurations.len(), answers.len());
    let steps: usize =
        configurations.iter().zip(&answers).map(|(ours, theirs)| compare(ours, theirs)).sum();
    assert!(steps > 300, "only {steps} steps were compared");
}
