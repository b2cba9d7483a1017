//! A contender of a comparison: which library it was, and what its config says that it is for.

use hz3_config::plan::Goal;
use hz3_project::Kind;
use serde::{Deserialize, Serialize};

/// A contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// What tables call it.
    pub label: String,
    /// Its kind: variant, peer, file or glibc.
    pub kind: Kind,
    /// File name, without its folder.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Hash of its instructions.
    pub text: String,
    /// Hash of its constants.
    pub data: String,
    /// SHA-256 of the file that was measured.
    #[serde(default)]
    pub sha256: String,
    /// Version: of a variant the generator's, of any other library what it says of itself.
    pub version: String,
    /// Hash of the sources that it was built from (variants).
    #[serde(default)]
    pub sources: String,
    /// Hash of the config (variants).
    pub hash: String,
    /// Hash of what reaches the code (variants).
    pub code_hash: String,
    /// The resolved config (variants).
    pub config: String,
    /// What its config expects, when it was measured (variants).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// The beginnings of malloc and free, for people.
    #[serde(default)]
    pub hot: Vec<crate::disasm::HotPath>,
}

/// What a config says that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its hypothesis.
    pub hypothesis: Option<String>,
    /// What the hypothesis speaks of: one of the words of the key `goal`.
    pub goal: String,
}

impl Contender {
    /// What people call it: a variant by its name, any other by its label and version.
    pub fn title(&self) -> String {
        match (self.kind, self.version.as_str()) {
            (Kind::Variant, _) | (_, "") => self.label.clone(),
            (_, version) => format!("{} {version}", self.label),
        }
    }
}

impl Claim {
    /// The goal, if this hz3 knows it.
    pub fn goal(&self) -> Option<Goal> {
        Goal::of(&self.goal)
    }
}
