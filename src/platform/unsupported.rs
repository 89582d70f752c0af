//! The backend of systems that have none yet: it says so, and keeps everything else compiling there,
//! recordings from other machines included.

use super::{Backend, Request};
use crate::error::CollectError;
use crate::snapshot::Collected;

/// A backend that can collect nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsupported;

impl Backend for Unsupported {
    fn collect(&mut self, _request: &Request) -> Result<Collected, CollectError> {
        Err(CollectError::Unsupported { platform: std::env::consts::OS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_system_and_the_way_out() {
        let error = Unsupported.collect(&Request::default()).unwrap_err();
        assert!(error.to_string().ends_with(std::env::consts::OS), "{error}");
        assert!(error.hint().unwrap().contains("--replay"));
    }
}
