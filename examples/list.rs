//! Lists every listening TCP socket with its owners, as `sockscope list 'tcp and listen'` does.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use sockscope::join::join;
use sockscope::platform::{Request, native};
use sockscope::state::TcpState;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let snapshot = join(native().collect(&Request::default())?);
    for entry in
        snapshot.entries.iter().filter(|entry| entry.socket.state == Some(TcpState::Listen))
    {
        let local = entry.socket.local.as_ref().map(ToString::to_string).unwrap_or_default();
        // An owner that may not be seen is said to be hidden, not left out.
        let pids: Vec<_> =
            entry.ownership.owners().iter().map(|owner| owner.process.pid.to_string()).collect();
        println!("{local} {} {}", entry.ownership.name(), pids.join(","));
    }
    for gap in snapshot.gaps() {
        eprintln!("could not read {}: {}", gap.what, gap.why);
    }
    Ok(())
}
