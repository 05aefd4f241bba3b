//! The locks themselves.

use super::{model, spawn};
use crate::sync::{Arc, AtomicU32, Count, Counted, Mutex, Ordering};

model!(
    one_thread_at_a_time_holds_a_lock_and_each_gets_it,
    Some(4),
    [a_sleeper_forgets_the_others => "deadlock", a_lock_is_released_relaxed => "Causality violation"],
    || {
        let lock = Arc::new(Mutex::new(0));
        let add = |lock: Arc<Mutex<u32>>| move || *lock.lock() += 1;
        let others = [spawn(add(lock.clone())), spawn(add(lock.clone()))];
        *lock.lock() += 1;
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert_eq!(*lock.lock(), 3);
    }
);

#[derive(Default)]
struct Number(u32);

impl Count for Number {
    fn count(&self) -> u32 {
        self.0
    }
}

model!(
    /// A thread announces its sleep in the same way, and then reads `poller.is_active`.
    of_two_that_change_and_look_one_sees_the_other,
    Some(4),
    [a_count_is_relaxed => "neither saw the other"],
    || {
        let (number, flag) = (Arc::new(Counted::<Number>::default()), Arc::new(AtomicU32::new(0)));
        let other = {
            let (number, flag) = (number.clone(), flag.clone());
            spawn(move || {
                number.lock().0 = 1;
                flag.load(Ordering::SeqCst) == 1
            })
        };
        flag.store(1, Ordering::SeqCst);
        let saw = number.count() == 1;
        let was_seen = other.join().expect("no panic");
        assert!(saw || was_seen, "neither saw the other");
        assert_eq!(number.count(), 1);
    }
);
