//! The answer of `sockscope pick --json`: the JSON `sockscope.pick/1` of docs/json.md.

use std::io::Write;
use std::net::IpAddr;

use serde::Serialize;

use crate::cli::pick::PickArgs;
use crate::render::json::schema_of;
use crate::socket::Protocol;

/// The name and version of the schema.
const SCHEMA: &str = "sockscope.pick/1";

/// Ports that are free.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Pick<'a> {
    /// The name and version of this schema: `sockscope.pick/1`.
    schema: &'static str,
    /// The protocols that they are free for.
    protocols: Vec<Protocol>,
    /// The address that they are free at; null for all.
    address: Option<IpAddr>,
    /// The ports, in the order in which they were picked.
    ports: &'a [u16],
}

/// Writes the ports in one line.
pub(super) fn write(ports: &[u16], args: &PickArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let pick = Pick { schema: SCHEMA, protocols: args.protocols(), address: args.address, ports };
    writeln!(out, "{}", serde_json::to_string(&pick)?)?;
    Ok(())
}

/// Returns its JSON Schema.
pub(in crate::cli) fn schema() -> String {
    schema_of::<Pick<'_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::conformance;

    #[test]
    fn the_committed_schema_is_current_and_documented() {
        conformance::assert_committed("pick.schema.json", &schema());
        conformance::assert_documented(&schema());
    }

    #[test]
    fn the_json_is_as_its_schema_says() {
        for address in [None, Some(IpAddr::from([127, 0, 0, 1]))] {
            let protocols = vec![Protocol::Tcp, Protocol::Udp];
            let pick = Pick { schema: SCHEMA, protocols, address, ports: &[1, 65535] };
            let document = serde_json::to_value(&pick).unwrap();
            assert_eq!(conformance::fault_of(&document, &schema()), None);
        }
    }
}
