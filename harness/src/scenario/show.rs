//! The requests that one user would send, as text: what `show` prints below the task ratio.
//!
//! Placeholders stand as they are written in the file, names are those of the report.

mod websocket;

use std::fmt::Write;
use std::time::Duration;

use super::model::{
    Action, ActionIndex, Class, DriverPer, Order, Scenario, TaskBody, TaskSetModel, WaitTime,
};
use super::step::{
    Auth, Body, Command, DriverCall, Exit, LoopCondition, PartContent, Poll, Request, RequestName,
    Step, Think,
};
use super::template::Template;

/// The steps of every class's tasks, a line or two for each.
pub fn show(scenario: &Scenario) -> String {
    let mut text = String::new();
    for class in &scenario.classes {
        let mut listing = Listing { scenario, class, text, depth: 0 };
        listing.class();
        text = listing.text;
    }
    text
}

/// Lines of text about a class, indented.
struct Listing<'a> {
    scenario: &'a Scenario,
    class: &'a Class,
    text: String,
    depth: usize,
}

impl<'a> Listing<'a> {
    fn line(&mut self, line: impl AsRef<str>) {
        writeln!(self.text, "{:width$}{}", "", line.as_ref(), width = self.depth * 2)
            .expect("a String takes whatever is written");
    }

