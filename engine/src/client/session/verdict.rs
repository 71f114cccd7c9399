//! Whether a response counts as a success: Locust's rule, unless the call or its check says otherwise.

use std::borrow::Cow;
use std::ops::Deref;

use super::outgoing::truncate;
use super::response::Response;
use crate::client::status::status_failure;
use crate::outcome::{Failure, FailureKind};

/// Which statuses are successes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StatusRule {
    /// Any final status below 400, as Locust's HttpUser has it: a switch of protocols that nobody asked for is none.
    #[default]
    BelowFourHundred,
    /// These alone.
    OneOf(Vec<u16>),
}

impl StatusRule {
    /// Whether `status` is a success.
    #[inline]
    pub fn accepts(&self, status: u16) -> bool {
        match self {
            Self::BelowFourHundred => (200..400).contains(&status),
            Self::OneOf(expected) => expected.contains(&status),
        }
    }

    /// The failure that `status` is, if it is one.
    #[inline]
    pub(super) fn failure(&self, status: u16) -> Option<Failure> {
        if self.accepts(status) { None } else { Some(status_failure(status)) }
    }
}

impl From<u16> for StatusRule {
    fn from(status: u16) -> Self {
        Self::OneOf(vec![status])
    }
}

impl From<&[u16]> for StatusRule {
    fn from(statuses: &[u16]) -> Self {
        Self::OneOf(statuses.to_vec())
    }
}

impl<const N: usize> From<[u16; N]> for StatusRule {
    fn from(statuses: [u16; N]) -> Self {
        Self::OneOf(statuses.to_vec())
    }
}

/// What a check makes of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the status decides, and whether the body could be read.
    #[default]
    Undecided,
    /// A success, whatever the status.
    Success,
    /// A failure with this text, which the error report counts: it should not differ from response to response.
    Failure(Cow<'static, str>),
    /// A failure of another kind than a check's: what a protocol that HTTP carries says of it.
    FailureOf(FailureKind, Cow<'static, str>),
}

impl Verdict {
    /// The failure to record, where `default` is the one that there is without a verdict.
    pub(super) fn settle(self, default: Option<Failure>) -> Option<Failure> {
        match self {
            Self::Undecided => default,
            Self::Success => None,
            Self::Failure(text) => Some(bounded(FailureKind::Check, text)),
            Self::FailureOf(kind, text) => Some(bounded(kind, text)),
        }
    }
}

fn bounded(kind: FailureKind, text: Cow<'static, str>) -> Failure {
    let mut text = text.into_owned();
    truncate(&mut text);
    Failure::new(kind, text)
}

/// A response under check, before it is recorded: Locust's `catch_response`.
///
/// It reads like the [`Response`] that it is. The last of [`Self::failure`] and [`Self::success`] counts.
#[derive(Debug)]
pub struct Checked<'r> {
    response: &'r Response,
    pub(super) verdict: Verdict,
}

impl<'r> Checked<'r> {
    pub(super) fn new(response: &'r Response) -> Self {
        Self { response, verdict: Verdict::Undecided }
    }

    /// Makes the call a failure; equal texts are counted together.
    pub fn failure(&mut self, text: impl Into<Cow<'static, str>>) {
        self.verdict = Verdict::Failure(text.into());
    }

    /// Decides what the call counts as.
    pub fn settle(&mut self, verdict: Verdict) {
        self.verdict = verdict;
    }

    /// Makes the call a success, whatever its status.
    pub fn success(&mut self) {
        self.verdict = Verdict::Success;
    }
}

impl Deref for Checked<'_> {
    type Target = Response;

    fn deref(&self) -> &Response {
        self.response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locusts_rule_is_the_default() {
        let rule = StatusRule::default();
        let accepted: Vec<u16> = [0, 101, 199, 200, 304, 399, 400, 500]
            .into_iter()
            .filter(|s| rule.accepts(*s))
            .collect();
        assert_eq!(accepted, [200, 304, 399]);
        assert_eq!(rule.failure(404).unwrap().message, "404 Not Found");
        assert!(StatusRule::from([404, 410]).failure(404).is_none());
        assert!(StatusRule::from(404).failure(200).is_some());
    }

    #[test]
    fn a_verdict_goes_before_the_status() {
        let bad = || Some(status_failure(500));
        assert_eq!(Verdict::Undecided.settle(bad()), bad());
        assert_eq!(Verdict::Success.settle(bad()), None);
        let failure = Verdict::Failure("no price".into()).settle(None).unwrap();
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Check, "no price"));
    }
}
