//! `poll`: an operation that the target goes on with, asked after until it has ended.

use std::time::Duration;

use super::class::ClassReader;
use super::constant;
use super::control::{Place, all};
use crate::scenario::fields::{Fields, Item};
use crate::scenario::model::{EntrySlot, LabelKind};
use crate::scenario::step::{Method, Poll, Request, Step, Steps};

/// Pause between requests where none is said.
const EVERY: Duration = Duration::from_secs(1);
/// Longest operation where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(600);

impl<'a> ClassReader<'a> {
    /// The step whose key `poll` is `item`: its name and whether it is in the background stand beside that.
    pub(super) fn poll(
        &self,
        fields: &Fields<'a>,
        item: &Item<'a>,
        place: &Place<'_>,
    ) -> Option<Step> {
        let name = fields.item("name");
        if name.is_none() {
            self.reader.report(
                item.name_start,
                "a poll needs \"name\" beside it, which the whole operation is counted under",
            );
        }
        let name = name.and_then(|item| constant(self.reader, &item));
        let kind = fields.item("type").map_or(Some("ASYNC"), |item| item.word());
        let in_background = fields.item("background").map_or(Some(false), |item| item.boolean());
        let entry =
            kind.zip(name).map(|(kind, name)| self.shared.entry(LabelKind::Operation, kind, &name));
        let poll = self.poll_table(item, entry, place)?;
        let poll = Step::Poll(Box::new(poll));
        Some(match in_background? {
            true => Step::Background(Steps::from([poll])),
            false => poll,
        })
    }

    fn poll_table(
        &self,
        item: &Item<'a>,
        entry: Option<EntrySlot>,
        place: &Place<'_>,
    ) -> Option<Poll> {
        let fields = item.table("a poll")?;
        let every = fields.item("every").map(|item| item.duration());
        let timeout = fields.item("timeout").map(|item| item.duration());
        let request_timeout = fields.item("request_timeout").map(|item| item.duration());
        let until = fields.required("until").and_then(|item| self.expect(&item));
        let fail = fields.item("fail").map(|item| self.expect(&item));
        let extract = self.extractions(&fields);
        let request = self.polled(&fields, place);
        fields.finish();
        let (request, until, fail, extract) = (request?, until?, all(fail)?, extract?);
        let reads_body = request.reads_body
            || until.reads_body()
            || fail.as_ref().is_some_and(|fail| fail.reads_body())
            || extract.iter().any(|one| one.from.reads_body());
        let request_timeout = all(request_timeout)?.or(self.timeout);
        Some(Poll {
            entry: entry?,
            request: Request { timeout: request_timeout, reads_body, ..request },
            every: all(every)?.unwrap_or(EVERY),
            timeout: all(timeout)?.unwrap_or(TIMEOUT),
            until,
            fail,
            extract,
        })
    }

    fn polled(&self, fields: &Fields<'a>, place: &Place<'_>) -> Option<Request> {
        let urls = fields.present(&Method::KEYS.map(|(key, _)| key));
        let [url] = urls.as_slice() else {
            return fields.report("a poll sends one request, such as get = \"/things/${id}\"");
        };
        let (_, method) = Method::KEYS.into_iter().find(|(key, _)| *key == url.name)?;
        self.request(fields, url, method, place)
    }
}
