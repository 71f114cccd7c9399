//! The names that a user class's templates may use, and the indices that they become.
//!
//! A variable may be used above the step that sets it: a task may read what `on_start` or a neighbour extracted. So a
//! first mention takes a slot, whichever it is, and once the class has been read whatever was used but never set is a
//! fault. Order in time is not checked: a variable that has no value yet fails the step that wants it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::data::{Feed, FeedIndex, ReadFeed};
use super::error::did_you_mean;
use super::template::{CounterSlot, FeedSlot, VariableSlot};

/// First words of placeholders that mean something of their own.
pub(super) const RESERVED: [&str; 9] =
    ["counter", "data", "env", "iteration", "now", "param", "random", "user", "uuid"];

/// One user class's names.
#[derive(Debug)]
pub(super) struct Names<'a> {
    variables: RefCell<Vec<Variable>>,
    counters: RefCell<Vec<String>>,
    feeds: &'a [ReadFeed],
    own_feed: Option<FeedIndex>,
    /// The feeds that are drawn from, in order of mention.
    drawn: RefCell<Vec<FeedIndex>>,
    /// Those among them that the action being read draws from.
    drawn_now: RefCell<BTreeSet<FeedSlot>>,
    parameter: RefCell<Option<Parameter>>,
}

#[derive(Debug)]
struct Variable {
    name: String,
    is_set: bool,
    /// Where it was first used, if it was.
    used_at: Option<usize>,
}

/// What `${param}` stands for while a command with parameters is read.
pub(super) type Parameter = Vec<(String, String)>;

impl<'a> Names<'a> {
    /// No names but those of `feeds`, of which `own_feed` is the class's own data.
    pub(super) fn new(feeds: &'a [ReadFeed], own_feed: Option<FeedIndex>) -> Self {
        Self {
            variables: RefCell::default(),
            counters: RefCell::default(),
            feeds,
            own_feed,
            drawn: RefCell::default(),
            drawn_now: RefCell::default(),
            parameter: RefCell::default(),
        }
    }

    /// The slot of a variable that is set somewhere.
    pub(super) fn set(&self, name: &str) -> Result<VariableSlot, String> {
        if RESERVED.contains(&name) {
            return Err(format!(
                "\"{name}\" cannot name a variable: ${{{name}}} means something else"
            ));
        }
        if !is_variable_name(name) {
            return Err(format!(
                "\"{name}\" cannot name a variable: letters, digits, _ and - can, a letter or _ first"
            ));
        }
        let slot = self.slot(name);
        self.variables.borrow_mut()[slot.0 as usize].is_set = true;
        Ok(slot)
    }

    /// The slot of a variable that is used at the byte `offset` of the file.
    pub(super) fn used(&self, name: &str, offset: usize) -> VariableSlot {
        let slot = self.slot(name);
        self.variables.borrow_mut()[slot.0 as usize].used_at.get_or_insert(offset);
        slot
    }

    fn slot(&self, name: &str) -> VariableSlot {
        let mut variables = self.variables.borrow_mut();
        let index = variables.iter().position(|known| known.name == name).unwrap_or_else(|| {
            variables.push(Variable { name: name.to_owned(), is_set: false, used_at: None });
            variables.len() - 1
        });
        VariableSlot(index_u32(index))
    }

    /// The slot of the counter `name`, empty for the one without a name.
    pub(super) fn counter(&self, name: &str) -> CounterSlot {
        CounterSlot(position_or_push(&mut self.counters.borrow_mut(), &name.to_owned()))
    }

    /// The feed and column of `path`, what follows `data.`.
    pub(super) fn cell(&self, path: &str) -> Result<(FeedSlot, u32), String> {
        let named = path.split_once('.').and_then(|(name, column)| {
            let index = self.feeds.iter().position(|feed| feed.name.is_shared_as(name))?;
            Some((FeedIndex(index_u32(index)), column))
        });
        let Some((index, column)) = named.or_else(|| self.own_feed.map(|own| (own, path))) else {
            return Err(self.no_such_feed(path));
        };
        let column = self.column(index, column)?;
        let slot = FeedSlot(position_or_push(&mut self.drawn.borrow_mut(), &index));
        self.drawn_now.borrow_mut().insert(slot);
        Ok((slot, column))
    }

