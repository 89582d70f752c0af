//! One run of a program: its time, its memory, and what it printed.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// At its most, in KiB.
    pub(crate) memory: u64,
}

/// Runs a program in a process that has no other child, so that the kernel's sums are this one's.
pub(crate) fn run(words: &[String]) -> Cost {
    let output = Command::new("/proc/self/exe").arg("--cost").args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [wall, cpu, memory] = numbers[..] else {
        panic!("{words:?}: {text} {}", String::from_utf8_lossy(&output.stderr))
    };
    Cost { wall: Duration::from_nanos(wall), cpu: Duration::from_micros(cpu), memory }
}

/// The other half: starts the program, reads what it prints, and says what that cost.
pub(crate) fn cost(words: &[String]) {
    let (program, arguments) = words.split_first().unwrap();
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    while output.read(&mut buffer).unwrap() > 0 {}
    child.wait().unwrap();
    let wall = began.elapsed();
    let usage = children();
    let micros =
        |time: libc::timeval| u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap();
    let cpu = micros(usage.ru_utime) + micros(usage.ru_stime);
    println!("{} {cpu} {}", wall.as_nanos(), usage.ru_maxrss);
}

/// What all children that ended have used.
#[expect(unsafe_code, reason = "getrusage(2) has no safe form in the libraries here")]
fn children() -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::zeroed();
    // SAFETY: the call fills the structure that it is given.
    let answer = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    assert_eq!(answer, 0);
    // SAFETY: all of it is numbers, zero where the kernel wrote none.
    unsafe { usage.assume_init() }
}
