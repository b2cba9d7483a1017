//! What a variant tells of errors, for tests of programs that go on after them.
#![allow(dead_code)]

use hz3::core::{Shared, Variant};
use hz3::{Error, Fault};
use std::sync::{Mutex, MutexGuard};

static TOLD: Mutex<Vec<(Fault, usize)>> = Mutex::new(Vec::new());

/// To be set as the hook of a variant's errors.
pub extern "C" fn told(error: &Error) {
    all_told().push((error.fault, error.pointer as usize));
}

/// All that was told: faults, and pointers.
pub fn all_told() -> MutexGuard<'static, Vec<(Fault, usize)>> {
    TOLD.lock().unwrap_or_else(|e| e.into_inner())
}

/// What is told while `f` runs.
pub fn while_running<V: Variant>(f: impl FnOnce()) -> Vec<(Fault, usize)> {
    V::shared().errors().set_hook(Some(told));
    all_told().clear();
    f();
    V::shared().errors().set_hook(None);
    all_told().clone()
}
