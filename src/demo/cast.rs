//! Who plays in a lesson: the programs, and the sockets by the names that the lesson gives them.

use std::fmt;

use serde::Serialize;

/// The program that makes a call. All play in this one process, but for the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// Who listens.
    Server,
    /// Who connects.
    Client,
    /// A process of its own, which the server starts.
    Child,
}

impl Program {
    /// All of them, as they stand in a sequence diagram: the client left, as everywhere.
    pub const IN_ORDER: [Self; 3] = [Self::Client, Self::Server, Self::Child];
}

/// A socket's part in a lesson: its name, and the program whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Role {
    /// What the lesson calls the socket.
    pub name: &'static str,
    /// Whose socket it is.
    pub program: Program,
}

/// The listener of most lessons.
pub const LISTENER: Role = Role::server("listener");
/// The server's end of a lesson's one connection.
pub const SERVER: Role = Role::server("server");
/// The client's end of it.
pub const CLIENT: Role = Role::client("client");

/// The server's child, as a whole.
pub const CHILD: Role = Role::child("child");

impl Role {
    /// Returns a socket of the server.
    pub const fn server(name: &'static str) -> Self {
        Self { name, program: Program::Server }
    }

    /// Returns a socket of the client.
    pub const fn client(name: &'static str) -> Self {
        Self { name, program: Program::Client }
    }

    /// Returns a socket of the child.
    pub const fn child(name: &'static str) -> Self {
        Self { name, program: Program::Child }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}
