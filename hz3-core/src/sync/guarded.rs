//! What only the holder of a lock may touch.

#[cfg(not(loom))]
use core::cell::UnsafeCell;
#[cfg(loom)]
use loom::cell::UnsafeCell;

/// Something that a lock guards. In a model two accesses that nothing orders are an error.
#[repr(transparent)]
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: it is only reached by `with`, whose callers hold the lock.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// Guarded from now on.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Guarded(UnsafeCell::new(value))
    }

    /// As above, for loom.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Guarded(UnsafeCell::new(value))
    }

    /// Runs `f` with it.
    ///
    /// # Safety
    /// The caller holds the lock, or knows that no other thread does anything with it. `f` does not come back here.
    #[inline]
    pub unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller is alone here.
        #[cfg(not(loom))]
        return f(unsafe { &mut *self.0.get() });
        // SAFETY: as above.
        #[cfg(loom)]
        return self.0.with_mut(|value| f(unsafe { &mut *value }));
    }
}
