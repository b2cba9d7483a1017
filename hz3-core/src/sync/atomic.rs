//! Atomics: core's, or loom's under `--cfg loom`.

#[cfg(not(loom))]
pub use core::sync::atomic::{
    AtomicI32, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence,
};
#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicI32, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// A function that is `const`, but under loom, whose atomics no constant can be made of.
macro_rules! const_but_in_models {
    ($(#[$attribute:meta])* $visible:vis fn $name:ident() -> $type:ty $body:block) => {
        #[cfg(not(loom))]
        $(#[$attribute])*
        #[allow(clippy::new_without_default)] // It exists to initialise a static.
        $visible const fn $name() -> $type $body

        #[cfg(loom)]
        $(#[$attribute])*
        #[allow(clippy::new_without_default, dead_code)] // Only models need it.
        $visible fn $name() -> $type $body
    };
}
pub(crate) use const_but_in_models;
