//! Rows begin with the process, and threads find them.

use super::empty::{empty_here, first_of, mend};
use super::{block, shift};
use crate::heap::draw;
use crate::os::rseq::{self, Area};
use crate::os::{self, Access, PAGE};
use crate::policy::{ClassId, Owner};
use crate::statics::{CpuBlock, Meta, Shared, ThreadBlock};
use crate::variant::{Room, Variant};

/// Bytes of the table of so many rows.
fn table_bytes<V: Variant>(count: u32) -> usize {
    ((count as usize) << shift::<V>()).next_multiple_of(PAGE)
}

/// To be called as the process starts: finds out whether there can be rows of processors, and maps them. They take memory when
/// they are used.
pub fn begin<V: Variant>() {
    let Some(area) = rseq::area() else { return };
    let bytes = table_bytes::<V>(area.numbers);
    let table = draw::map(&V::POLICY, bytes, PAGE, Access::Uncounted);
    if table.is_null() {
        return;
    }
    // SAFETY: the range was just mapped.
    unsafe { os::name(table, bytes, c"hz3 processors") };
    rseq::prepare_restart();
    V::shared().rows().set(table, area.numbers, area.cs, area.number);
}

/// In the child of a fork. What other threads had taken at that moment is lost: a list each, at most.
///
/// # Safety
/// The calling thread is the only one.
pub unsafe fn child<V: Variant>() {
    // SAFETY: as the caller says.
    unsafe { mend::<V>() }
}

/// The object is unloaded: unmaps the rows, which are empty.
///
/// # Safety
/// No other thread is in the variant's code, nor comes back to it.
pub unsafe fn end<V: Variant>() {
    // SAFETY: as the caller says; the block is this thread's.
    unsafe {
        CpuBlock::detach(block::<V>(), V::trap().cast());
        if let Some((table, count)) = V::shared().rows().forget() {
            os::unmap(table, table_bytes::<V>(count));
        }
    }
}

/// A row of the thread's own, where there are none of processors.
pub struct Own;

impl Room for Own {
    fn bytes<V: Variant>() -> usize {
        match V::shared().rows().table() {
            Some(_) => 0,
            None => 1 << shift::<V>(),
        }
    }

    unsafe fn attach<V: Variant>(block: *mut V::Thread, body: *mut u8) {
        if Self::bytes::<V>() > 0 {
            // SAFETY: the caller's block and mapping, which begins with the row.
            unsafe { CpuBlock::attach_own(V::Thread::cpu(block), body) }
        }
    }

    unsafe fn settle<V: Variant>(block: *mut V::Thread, _: Owner<V>) {
        let rows = V::shared().rows();
        let Some((table, numbers)) = rows.table() else { return };
        let (cs, number) = rows.places();
        let area = Area { cs, number, numbers };
        // SAFETY: the area is what the process has; the block is this thread's. A thread that the C library has not registered has no
        // slots.
        unsafe {
            if rseq::is_registered(&area) {
                CpuBlock::attach(
                    V::Thread::cpu(block),
                    rseq::at(cs).cast(),
                    rseq::at(number).cast(),
                    table,
                );
            }
        }
    }

    unsafe fn flush<V: Variant>() {
        if Self::bytes::<V>() > 0 {
            // SAFETY: this thread is running.
            unsafe { empty_here::<V>() };
        }
    }

    unsafe fn forsake<V: Variant>() {}

    unsafe fn leave<V: Variant>(block: *mut V::Thread) {
        if Self::bytes::<V>() > 0 {
            // SAFETY: the caller's block; its row is empty.
            unsafe { CpuBlock::detach(V::Thread::cpu(block), V::trap().cast()) }
        }
    }

    unsafe fn take_back<V: Variant>(meta: *const Meta, give: impl Fn(Owner<V>, ClassId<V>, *mut u8)) {
        if Self::bytes::<V>() == 0 {
            return;
        }
        // SAFETY: the body is the row of a thread that is gone, and nobody else knows it.
        unsafe {
            for id in ClassId::all() {
                give(Owner::FIRST, id, first_of::<V>((*meta).body, id));
            }
        }
    }
}
