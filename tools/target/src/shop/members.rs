//! The pages of those who log in: by a cookie, by a token, or by a password each time.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::request::Payload;
use crate::shop::answer::Answer;
use crate::shop::identity::Identity;
use crate::shop::{Shop, field, input};

/// The longest user name, in bytes: what is kept of a login is bounded by it.
pub(super) const USER_BYTES_MAX: usize = 256;

const FORGET_SESSION: &str = "Set-Cookie: session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; \
                              Max-Age=0; HttpOnly; Path=/\r\n";

const NO_TOKEN: &str = "this needs the token of a login: Authorization: Bearer TOKEN\n";

impl Shop {
    pub(super) fn log_in(&self, payload: &Payload<'_>) -> Answer {
        let user = match user(payload) {
            Ok(Some(user)) => user,
            Ok(None) => {
                let usage = "a login is a form or JSON with a `user`, or basic authentication\n";
                return Answer::text(400, usage);
            }
            Err(broken) => return Answer::text(400, broken),
        };
        if user.len() > USER_BYTES_MAX {
            return Answer::text(400, "the name of a user may have 256 bytes\n");
        }
        let token = self.new_token();
        self.logins.count(&user);
        let session = utf8_percent_encode(&user, NON_ALPHANUMERIC).to_string();
        Answer::json(200, json!({ "token": token, "user": user }))
            .with(format!("Set-Cookie: session={session}; HttpOnly; Path=/\r\n"))
    }

    /// A token for another one, which need not be known any more.
    pub(super) fn refresh(&self, payload: &Payload<'_>) -> Answer {
        if let Some(Value::String(token)) = input::members(payload).get("token") {
            self.forget(Identity::parse(token));
        }
        Answer::json(200, json!({ "token": self.new_token() }))
    }

    pub(super) fn give_up_token(&self, head: &[u8]) -> Answer {
        self.forget(input::bearer(head));
        Answer::nothing()
    }

    pub(super) fn orders(&self, head: &[u8]) -> Answer {
        match self.knows(input::bearer(head)) {
            true => Answer::json(200, json!({ "orders": [] })),
            false => Answer::text(401, NO_TOKEN),
        }
    }

    /// Whoever it is, with what else a JSON body says.
    pub(super) fn me(&self, payload: &Payload<'_>) -> Answer {
        match self.knows(input::bearer(&payload.head)) {
            true => Answer::object(input::members(payload), "name", "Ada".into()),
            false => Answer::text(401, NO_TOKEN),
        }
    }

    pub(super) fn admin(&self, head: &[u8]) -> Answer {
        match input::basic(head) {
            Some((user, password)) if user == "admin" && password == "admin" => {
                Answer::json(200, json!({ "users": self.logins.users() }))
            }
            _ => Answer::text(401, "this needs the basic authentication admin:admin\n"),
        }
    }

    fn new_token(&self) -> String {
        let token = self.identities.next();
        self.tokens.insert(token, ());
        token.to_string()
    }

    fn knows(&self, token: Option<Identity>) -> bool {
        token.and_then(|token| self.tokens.update(token, |()| ())).is_some()
    }

    fn forget(&self, token: Option<Identity>) {
        if let Some(token) = token {
            self.tokens.remove(token);
        }
    }
}

pub(super) fn end_session() -> Answer {
    Answer::nothing().with(FORGET_SESSION)
}

pub(super) fn account(head: &[u8]) -> Answer {
    let session = field::cookie(head, "session").filter(|session| !session.is_empty());
    match session {
        Some(session) => {
            let user = percent_decode_str(session).decode_utf8_lossy();
            Answer::json(200, json!({ "user": user }))
        }
        None => Answer::text(401, "the account needs the cookie of a login\n"),
    }
}

/// Who logs in: a name that is not empty, of the form, or else of the JSON, or else of the head.
fn user(payload: &Payload<'_>) -> Result<Option<String>, &'static str> {
    let mut form = input::form(payload).map_err(|broken| broken.0)?;
    let of_json = || match input::members(payload).remove("user")? {
        Value::String(user) => Some(user),
        Value::Number(user) => Some(user.to_string()),
        _ => None,
    };
    let of_head = || input::basic(&payload.head).map(|(user, _)| user);
    let is_name = |user: &String| !user.is_empty();
    let user = form.fields.remove("user").filter(is_name);
    Ok(user.or_else(|| of_json().filter(is_name)).or_else(|| of_head().filter(is_name)))
}
