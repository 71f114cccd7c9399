//! `[data.NAME]` and `data = { .. }`.

use std::sync::Arc;

use super::constant;
use super::values::data_value;
use crate::scenario::data::load::{self, DataError};
use crate::scenario::data::{Feed, FeedName, FeedOrder, FeedPer, ReadFeed, Table, WhenOut};
use crate::scenario::fields::{Fields, Item, Reader};
use crate::scenario::names::RESERVED;

const ORDERS: [(&str, FeedOrder); 4] = [
    ("unique", FeedOrder::Unique),
    ("shared", FeedOrder::Shared),
    ("random", FeedOrder::Random),
    ("each", FeedOrder::Each),
];
const PERS: [(&str, FeedPer); 2] = [("user", FeedPer::User), ("iteration", FeedPer::Iteration)];
const WHEN_OUTS: [(&str, WhenOut); 3] =
    [("stop", WhenOut::Stop), ("cycle", WhenOut::Cycle), ("fail", WhenOut::Fail)];

/// The feed `[data.NAME]`.
pub(super) fn shared_feed<'a>(reader: &'a Reader<'a>, item: &Item<'a>) -> ReadFeed {
    let name = item.name;
    if RESERVED.contains(&name) || name.contains(['.', '$', '{', '}', '(', ')', ',', ':']) {
        reader
            .report(item.name_start, format!("\"{name}\" cannot name a feed; choose a plain word"));
    }
    read_feed(reader, item, FeedName::Shared(name.to_owned()))
}

/// The feed that `item` describes.
pub(super) fn read_feed<'a>(reader: &'a Reader<'a>, item: &Item<'a>, name: FeedName) -> ReadFeed {
    ReadFeed { feed: feed(reader, item, &name), name }
}

fn feed<'a>(reader: &'a Reader<'a>, item: &Item<'a>, name: &FeedName) -> Option<Feed> {
    let fields = item.table("a data feed")?;
    let table = table(reader, &fields);
    let order = fields.item("order").map_or(Some(FeedOrder::Shared), |item| item.choice(&ORDERS));
    let per = fields.item("per").map(|item| (item, item.choice(&PERS)));
    let when_out = fields.item("when_out").map(|item| (item, item.choice(&WHEN_OUTS)));
    fields.finish();
    let order = order?;
    if let (FeedOrder::Shared | FeedOrder::Random, Some((item, _))) = (order, &when_out) {
        item.report::<()>(
            "\"when_out\" wants order = \"unique\" or \"each\": the others never run out",
        );
    }
    if let (FeedOrder::Each, Some((item, Some(FeedPer::User)))) = (order, &per) {
        item.report::<()>("per = \"user\" with order = \"each\" gives every user the first row");
    }
    let (per_default, when_out_default) = match order {
        FeedOrder::Unique => (FeedPer::User, WhenOut::Stop),
        _ => (FeedPer::Iteration, WhenOut::Cycle),
    };
    Some(Feed {
        name: name.clone(),
        table: Arc::new(table?),
        order,
        per: per.map_or(Some(per_default), |(_, per)| per)?,
        when_out: when_out.map_or(Some(when_out_default), |(_, when_out)| when_out)?,
    })
}

fn table<'a>(reader: &'a Reader<'a>, fields: &Fields<'a>) -> Option<Table> {
    let sources = fields.present(&["csv", "json", "rows"]);
    let delimiter = fields.item("delimiter");
    let columns = fields.item("columns");
    let [source] = sources.as_slice() else {
        return fields
            .report("a data feed has its rows from one of \"csv\", \"json\" and \"rows\"");
    };
    if source.name != "csv" {
        for item in delimiter.iter().chain(&columns) {
            item.report::<()>(format!("\"{}\" is for csv files", item.name));
        }
    }
    if source.name == "rows" {
        return inline(source);
    }
    let path = reader.source.resolve(&constant(reader, source)?);
    let loaded: Result<Table, DataError> = if source.name == "json" {
        load::json(&path)
    } else {
        let delimiter = delimiter.map_or(Some(b','), |item| delimiter_byte(&item))?;
        let columns = columns.map_or(Some(None), |item| item.words().map(Some))?;
        load::csv(&path, delimiter, columns.as_deref())
    };
    loaded.map_or_else(|error| source.report(error.to_string()), Some)
}

fn delimiter_byte(item: &Item<'_>) -> Option<u8> {
    match item.text()?.as_bytes() {
        [byte] if *byte != b'"' && *byte != b'\n' => Some(*byte),
        _ => item.report("\"delimiter\" wants one character, such as \";\" or \"\\t\""),
    }
}

fn inline(item: &Item<'_>) -> Option<Table> {
    let rows = item.list()?;
    let values = rows.iter().map(data_value).collect::<Option<_>>()?;
    load::inline(values).map_or_else(
        |(row, fault)| match row.checked_sub(1).and_then(|index| rows.get(index)) {
            Some(at_fault) => at_fault.report(format!("row {row} {fault}")),
            None => item.report("\"rows\" is empty"),
        },
        Some,
    )
}
