//! Every order in which the helper and a thread that forks can meet at the gate.

use super::Gate;
use super::explore::explore;
use super::lock_loom_tests::guarded;
use loom::sync::Arc;
use loom::thread;

/// Closed, the gate has nobody inside, without any lock being taken.
#[test]
fn nobody_is_inside_of_a_closed_gate() {
    explore(None, || {
        let shared = Arc::new((Gate::new(), guarded()));
        let helper = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (gate, guarded) = &*shared;
                for _ in 0..2 {
                    if gate.enter() {
                        if let Some(_guard) = guarded.lock.try_lock() {
                            // SAFETY: the lock is held.
                            guarded.number.with_mut(|n| unsafe { *n += 1 });
                        }
                        gate.leave();
                    }
                }
            })
        };
        let (gate, guarded) = &*shared;
        if gate.shut() || gate.is_empty() {
            // SAFETY: the gate is closed: here a process is copied, with a number that nobody is changing.
            guarded.number.with_mut(|n| unsafe { *n += 1 });
        }
        gate.open();
        helper.join().unwrap();
    });
}