    /// What `write` adds, one step further in.
    fn inside(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    fn class(&mut self) {
        let class = self.class;
        let model = &class.model;
        let share = match model.fixed_count {
            0 => format!("weight {}", model.weight),
            count => format!("exactly {count}"),
        };
        self.line(format!("{} ({share}, waits {})", model.name, wait(&model.wait)));
        self.inside(|listing| {
            if let Some(driver) = &class.driver {
                let each = match driver.per {
                    DriverPer::User => "user",
                    DriverPer::Shard => "shard",
                };
                listing.line(format!("driver {}, one for each {each}", driver.arguments.join(" ")));
            }
            if let Some(websocket) = &class.websocket {
                listing.websocket_class(websocket);
            }
            if let [_, ..] = &*class.initial.steps {
                listing.action("at first", &class.initial);
            }
            listing.set(&model.root);
        });
    }

    fn set(&mut self, set: &'a TaskSetModel) {
        let class = self.class;
        let action = |index: ActionIndex| &class.actions[index.0 as usize];
        if let Some(index) = set.on_start {
            self.action("on_start", action(index));
        }
        for task in &set.tasks {
            let tags = match task.tags.as_slice() {
                [] => String::new(),
                tags => format!(", tags {}", tags.join(" ")),
            };
            let heading = format!("{} (weight {}{tags})", task.name, task.weight);
            match &task.body {
                TaskBody::Action(index) => self.action(&heading, action(*index)),
                TaskBody::Set(inner) => {
                    let order = match inner.order {
                        Order::Random => "",
                        Order::Sequential => ", in order",
                    };
                    self.line(format!("{heading}: a task set{order}"));
                    self.inside(|listing| listing.set(inner));
                }
            }
        }
        if let Some(index) = set.on_stop {
            self.action("on_stop", action(index));
        }
    }

    fn action(&mut self, heading: &str, action: &'a Action) {
        self.line(heading);
        self.steps(&action.steps);
    }

    fn steps(&mut self, steps: &'a [Step]) {
        self.inside(|listing| steps.iter().for_each(|step| listing.step(step)));
    }

    fn step(&mut self, step: &'a Step) {
        match step {
            Step::Request(request) => self.request(request),
            Step::Poll(poll) => self.poll(poll),
            Step::WebSocket(step) => self.websocket(step),
            Step::Command(command) => self.command(command),
            Step::DriverCall(call) => self.driver_call(call),
            Step::Background(steps) => self.block("in the background", steps),
            Step::Think(Think::Constant(seconds)) => self.line(format!("think {seconds} s")),
            Step::Think(Think::Between(min, max)) => self.line(format!("think {min} to {max} s")),
            Step::Set(values) => {
                for (slot, value) in values {
                    let name = &self.class.variables[slot.0 as usize];
                    self.line(format!("set {name} = {value}"));
                }
            }
            Step::Repeat(repeat) => {
                let times = repeat.times.iter().map(|times| format!(" {times} times"));
                let condition = repeat.condition.iter().map(|condition| match condition {
                    LoopCondition::While(condition) => format!(" while {condition}"),
                    LoopCondition::Until(condition) => format!(" until {condition}"),
                });
                let heading: String = times.chain(condition).collect();
                self.block(&format!("repeat{heading}"), &repeat.steps);
            }
            Step::If(branch) => {
                self.block(&format!("if {}", branch.condition), &branch.then);
                if !branch.otherwise.is_empty() {
                    self.block("else", &branch.otherwise);
                }
            }
            Step::Log(message) => self.line(format!("log {message}")),
            Step::Fail(message) => self.line(format!("fail {message}")),
            Step::Exit(exit) => self.line(exit_words(*exit)),
        }
    }

    fn block(&mut self, heading: &str, steps: &'a [Step]) {
        self.line(heading);
        self.steps(steps);
    }

    fn poll(&mut self, poll: &'a Poll) {
        let name = &self.scenario.entries[poll.entry.0 as usize].name;
        let (every, timeout) = (seconds(poll.every), seconds(poll.timeout));
        self.line(format!("poll every {every} for up to {timeout}, as {name}"));
        self.inside(|listing| listing.request(&poll.request));
    }

    fn command(&mut self, command: &Command) {
        let arguments: Vec<&str> = command.arguments.iter().map(Template::text).collect();
        let name = &self.scenario.entries[command.entry.0 as usize].name;
        self.line(format!("run {}, as {name}", arguments.join(" ")));
    }

    fn driver_call(&mut self, call: &DriverCall) {
        let name = &self.scenario.entries[call.entry.0 as usize].name;
        let shown_name = if *name == *call.call { String::new() } else { format!(", as {name}") };
        self.line(format!("call {} {}{shown_name}", call.call, call.params.text()));
    }

    fn request(&mut self, request: &Request) {
        let mut url = request.url.text().to_owned();
        for (index, (name, value)) in request.query.iter().enumerate() {
            let separator = if index == 0 && !url.contains('?') { '?' } else { '&' };
            url.push_str(&format!("{separator}{name}={value}"));
        }
        let name = match &request.name {
            RequestName::Fixed(entry) => self.scenario.entries[entry.0 as usize].name.as_str(),
            RequestName::Rendered(template) => template.text(),
        };
        if let (Body::XmlRpc(call), Some(rpc)) = (&request.body, &request.rpc) {
            let to = if url.is_empty() { String::new() } else { format!(" to {url}") };
            let known = call.text().split('(').next() == Some(name);
            let shown_name = if known { String::new() } else { format!(", as {name}") };
            self.line(format!("{} {}{to}{shown_name}", rpc.sample_type, call.text()));
            return self.inside(|listing| listing.fields(request));
        }
        let shown_name = if name == url { String::new() } else { format!(", as {name}") };
        self.line(format!("{} {url}{shown_name}", request.method.as_str()));
        self.inside(|listing| {
            listing.fields(request);
            listing.body(&request.body);
        });
    }

    fn fields(&mut self, request: &Request) {
        for (name, value) in &request.headers {
            self.line(format!("{name}: {value}"));
        }
        match &request.auth {
            Some(Auth::Basic { user, .. }) => self.line(format!("basic auth as {user}")),
            Some(Auth::Bearer(token)) => self.line(format!("bearer {token}")),
            None => {}
        }
    }

    fn body(&mut self, body: &Body) {
        match body {
            // The calls have a line of their own.
            Body::Empty | Body::XmlRpc(_) => {}
            Body::Form(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                self.line(format!("form {}", pairs.join("&")));
            }
            Body::Json(json) => self.line(format!("json {}", json.text())),
            Body::Text(text) => self.line(format!("body {}", text.text().escape_debug())),
            Body::File(bytes) => self.line(format!("body of {} bytes from a file", bytes.len())),
            Body::Multipart(parts) => {
                for part in parts {
                    let content = match &part.content {
                        PartContent::Text(text) => text.text().escape_debug().to_string(),
                        PartContent::File { file_name, bytes, .. } => {
                            format!("{file_name}, {} bytes", bytes.len())
                        }
                    };
                    self.line(format!("part {}: {content}", part.name));
                }
            }
        }
    }
}

fn wait(wait: &WaitTime) -> String {
    match wait {
        WaitTime::Constant(seconds) => format!("{seconds} s"),
        WaitTime::Between(min, max) => format!("{min} to {max} s"),
        WaitTime::ConstantPacing(seconds) => format!("so that tasks begin {seconds} s apart"),
        WaitTime::Poisson(rate) => format!("for {rate} tasks a second on average"),
        WaitTime::Function(_) => "as its code says".to_owned(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

fn exit_words(exit: Exit) -> &'static str {
    match exit {
        Exit::Interrupt { reschedule: true } => "leave the task set",
        Exit::Interrupt { reschedule: false } => "leave the task set, and wait",
        Exit::Reschedule { immediately: true } => "end the task, and go on at once",
        Exit::Reschedule { immediately: false } => "end the task",
        Exit::StopUser => "stop the user",
        Exit::StopTest => "stop the test",
    }
}
