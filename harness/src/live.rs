//! What a person sees while the load runs, on standard error.
//!
//! On a terminal two lines are redrawn in place: elapsed and remaining time with a bar, then users, rate,
//! failures, and the median and 99th percentile of the last interval. While users are being started or stopped
//! it says how many of those wanted there are. Elsewhere (a file, a CI log) the same figures come as plain
//! lines, every two seconds in a run shorter than a minute, else every ten, so that a long run does not fill
//! the log. `--only-summary` shows nothing. All text is made by pure functions of a [`LiveRow`], and fits 80
//! columns.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use loadr_engine::coordinator::{Phase, Progress};

use crate::report::model::TimesMs;
use crate::report::units::{clock, count, nanoseconds, rate};

/// Steps of the bar from nothing to done.
const BAR_STEPS: u64 = 1_000;
/// Time between plain lines in a run that is short, and in one that is not.
const SHORT_CADENCE: Duration = Duration::from_secs(2);
const LONG_CADENCE: Duration = Duration::from_secs(10);
/// How much sooner than its cadence a line may come.
const EARLY_MAX: Duration = Duration::from_millis(500);
/// A run shorter than this is short.
const SHORT_RUN: Duration = Duration::from_secs(60);

/// The state of the run at the end of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveRow {
    /// Time since the load began.
    pub elapsed: Duration,
    /// Time until it ends, where that is known.
    pub remaining: Option<Duration>,
    /// Part that is done, 0 to 1, by time or by requests.
    pub fraction_done: Option<f64>,
    /// Users running.
    pub users: u64,
    /// Users that should run, while some are being started or stopped.
    pub users_wanted: Option<u64>,
    /// Whether this is still the warm-up, whose exchanges count nowhere else.
    pub warming_up: bool,
    /// Exchanges since the start, or those of the warm-up while that lasts.
    pub requests: u64,
    /// Failures since the start.
    pub failures: u64,
    /// Exchanges a second in the last interval.
    pub requests_per_s: f64,
    /// Median response time of the last interval, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// 99th percentile of the last interval, in nanoseconds.
    pub p99_ns: Option<u64>,
}

impl LiveRow {
    /// The row of a run's progress; what the coordinator cannot know stays for the caller to fill in.
    pub fn of_progress(progress: &Progress, elapsed: Duration) -> Self {
        let warming_up = progress.warming_up;
        // A run that ends lets its users go without starting those that were still to come.
        let is_ramping = progress.spawning && progress.phase == Phase::Running;
        let row = Self {
            elapsed,
            users: progress.users,
            users_wanted: is_ramping.then_some(progress.users_wanted),
            warming_up,
            requests: if warming_up { progress.warm_up_requests } else { progress.requests },
            failures: progress.failures,
            ..Self::default()
        };
        let Some(latest) = &progress.latest else { return row };
        let times = TimesMs::from(&latest.response_time);
        let ns = |ms: f64| (ms * 1e6) as u64;
        Self {
            requests_per_s: latest.requests as f64 / f64::from(latest.seconds.max(1)),
            p50_ns: times.p50.map(ns),
            p99_ns: times.p99.map(ns),
            ..row
        }
    }
}

/// The live display of one run.
#[derive(Debug)]
pub struct LiveDisplay(Kind);

#[derive(Debug)]
enum Kind {
    Silent,
    Bar(ProgressBar),
    Lines(Lines),
}

impl LiveDisplay {
    /// The display that suits standard error, for a run of `run_time` if that is known.
    pub fn on_stderr(only_summary: bool, run_time: Option<Duration>) -> Self {
        Self(if only_summary {
            Kind::Silent
        } else if io::stderr().is_terminal() {
            Kind::Bar(bar())
        } else {
            Kind::Lines(Lines::new(run_time))
        })
    }

    /// Shows the state of the run; plain lines skip those that come too soon.
    ///
    /// A standard error that has gone away is no reason to end a run, so errors are passed over.
    pub fn update(&mut self, row: &LiveRow) {
        match &mut self.0 {
            Kind::Silent => {}
            Kind::Bar(bar) => {
                bar.set_prefix(times(row));
                bar.set_message(status(row));
                bar.set_position((row.fraction_done.unwrap_or(0.0) * BAR_STEPS as f64) as u64);
            }
            Kind::Lines(lines) => {
                let _ = lines.write(&mut io::stderr().lock(), row);
            }
        }
    }

    /// Runs `print`, which writes to standard error itself, with the bar out of its way: for log lines.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.0 {
            Kind::Bar(bar) => bar.suspend(print),
            Kind::Silent | Kind::Lines(_) => print(),
        }
    }

    /// Takes the bar away, so that the report begins on a clean line.
    pub fn finish(self) {
        if let Kind::Bar(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{wide_bar}]\n{wide_msg}")
        .expect("the template is a constant that parses")
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr()).with_style(style)
}