    fn column(&self, index: FeedIndex, column: &str) -> Result<u32, String> {
        let ReadFeed { name, feed } = &self.feeds[index.0 as usize];
        let Some(Feed { table, .. }) = feed else { return Ok(0) };
        table.column(column).ok_or_else(|| {
            let hint = did_you_mean(column, table.columns());
            let known = table.columns().collect::<Vec<_>>().join(", ");
            format!("{name} has no column \"{column}\" (it has {known}){hint}")
        })
    }

    fn no_such_feed(&self, path: &str) -> String {
        let wanted = path.split('.').next().unwrap_or(path);
        let hint = did_you_mean(wanted, self.feeds.iter().filter_map(|feed| feed.name.shared()));
        match path.contains('.') {
            true => format!("there is no [data.{wanted}] in this file{hint}"),
            false => format!("${{data.{path}}} wants a user with \"data\", which this one has not"),
        }
    }

    /// Counts `feeds` as drawn from once more: what is shared by requests is compiled only once.
    pub(super) fn draw_again(&self, feeds: &[FeedSlot]) {
        self.drawn_now.borrow_mut().extend(feeds);
    }

    /// The feeds that were drawn from since the last call.
    pub(super) fn take_drawn(&self) -> Box<[FeedSlot]> {
        std::mem::take(&mut *self.drawn_now.borrow_mut()).into_iter().collect()
    }

    /// Sets what `${param}` stands for.
    pub(super) fn set_parameter(&self, parameter: Option<Parameter>) {
        *self.parameter.borrow_mut() = parameter;
    }

    /// The parameter's value, `field` being what follows `param.`, empty for `${param}`.
    pub(super) fn parameter(&self, field: &str) -> Result<String, String> {
        let parameter = self.parameter.borrow();
        let Some(parameter) = &*parameter else {
            return Err("${param} wants a command with \"params\"".to_owned());
        };
        if let Some((_, value)) = parameter.iter().find(|(name, _)| name == field) {
            return Ok(value.clone());
        }
        let hint = did_you_mean(field, parameter.iter().map(|(name, _)| name.as_str()));
        Err(match field {
            "" => "these params are tables: write ${param.KEY}".to_owned(),
            _ => format!("the params have no \"{field}\"{hint}"),
        })
    }

    /// What was used and never set: where, and the message.
    pub(super) fn unset(&self) -> Vec<(usize, String)> {
        let variables = self.variables.borrow();
        let set = || variables.iter().filter(|known| known.is_set).map(|known| &*known.name);
        let candidates = || set().chain(RESERVED);
        variables
            .iter()
            .filter(|variable| !variable.is_set)
            .filter_map(|variable| {
                let hint = did_you_mean(&variable.name, candidates());
                let message = format!("nothing sets the variable \"{}\"{hint}", variable.name);
                Some((variable.used_at?, message))
            })
            .collect()
    }

    /// Names of variables and counters and the feeds, each in the order of its slots.
    pub(super) fn into_slots(self) -> (Vec<String>, Vec<String>, Vec<FeedIndex>) {
        let variables = self.variables.into_inner().into_iter().map(|variable| variable.name);
        (variables.collect(), self.counters.into_inner(), self.drawn.into_inner())
    }
}

/// Index of `value`, which is added where it is new.
fn position_or_push<T: PartialEq + Clone>(values: &mut Vec<T>, value: &T) -> u32 {
    let index = values.iter().position(|known| known == value).unwrap_or_else(|| {
        values.push(value.clone());
        values.len() - 1
    });
    index_u32(index)
}

/// An index into something that a file spells out.
pub(super) fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("a file of four billion names does not fit into memory")
}

fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
