//! Every order in which threads can meet where an owner loses its last thread, within loom's model of memory.

use super::owners::Owners;
use crate::heap::depot::{Depot, Home};
use crate::list::Batch;
use crate::sync::AtomicU64;
use crate::sync::explore::explore;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// A batch is put into the depot of an owner whose last thread ends at that moment: it is never left there. Either the one
/// who ends finds it, or the one who put it, or it was not put at all.
#[test]
fn nothing_waits_for_an_owner_that_was_deserted() {
    explore(None, || {
        let shared = Arc::new((Owners::new(), [AtomicU64::new(0), AtomicU64::new(0)]));
        shared.0.settle(5);
        let other = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (owners, words) = &*shared;
                let mut back = Vec::new();
                let batch = Batch {
                    head: 4096 as *mut u8,
                    count: 3,
                };
                if !owners.put(5, Depot::new(words, 1, 2), batch, |batch| back.push(batch.count)) {
                    back.push(batch.count);
                }
                back
            })
        };
        let (owners, words) = &*shared;
        owners.desert(5);
        let mut found: Vec<u32> = core::iter::from_fn(|| Depot::new(words, 1, 2).take(Home::ANY))
            .map(|batch| batch.count)
            .collect();
        found.extend(other.join().unwrap());
        assert!(
            Depot::new(words, 1, 2).take(Home::ANY).is_none(),
            "a batch waits for nobody"
        );
        assert_eq!(found, [3], "it is given back once");
    });
}