/// Plain lines, thinned out.
#[derive(Debug)]
struct Lines {
    run_time: Option<Duration>,
    last: Duration,
    has_heading: bool,
}

impl Lines {
    fn new(run_time: Option<Duration>) -> Self {
        Self { run_time, last: Duration::ZERO, has_heading: false }
    }

    fn write(&mut self, out: &mut impl Write, row: &LiveRow) -> io::Result<()> {
        if !self.is_due(row.elapsed) {
            return Ok(());
        }
        if !self.has_heading {
            self.has_heading = true;
            writeln!(out, "{}", heading())?;
        }
        writeln!(out, "{}", plain(row))
    }

    /// Whether a line is due, and if so when the next will be.
    fn is_due(&mut self, elapsed: Duration) -> bool {
        let cadence = cadence(self.run_time, elapsed);
        // Intervals end on wall seconds and the run begins between two, so a line may come a little early.
        let is_due = elapsed + EARLY_MAX >= self.last + cadence;
        if is_due {
            self.last = elapsed;
        }
        is_due
    }
}

/// Time between plain lines; a run of unknown length counts as long once it has been.
fn cadence(run_time: Option<Duration>, elapsed: Duration) -> Duration {
    if run_time.unwrap_or(elapsed) < SHORT_RUN { SHORT_CADENCE } else { LONG_CADENCE }
}

/// Elapsed and remaining time: `00:07, 00:03 left`, or elapsed alone.
fn times(row: &LiveRow) -> String {
    match row.remaining {
        Some(remaining) => format!("{}, {} left", clock(row.elapsed), clock(remaining)),
        None => clock(row.elapsed),
    }
}

/// The figures under the bar.
fn status(row: &LiveRow) -> String {
    let users = users(row);
    if row.warming_up {
        return format!("{users}  warming up, {} requests", count(row.requests));
    }
    let (rate, failures) = (rate(row.requests_per_s), count(row.failures));
    let p99 = time(row.p99_ns);
    match row.users_wanted {
        None => {
            let p50 = time(row.p50_ns);
            format!("{users}  {rate} req/s  {failures} failures  p50 {p50}  p99 {p99}")
        }
        // The median makes room.
        Some(_) => format!("{users}  {rate} req/s  {failures} failures  p99 {p99}"),
    }
}

/// `100 users`, or where the ramp stands: `spawning 37 of 100 users`, `stopping users, 100 to 37`.
fn users(row: &LiveRow) -> String {
    let users = count(row.users);
    match row.users_wanted {
        None => format!("{users} users"),
        Some(wanted) if row.users > wanted => {
            format!("stopping users, {users} to {}", count(wanted))
        }
        Some(wanted) => format!("spawning {users} of {} users", count(wanted)),
    }
}

/// Headings of the plain lines.
fn heading() -> String {
    format!(
        "{:>7} {:>7} {:>13} {:>13} {:>9} {:>9} {:>7} {:>7}",
        "elapsed", "left", "users", "requests", "req/s", "failures", "p50", "p99"
    )
}

