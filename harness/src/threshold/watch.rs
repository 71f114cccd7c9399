//! Thresholds that end a run: held against all of it so far, once a second.
//!
//! The first look is after a whole second, since the rates of less say nothing. Whatever has not been seen yet ends nothing;
//! at the end it counts as for every other threshold.

use std::time::Duration;

use super::{Measured, Threshold, ThresholdReport, Verdict};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Conditions under watch.
#[derive(Clone, Debug)]
pub struct Watch {
    thresholds: Vec<Threshold>,
    next: Duration,
    /// The one that ended the run, and what it saw.
    tripped: Option<(usize, Verdict)>,
}

impl Watch {
    /// Watches `thresholds`.
    pub fn new(thresholds: Vec<Threshold>) -> Self {
        Self { thresholds, next: INTERVAL, tripped: None }
    }

    /// Whether there is something to look at, `measured` being the time measured so far: once a second, until one holds.
    pub fn is_due(&self, measured: Duration) -> bool {
        !self.thresholds.is_empty() && self.tripped.is_none() && measured >= self.next
    }

    /// Looks; gives the condition for which the run has to end.
    pub fn look(&mut self, at: Duration, measured: &impl Measured) -> Option<&Threshold> {
        self.next = at + INTERVAL;
        let verdicts = self.thresholds.iter().map(|threshold| threshold.evaluate(measured));
        self.tripped = verdicts.enumerate().find(|(_, verdict)| verdict.aborts_the_run());
        self.tripped.map(|(index, _)| &self.thresholds[index])
    }

    /// What became of all of them; for the one that ended the run that is what it saw then.
    pub fn reports(&self, measured: &impl Measured) -> Vec<ThresholdReport> {
        let report = |(index, threshold): (usize, &Threshold)| match self.tripped {
            Some((tripped, verdict)) if tripped == index => {
                ThresholdReport::new(threshold, verdict).ending_the_run()
            }
            _ => ThresholdReport::new(threshold, threshold.evaluate(measured)),
        };
        self.thresholds.iter().enumerate().map(report).map(ThresholdReport::aborting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Figures;

    /// Failures so far among a hundred requests in ten seconds.
    struct Failures(u64);

    impl Measured for Failures {
        fn figures(&self, entry: Option<&str>) -> Option<Figures> {
            let figures = Figures { requests: 100, failures: self.0, seconds: 10.0, times: None };
            entry.is_none().then_some(figures)
        }
    }

    fn watch(conditions: &[&str]) -> Watch {
        let parsed = conditions.iter().map(|text| Threshold::parse(text).expect("it is right"));
        Watch::new(parsed.collect())
    }

    #[test]
    fn looks_are_a_second_apart() {
        let mut watch = watch(&["failures > 5"]);
        let [early, first, soon, second] = [900, 1_100, 1_900, 2_100].map(Duration::from_millis);
        assert!(!watch.is_due(early) && watch.is_due(first));
        assert!(watch.look(first, &Failures(5)).is_none());
        assert!(!watch.is_due(soon) && watch.is_due(second));
        assert!(!self::watch(&[]).is_due(second));
    }

    #[test]
    fn the_condition_that_ended_the_run_stays_missed() {
        let mut watch = watch(&["p99 > 1s", "[/later] rps < 1", "failures > 5"]);
        let at = Duration::from_secs(1);
        assert_eq!(watch.look(at, &Failures(6)).map(Threshold::as_str), Some("failures > 5"));
        assert!(!watch.is_due(at * 9), "one end is enough");
        let reports = watch.reports(&Failures(0));
        let messages: Vec<&str> = reports.iter().map(|report| report.message.as_str()).collect();
        let expected =
            ["nothing was measured", "there is no entry '/later'", "it was 6, which ended the run"];
        assert_eq!(messages, expected);
        assert!(reports.iter().all(|report| report.missed && report.aborts));
    }

    #[test]
    fn conditions_that_never_held_are_met() {
        let watch = watch(&["failures > 5"]);
        assert!(!watch.reports(&Failures(5))[0].missed);
        assert!(watch.reports(&Failures(6))[0].missed, "the last part of a second counts too");
    }
}
