//! Who handles the process's faults, in variants that tell of some.

use crate::os::fault;
use crate::sync::AtomicU32;

/// The handler of faults: whether it is there, and who was it before.
pub struct Watch {
    /// Whether faults are told.
    pub caught: AtomicU32,
    /// Who handled them before.
    pub before: fault::Before,
}

impl Watch {
    /// Nobody watches yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Watch {
            caught: AtomicU32::new(0),
            before: fault::Before::new(),
        }
    }
}