/// One plain line; users as `37/100` while a ramp is under way.
fn plain(row: &LiveRow) -> String {
    let wanted = row.users_wanted.map_or_else(String::new, |wanted| format!("/{}", count(wanted)));
    let times = match row.warming_up {
        true => "warming up".to_owned(), // whose times count nowhere
        false => format!("{:>7} {:>7}", time(row.p50_ns), time(row.p99_ns)),
    };
    format!(
        "{:>7} {:>7} {:>13} {:>13} {:>9} {:>9} {times:>15}",
        clock(row.elapsed),
        row.remaining.map_or_else(|| "-".to_owned(), clock),
        count(row.users) + &wanted,
        count(row.requests),
        rate(row.requests_per_s),
        count(row.failures),
    )
}

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| nanoseconds(ns as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadr_engine::record::SeriesRow;

    fn row(elapsed_s: u64) -> LiveRow {
        LiveRow {
            elapsed: Duration::from_secs(elapsed_s),
            remaining: Some(Duration::from_secs(10 - elapsed_s.min(10))),
            fraction_done: Some(0.7),
            users: 256,
            users_wanted: None,
            warming_up: false,
            requests: 2_060_184,
            failures: 3,
            requests_per_s: 294_311.6,
            p50_ns: Some(217_000),
            p99_ns: Some(1_340_000),
        }
    }

    #[test]
    fn plain_lines_stand_under_their_heading() {
        let mut out = Vec::new();
        let mut lines = Lines::new(Some(Duration::from_secs(10)));
        lines.write(&mut out, &row(7)).expect("memory takes every write");
        lines
            .write(&mut out, &LiveRow { elapsed: Duration::from_secs(9), ..LiveRow::default() })
            .expect("memory takes every write");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "elapsed    left         users      requests     req/s  failures     p50     p99\n  \
             00:07   00:03           256     2,060,184   294,312         3  217 us 1.34 ms\n  \
             00:09       -             0             0      0.00         0       -       -\n"
        );
    }

    #[test]
    fn the_bar_carries_times_and_figures() {
        assert_eq!(times(&row(7)), "00:07, 00:03 left");
        assert_eq!(times(&LiveRow::default()), "00:00");
        assert_eq!(
            status(&row(7)),
            "256 users  294,312 req/s  3 failures  p50 217 us  p99 1.34 ms"
        );
    }

    #[test]
    fn a_warm_up_is_named() {
        let warming_up = LiveRow { warming_up: true, ..row(7) };
        assert_eq!(status(&warming_up), "256 users  warming up, 2,060,184 requests");
        assert!(plain(&warming_up).ends_with(" 3      warming up"));
        assert_eq!(plain(&warming_up).len(), heading().len());
    }

    #[test]
    fn a_ramp_says_where_it_stands() {
        let ramp = |users, wanted| LiveRow { users, users_wanted: Some(wanted), ..row(7) };
        let up = ramp(37, 100);
        assert_eq!(status(&up), "spawning 37 of 100 users  294,312 req/s  3 failures  p99 1.34 ms");
        assert!(plain(&up).starts_with("  00:07   00:03        37/100     2,060,184 "));
        assert!(status(&ramp(100, 37)).starts_with("stopping users, 100 to 37  "));
        let warming_up = LiveRow { warming_up: true, requests: 9, ..up };
        assert_eq!(status(&warming_up), "spawning 37 of 100 users  warming up, 9 requests");
    }

    #[test]
    fn large_figures_fit_80_columns() {
        let large = LiveRow {
            elapsed: Duration::from_secs(35_999),
            remaining: Some(Duration::from_secs(35_999)),
            users: 99_999,
            requests: 9_999_999_999,
            failures: 999_999,
            requests_per_s: 999_999.0,
            p50_ns: Some(999_400_000),
            p99_ns: Some(99_900_000),
            ..row(7)
        };
        let ramp = LiveRow { users_wanted: Some(100_000), failures: 99_999, ..large };
        for row in [large, ramp, LiveRow { users: 100_000, users_wanted: Some(99_999), ..ramp }] {
            assert!(status(&row).len() <= 80, "{}", status(&row));
        }
        let thousands = LiveRow { users: 9_999, users_wanted: Some(10_000), ..large };
        for line in [heading(), plain(&large), plain(&thousands)] {
            assert!(line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn a_row_comes_from_the_latest_interval() {
        let mut latest = SeriesRow { seconds: 2, requests: 500, ..SeriesRow::default() };
        for us in 1..=500 {
            latest.response_time.record_ns(us * 1_000);
        }
        let progress = Progress {
            phase: Phase::Running,
            users: 64,
            users_wanted: 64,
            spawning: false,
            requests: 9_000,
            failures: 1,
            warming_up: false,
            warm_up_requests: 70,
            latest: Some(latest),
        };
        let row = LiveRow::of_progress(&progress, Duration::from_secs(3));
        assert_eq!((row.requests, row.requests_per_s), (9_000, 250.0));
        assert_eq!((row.p50_ns, row.p99_ns), (Some(250_000), Some(495_000)));
        assert_eq!(row.users_wanted, None);
        let ramp = Progress { users_wanted: 100, spawning: true, ..progress.clone() };
        let wanted = |ramp| LiveRow::of_progress(&ramp, Duration::ZERO).users_wanted;
        assert_eq!(wanted(ramp.clone()), Some(100));
        assert_eq!(wanted(Progress { phase: Phase::Stopping, ..ramp }), None);
        let warming_up = Progress { warming_up: true, latest: None, ..progress };
        let row = LiveRow::of_progress(&warming_up, Duration::ZERO);
        assert_eq!((row.requests, row.p50_ns), (70, None));
    }

    fn lines_at(run_time_s: Option<u64>, run_s: u64) -> Vec<u64> {
        let mut lines = Lines::new(run_time_s.map(Duration::from_secs));
        (1..=run_s).filter(|&second| lines.is_due(Duration::from_secs(second))).collect()
    }

    #[test]
    fn short_runs_print_every_two_seconds_and_long_ones_every_ten() {
        assert_eq!(lines_at(Some(10), 10), [2, 4, 6, 8, 10]);
        assert_eq!(lines_at(Some(300), 35), [10, 20, 30]);
        assert_eq!(lines_at(None, 85)[28..], [58, 68, 78]);
    }

    #[test]
    fn intervals_a_little_early_do_not_halve_the_lines() {
        let mut lines = Lines::new(Some(Duration::from_secs(10)));
        let ends = (0..10).map(|second| Duration::from_millis(700 + 1_000 * second));
        let due: Vec<_> = ends.filter(|&elapsed| lines.is_due(elapsed)).collect();
        assert_eq!(due.len(), 5);
    }
}
