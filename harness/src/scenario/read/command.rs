//! `command`: a program as a step, once for each of its parameters.

use super::class::ClassReader;
use super::control::all;
use super::values::data_value;
use crate::scenario::fields::{Fields, Item};
use crate::scenario::model::LabelKind;
use crate::scenario::names::Parameter;
use crate::scenario::step::{Command, Step};
use crate::scenario::template::Template;
use crate::scenario::template::render::push_value;

impl<'a> ClassReader<'a> {
    /// The step whose key `command` is `item`: one command, or one for each of its parameters.
    pub(super) fn commands(&self, fields: &Fields<'a>, item: &Item<'a>) -> Option<Vec<Step>> {
        let Some(list) = fields.item("params") else {
            return self.command(fields, item, None).map(|command| vec![command]);
        };
        let parameters = list.list()?;
        if parameters.is_empty() {
            return list.report("\"params\" is empty: the command would never run");
        }
        let mut commands = Vec::with_capacity(parameters.len());
        for parameter in &parameters {
            let parameter = parameter_of(parameter)?;
            let label = label(&parameter);
            self.names.set_parameter(Some(parameter));
            let command = self.command(fields, item, Some(&label));
            self.names.set_parameter(None);
            commands.push(command?);
        }
        Some(commands)
    }

    fn command(
        &self,
        fields: &Fields<'a>,
        item: &Item<'a>,
        parameter: Option<&str>,
    ) -> Option<Step> {
        let arguments = self.arguments(item);
        let name = fields.item("name").map(|item| self.known(&item));
        let environment = fields.item("env").map(|item| self.pairs(&item));
        let folder = fields.item("cwd").map(|item| self.known(&item));
        let timeout = fields.item("timeout").map(|item| item.duration());
        let exit_codes = fields.item("exit_codes").map(|item| exit_codes(&item));
        let arguments = arguments?;
        let name = match (all(name)?, parameter) {
            (Some(name), Some(parameter)) if !name.text().contains("${param") => {
                format!("{}[{parameter}]", shown(&[name]))
            }
            (Some(name), _) => shown(&[name]),
            (None, _) => shown(&arguments),
        };
        let folder = all(folder)?.map(|folder| shown(&[folder])).unwrap_or_default();
        Some(Step::Command(Box::new(Command {
            entry: self.shared.entry(LabelKind::Command, "COMMAND", &name),
            arguments: arguments.into(),
            environment: all(environment)?.unwrap_or_default(),
            folder: self.reader.source.resolve(&folder),
            timeout: all(timeout)?,
            exit_codes: all(exit_codes)?.unwrap_or_else(|| Box::new([0])),
        })))
    }

    /// A text that is the same every time: of placeholders it may have the parameter and the environment.
    fn known(&self, item: &Item<'a>) -> Option<Template> {
        item.word()?;
        let template = self.template(item)?;
        match template.fixed() {
            Some(_) => Some(template),
            None => item.report(format!(
                "\"{}\" is needed before the run: of placeholders it may have ${{param}} and ${{env.NAME}} alone",
                item.name
            )),
        }
    }

    fn arguments(&self, item: &Item<'a>) -> Option<Vec<Template>> {
        let list = item.list()?;
        if list.is_empty() {
            return item.report("\"command\" is empty: name a program");
        }
        list.iter().map(|item| self.scalar(item)).collect()
    }
}

/// What `${param}` or its fields stand for.
fn parameter_of(item: &Item<'_>) -> Option<Parameter> {
    match item.value().as_table() {
        None => Some(vec![(String::new(), text(item)?)]),
        Some(_) => {
            item.entries()?.iter().map(|item| Some((item.name.to_owned(), text(item)?))).collect()
        }
    }
}

fn text(item: &Item<'_>) -> Option<String> {
    let mut text = String::new();
    push_value(&data_value(item)?, &mut text);
    Some(text)
}

/// The parameter in an entry's name, as pytest shows it.
fn label(parameter: &Parameter) -> String {
    let values: Vec<&str> = parameter.iter().map(|(_, value)| value.as_str()).collect();
    values.join("-")
}

/// The command line, placeholders as written where they are filled in later.
fn shown(arguments: &[Template]) -> String {
    let shown: Vec<&str> =
        arguments.iter().map(|argument| argument.fixed().unwrap_or(argument.text())).collect();
    shown.join(" ")
}

fn exit_codes(item: &Item<'_>) -> Option<Box<[i32]>> {
    item.one_or_list()
        .iter()
        .map(|item| item.count_within(0, 255).map(|code| code as i32))
        .collect()
}
