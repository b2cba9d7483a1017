//! What programs see: the C interface, C++ operators, Rust's `GlobalAlloc`, and introspection. All of it is thin.

pub mod c;
pub mod calls;
pub mod cxx;
pub mod global;
pub mod introspect;
pub mod object;
pub mod profile;
mod wrapped;
