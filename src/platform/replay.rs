//! A backend that returns a recording, and the making of recordings.
