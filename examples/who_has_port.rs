//! Says who has a local port: `cargo run --example who_has_port 8080`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use sockscope::filter::{Filter, NoNames};
use sockscope::join::join;
use sockscope::platform::{Request, native};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).ok_or("which port?")?;
    let filter = Filter::parse(&format!("sport {port}"), &NoNames)?;
    let mut request = Request::default();
    filter.narrow(&mut request);
    let snapshot = join(native().collect(&request)?);
    for entry in snapshot.entries.iter().filter(|entry| filter.matches(entry)) {
        for owner in entry.ownership.owners() {
            let command =
                owner.process.command.as_ref().map(ToString::to_string).unwrap_or_default();
            println!("{} {command}", owner.process.pid);
        }
    }
    Ok(())
}
