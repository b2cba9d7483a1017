//! What the language's declaration gives besides a parser: a JSON schema for editors, and the reference.

mod json;
mod markdown;

pub use json::json_schema;
pub use markdown::reference_markdown;
