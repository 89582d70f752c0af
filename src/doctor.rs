//! What this system lets sockscope see: what was found of it, and what a listing lacks.

use serde::Serialize;

use crate::snapshot::Gap;

/// Something found of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Fact {
    /// What it is about, in a word.
    pub about: &'static str,
    /// Whether it lets sockscope see or do something; null where that is not the question.
    pub permits: Option<bool>,
    /// What was found.
    pub found: String,
}

impl Fact {
    /// Returns a fact that permits or refuses.
    pub fn new(about: &'static str, permits: bool, found: impl Into<String>) -> Self {
        Self { about, permits: Some(permits), found: found.into() }
    }

    /// Returns a fact that is no question of permission.
    pub fn plain(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, permits: None, found: found.into() }
    }
}

/// What was found, and what a listing of everything lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The system's name.
    pub platform: String,
    /// What was found of it.
    pub facts: Vec<Fact>,
    /// What the listing lacks, each with what would cure it where that is known.
    pub missing: Vec<Gap>,
}

impl Report {
    /// Returns the report of these facts, and of what is missing, each thing once.
    pub fn new(
        platform: impl Into<String>,
        facts: Vec<Fact>,
        gaps: impl IntoIterator<Item = Gap>,
    ) -> Self {
        let mut missing = Vec::new();
        for gap in gaps {
            if !missing.contains(&gap) {
                missing.push(gap);
            }
        }
        Self { platform: platform.into(), facts, missing }
    }

    /// Returns whether nothing is missing.
    pub const fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}
