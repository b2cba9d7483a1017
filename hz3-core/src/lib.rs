//! Part of hz3.
