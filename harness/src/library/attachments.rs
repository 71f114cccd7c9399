//! What a user keeps from task to task, by type.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

/// Values of different types, one of each at most. Few, so that a list finds them fastest.
#[derive(Default)]
pub(crate) struct Attachments {
    list: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
}

impl Attachments {
    /// The value of type `T`, made where there is none. Nothing is borrowed while `make` runs.
    pub(crate) fn get_or_make<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        if let Some(found) = self.find() {
            return found;
        }
        let made = Rc::new(make());
        drop(self.put(Rc::clone(&made)));
        made
    }

    pub(crate) fn find<T: 'static>(&self) -> Option<Rc<T>> {
        let list = self.list.borrow();
        let (_, value) = list.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        Rc::clone(value).downcast().ok()
    }

    /// Puts `value` in the place of the one before, which is given back: dropping it here could come back here.
    pub(crate) fn put<T: 'static>(&self, value: Rc<T>) -> Option<Rc<T>> {
        let before = self.take();
        self.list.borrow_mut().push((TypeId::of::<T>(), value));
        before
    }

    pub(crate) fn take<T: 'static>(&self) -> Option<Rc<T>> {
        let mut list = self.list.borrow_mut();
        let index = list.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        list.swap_remove(index).1.downcast().ok()
    }

    /// Lets go of everything.
    pub(crate) fn clear(&self) {
        // Taken out first: whatever dropping them does, nothing is borrowed.
        let list = self.list.take();
        drop(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks into the store that it lies in when it is dropped, as a connection's owner could.
    struct Curious(Rc<Attachments>);

    impl Drop for Curious {
        fn drop(&mut self) {
            assert!(self.0.find::<Self>().is_none());
        }
    }

    #[test]
    fn each_type_has_one_value() {
        let attachments = Attachments::default();
        assert_eq!(*attachments.get_or_make(|| 1_u8), 1);
        assert_eq!(*attachments.get_or_make(|| 2_u8), 1, "it is there already");
        assert_eq!(*attachments.get_or_make(|| "text"), "text");
        assert_eq!(attachments.put(Rc::new(3_u8)).as_deref(), Some(&1));
        assert_eq!(attachments.find::<u8>().as_deref(), Some(&3));
        assert_eq!(attachments.take::<u8>().as_deref(), Some(&3));
        assert_eq!(attachments.find::<u8>(), None);
        assert_eq!(attachments.find::<&str>().as_deref(), Some(&"text"));
    }

    #[test]
    fn making_and_dropping_may_look_at_the_store() {
        let attachments = Rc::new(Attachments::default());
        let made = attachments.get_or_make(|| u16::from(*attachments.get_or_make(|| 7_u8)));
        assert_eq!(*made, 7);
        attachments.get_or_make(|| Curious(Rc::clone(&attachments)));
        attachments.clear();
        assert!(attachments.find::<u8>().is_none());
    }
}
