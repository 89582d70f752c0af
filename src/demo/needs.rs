//! What a lesson needs that not every system has. A lesson that cannot be shown says so.

use std::fmt;

use crate::platform::props;

/// Something a lesson needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Linux: the lesson shows what its kernel does, and others do otherwise.
    Linux,
}

impl Need {
    /// Returns what is missing here, as a fragment; `None` when nothing is.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Linux => (props::SYSTEM != "linux")
                .then(|| format!("it shows what Linux does, and this is {}", props::SYSTEM)),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux => "Linux",
        })
    }
}
