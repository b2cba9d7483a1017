//! What a thread keeps for other owners.

use super::Variant;
use crate::policy::{ClassId, Owner};
use crate::statics::Meta;

/// What a thread keeps for other owners, in a mapping of its own outside of its block. The types that answer stand in
/// `event::remote`, one for each mode of ownership.
///
/// In the order of a thread's life: its mapping is [attached](Room::attach), it [settles](Room::settle) as one of an owner's
/// threads, it [flushes](Room::flush) and [forsakes](Room::forsake) at events, and it [leaves](Room::leave) before the
/// mapping goes.
pub trait Room: 'static {
    /// Bytes of the mapping; 0 where a thread keeps nothing for others.
    fn bytes<V: Variant>() -> usize;

    /// The thread has its mapping.
    ///
    /// # Safety
    /// `block` is this thread's; `body` is a mapping of [`bytes`](Room::bytes) that holds zeroes, and the thread's alone until
    /// it has left.
    unsafe fn attach<V: Variant>(block: *mut V::Thread, body: *mut u8);

    /// The thread is one of this owner's from now on.
    ///
    /// # Safety
    /// `block` is this thread's, and has its mapping.
    unsafe fn settle<V: Variant>(block: *mut V::Thread, owner: Owner<V>);

    /// Gives away all that this thread keeps for other owners.
    ///
    /// # Safety
    /// This thread is running.
    unsafe fn flush<V: Variant>();

    /// Gives away what this thread keeps for owners that have no threads, at least.
    ///
    /// # Safety
    /// This thread is running.
    unsafe fn forsake<V: Variant>();

    /// The thread's mapping goes.
    ///
    /// # Safety
    /// `block` is this thread's, has been flushed, and is not running any more.
    unsafe fn leave<V: Variant>(block: *mut V::Thread);

    /// Takes back what a thread kept that does not exist any more, and that may have been interrupted at any instruction:
    /// `give` is called with each list, its owner and its class. It looks at every object of the list.
    ///
    /// # Safety
    /// `meta` is that thread's; what it leads to is as that thread left it, and nobody else knows it.
    unsafe fn take_back<V: Variant>(meta: *const Meta, give: impl Fn(Owner<V>, ClassId<V>, *mut u8));
}
