//! The bundled echo server and client, on tokio.
