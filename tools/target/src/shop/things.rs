//! Things: jobs that are done once they have been looked at often enough.

use serde_json::json;

use crate::request::Payload;
use crate::shop::answer::Answer;
use crate::shop::identity::Identity;
use crate::shop::{Shop, input};

/// The looks at a thing up to the one that finds it active.
const LOOKS: u8 = 3;

impl Shop {
    pub(super) fn make_thing(&self, payload: &Payload<'_>) -> Answer {
        let number = input::members(payload).remove("n").unwrap_or_default();
        let identity = self.identities.next();
        self.things.insert(identity, LOOKS);
        let identity = identity.to_string();
        Answer::json(202, json!({ "id": identity, "n": number, "status": "PENDING" }))
    }

    pub(super) fn look_at_thing(&self, identity: Option<Identity>) -> Answer {
        let look = |missing: &mut u8| {
            *missing = missing.saturating_sub(1);
            *missing
        };
        let found =
            identity.and_then(|identity| Some((identity, self.things.update(identity, look)?)));
        let Some((identity, missing)) = found else { return no_such_thing() };
        let identity = identity.to_string();
        if missing > 0 {
            return Answer::json(200, json!({ "id": identity, "status": "PENDING" }));
        }
        let link = format!("/things/{identity}/link");
        Answer::json(200, json!({ "id": identity, "link": link, "status": "ACTIVE" }))
    }

    pub(super) fn drop_thing(&self, identity: Option<Identity>) -> Answer {
        match identity.and_then(|identity| self.things.remove(identity)) {
            Some(_) => Answer::nothing(),
            None => no_such_thing(),
        }
    }

    pub(super) fn link(&self, identity: Option<Identity>) -> Answer {
        match identity.and_then(|identity| self.things.update(identity, |_| ())) {
            Some(()) => Answer::text(200, "here it is"),
            None => no_such_thing(),
        }
    }
}

fn no_such_thing() -> Answer {
    Answer::text(404, "no such thing\n")
}
