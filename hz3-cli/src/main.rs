//! The `hz3` command.
fn main() {}
