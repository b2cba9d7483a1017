//! What the language's declaration gives besides a parser: a JSON schema for editors, the reference, and the core's type of
//! what events read.

mod json;
mod markdown;
mod policy;

pub use json::json_schema;
pub use markdown::reference_markdown;
pub use policy::policy_rust;
