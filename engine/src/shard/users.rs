//! The users of a shard: by class, the most recent last, from their start to their end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Shard;
use crate::clock::nanos;
use crate::user::{Context, UserClass, UserState};

/// The users of one shard.
#[derive(Default)]
pub(super) struct Users {
    classes: RefCell<Vec<ClassUsers>>,
    /// Users started so far.
    started: Cell<u64>,
    /// Users that have not come to their end, those that are told to go included.
    running: Cell<u64>,
    /// Users that wait for an exchange that will never be permitted.
    starved: Cell<u64>,
}

struct ClassUsers {
    class: Rc<dyn UserClass>,
    name: Rc<str>,
    /// Users that are to go on, by order of their start.
    staying: BTreeMap<u64, Rc<UserState>>,
    /// Users that were told to go, or whose ending runs.
    leaving: BTreeMap<u64, Rc<UserState>>,
}

impl Users {
    pub(super) fn set_classes(&self, classes: Vec<Rc<dyn UserClass>>, names: Vec<String>) {
        let users = classes.into_iter().zip(names).map(|(class, name)| ClassUsers {
            class,
            name: name.into(),
            staying: BTreeMap::new(),
            leaving: BTreeMap::new(),
        });
        *self.classes.borrow_mut() = users.collect();
    }

    /// Users that have not come to their end.
    pub(super) fn running(&self) -> u64 {
        self.running.get()
    }

    /// Users that may still do something.
    pub(super) fn active(&self) -> u64 {
        self.running.get() - self.starved.get()
    }

    pub(super) fn starve(&self) {
        self.starved.set(self.starved.get() + 1);
    }

    fn all(&self) -> Vec<Rc<UserState>> {
        let classes = self.classes.borrow();
        let of_class = |class: &ClassUsers| {
            class.staying.values().chain(class.leaving.values()).cloned().collect::<Vec<_>>()
        };
        classes.iter().flat_map(of_class).collect()
    }

    /// The user's tasks are over.
    fn leave(&self, user: &Rc<UserState>) {
        self.revive(user);
        let class = &mut self.classes.borrow_mut()[user.class() as usize];
        if class.staying.remove(&user.index()).is_some() {
            class.leaving.insert(user.index(), Rc::clone(user));
        }
    }

    fn forget(&self, user: &UserState) {
        self.classes.borrow_mut()[user.class() as usize].leaving.remove(&user.index());
        self.running.set(self.running.get() - 1);
        self.revive(user);
    }

    /// What the user waited for is no longer what it does.
    fn revive(&self, user: &UserState) {
        if user.revive() {
            self.starved.set(self.starved.get() - 1);
        }
    }
}

impl Shard {
    /// Starts and stops users until as many of each class run as are wanted: starts first, as Locust's workers do.
    pub(super) fn set_users(self: &Rc<Self>, wanted: &[u64]) {
        for (class, wanted) in wanted.iter().enumerate() {
            // Counted once: a user may be over before its start returns.
            for _ in self.staying(class)..*wanted {
                self.start_user(class);
            }
        }
        for (class, wanted) in wanted.iter().enumerate() {
            while self.staying(class) > *wanted {
                self.stop_user(class);
            }
        }
    }

    fn staying(&self, class: usize) -> u64 {
        self.users.classes.borrow()[class].staying.len() as u64
    }

    fn start_user(self: &Rc<Self>, class: usize) {
        let ordinal = self.users.started.replace(self.users.started.get() + 1);
        let index = ordinal * self.options.shards as u64 + self.options.index as u64;
        let user = UserState::new(index, class as u32, self.options.seed);
        let (code, name) = {
            let class = &mut self.users.classes.borrow_mut()[class];
            class.staying.insert(index, Rc::clone(&user));
            (Rc::clone(&class.class), Rc::clone(&class.name))
        };
        let context = Context::new(Rc::clone(self), Rc::clone(&user));
        let life = code.start(context.clone());
        self.users.running.set(self.users.running.get() + 1);
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let ended = || {
                shard.take_back(&user);
                shard.users.leave(&user);
            };
            for panic in user.run(life, ended).await {
                context.record_exception(&name, &panic);
            }
            shard.take_back(&user);
            shard.users.forget(&user);
        });
    }

    /// Exchanges that were broken off stay in flight at the end of the run, where they are reported as cut off; before,
    /// others may make them.
    fn take_back(&self, user: &UserState) {
        if !self.is_stopping() {
            let count = user.take_in_flight();
            self.in_flight.set(self.in_flight.get().saturating_sub(count));
            self.requests.give_back(count);
        }
    }

    /// Has the class's most recent user go, in the time that a stop may take.
    fn stop_user(self: &Rc<Self>, class: usize) {
        let class = &mut self.users.classes.borrow_mut()[class];
        let Some((index, user)) = class.staying.pop_last() else { return };
        class.leaving.insert(index, Rc::clone(&user));
        if self.options.stop_timeout.is_zero() {
            return user.cancel();
        }
        user.stop();
        let give_up_ns = self.now_ns().saturating_add(nanos(self.options.stop_timeout));
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            shard.sleep_until(give_up_ns).await;
            user.cancel();
        });
    }

    /// Lets users finish what is in flight: nothing new begins, and those who merely wait end at once.
    pub(super) fn stop_gracefully(&self) {
        self.stopping.set(true);
        self.requests.close();
        self.iterations.close();
        self.users.all().iter().for_each(|user| user.stop());
    }

    /// Ends what users are doing; what they do at their end still runs.
    pub(super) fn end_tasks(&self) {
        self.stop_gracefully();
        self.users.all().iter().for_each(|user| user.cancel());
    }

    /// Ends whatever still runs: streams are cut off, so that the kernel lets go of their buffers, and users dropped.
    pub(super) fn stop_now(&self) {
        self.stop_gracefully();
        self.guards.cut_off_all();
        self.users.all().iter().for_each(|user| user.kill());
    }
}
