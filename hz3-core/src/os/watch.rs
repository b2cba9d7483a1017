//! In models, somebody is told which pages are given to the kernel.

use core::cell::RefCell;
use std::boxed::Box;

type Told = Box<dyn Fn(usize, usize)>;

std::thread_local! {
    static TOLD: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// `told` is called with the address and the bytes of what is [purged](super::purge), until this is called again.
pub fn purges(told: Option<Told>) {
    TOLD.set(told);
}

pub(super) fn purged(p: *const u8, bytes: usize) {
    TOLD.with_borrow(|told| {
        if let Some(told) = told {
            told(p as usize, bytes);
        }
    });
}
