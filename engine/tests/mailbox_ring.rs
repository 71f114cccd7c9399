//! The ring between a shard and the coordinator: order, bounds, and that every value is dropped once.
//!
//! These run on real threads; `mailbox_loom.rs` explores the interleavings. Sizes shrink under Miri.

#![cfg(not(loadr_loom))]

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use loadr_engine::mailbox::{Full, channel};
use proptest::prelude::*;

const STRESS_VALUES: u64 = if cfg!(miri) { 200 } else { 200_000 };

#[test]
fn a_full_ring_gives_the_value_back() {
    let (sender, receiver) = channel(3);
    for value in 0..3 {
        sender.try_send(value).unwrap();
    }
    assert!(sender.is_full());
    assert_eq!(sender.try_send(3), Err(Full(3)));
    assert_eq!(receiver.try_recv(), Some(0));
    assert!(!sender.is_full());
    sender.try_send(3).unwrap();
    assert_eq!(std::iter::from_fn(|| receiver.try_recv()).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn each_side_sees_the_other_go() {
    let (sender, receiver) = channel::<u8>(1);
    assert!(!sender.is_closed() && !receiver.is_closed());
    sender.try_send(1).unwrap();
    drop(sender);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_recv(), Some(1), "what was sent before is still received");
    assert_eq!(receiver.try_recv(), None);

    let (sender, receiver) = channel::<u8>(1);
    drop(receiver);
    assert!(sender.is_closed());
}

#[test]
fn what_is_queued_is_freed_once() {
    for sender_first in [true, false] {
        let witness = Arc::new(());
        let (sender, receiver) = channel(4);
        for _ in 0..3 {
            sender.try_send(Arc::clone(&witness)).unwrap();
        }
        drop(receiver.try_recv());
        assert_eq!(Arc::strong_count(&witness), 3);
        if sender_first {
            drop(sender);
            drop(receiver);
        } else {
            drop(receiver);
            drop(sender);
        }
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}

#[test]
#[should_panic(expected = "at least one value")]
fn a_ring_without_room_is_a_bug() {
    channel::<u8>(0);
}

#[test]
fn threads_pass_every_value_in_order() {
    for capacity in [1, 2, 5, 64] {
        let (sender, receiver) = channel(capacity);
        let sending = thread::spawn(move || {
            for value in 0..STRESS_VALUES {
                let mut unsent = Box::new(value);
                while let Err(Full(back)) = sender.try_send(unsent) {
                    unsent = back;
                    thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        loop {
            let closed = receiver.is_closed();
            match receiver.try_recv() {
                Some(value) => {
                    assert_eq!(*value, expected);
                    expected += 1;
                }
                None if closed => break,
                None => thread::yield_now(),
            }
        }
        assert_eq!(expected, STRESS_VALUES);
        sending.join().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any sequence of sends and receives does what a bounded queue does.
    #[test]
    fn behaves_like_a_bounded_queue(
        capacity in 1_usize..9,
        sends in prop::collection::vec(any::<bool>(), 0..200),
    ) {
        let (sender, receiver) = channel(capacity);
        let mut model = VecDeque::new();
        for (value, is_send) in sends.into_iter().enumerate() {
            prop_assert_eq!(sender.is_full(), model.len() == capacity);
            if is_send {
                let expected = if model.len() == capacity { Err(Full(value)) } else { Ok(()) };
                prop_assert_eq!(sender.try_send(value), expected);
                if expected.is_ok() {
                    model.push_back(value);
                }
            } else {
                prop_assert_eq!(receiver.try_recv(), model.pop_front());
            }
        }
    }
}
