//! The page of the demo in a terminal: it appears, goes on, and gives the terminal back however it ends.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::{netns, support};

/// A terminal, with the command under test in it.
pub(crate) struct Terminal {
    keyboard: File,
    /// The end that the command has; kept open, so that its settings can be read when that is gone.
    tty: OwnedFd,
    before: Termios,
    parser: Arc<Mutex<vt100::Parser>>,
    child: Child,
}

/// Returns the settings that matter, to compare.
fn settings(termios: &Termios) -> String {
    let Termios { input_modes, output_modes, control_modes, local_modes, special_codes, .. } =
        termios;
    format!("{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?} {special_codes:?}")
}

impl Terminal {
    /// Opens one of this size and starts the command in it, which it controls.
    pub(crate) fn start((width, height): (u16, u16), prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_sockscope"), (width, height), prepare)
    }

    fn start_program(
        program: &str,
        (width, height): (u16, u16),
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let tty = ioctl_tiocgptpeer(&keyboard, flags).unwrap();
        let keyboard = File::from(keyboard);
        tcsetwinsize(&keyboard, size(width, height)).unwrap();
        let before = tcgetattr(&tty).unwrap();
        // setsid(1) makes it the session's terminal, and then becomes the command.
        let mut command = Command::new("setsid");
        command.args(["--ctty", program]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        prepare(&mut command);
        let [stdin, stdout, stderr] = [(); 3].map(|()| tty.try_clone().unwrap());
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        drop(command);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(height), cells(width), 0)));
        let (mut screen, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&parser));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { keyboard, tty, before, parser, child }
    }

    pub(crate) fn text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !self.text().contains(words) {
            let status = self.child.try_wait().unwrap();
            assert!(status.is_none(), "'{words}' never came, and it ended:\n{}", self.text());
            let now = std::time::Instant::now();
            assert!(now < deadline, "'{words}' is not on the screen:\n{}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Goes to this step of a lesson, in the page or in plain text.
    pub(crate) fn step(&mut self, number: usize) {
        for step in 1..=number {
            self.wait_for(&format!("step {step} of"));
            if step < number {
                self.press("\r");
            }
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        support::wait_until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Returns whether the terminal has the settings that it had.
    pub(crate) fn is_cooked(&self) -> bool {
        settings(&tcgetattr(&self.tty).unwrap()) == settings(&self.before)
    }

    /// Returns whether the command's picture is gone, and the cursor back.
    pub(crate) fn is_left(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
    }

    /// Checks that the terminal is as it was.
    #[track_caller]
    fn assert_given_back(&self) {
        assert!(self.is_cooked(), "{:?}", tcgetattr(&self.tty));
        support::wait_until(|| self.is_left());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

#[test]
fn the_page_leads_through_the_first_lesson_and_gives_the_terminal_back() {
    let mut terminal = Terminal::start((100, 30), |command| {
        command.arg("demo");
    });
    terminal.wait_for("Enter play");
    terminal.wait_for("tcp");
    terminal.press("\r");
    terminal.step(4);
    terminal.wait_for("SYN+ACK");
    terminal.wait_for("ESTABLISHED");
    terminal.press("l");
    terminal.wait_for("lsof -nP -iTCP:");
    terminal.press("l");
    for step in 5..=13 {
        terminal.press(" ");
        terminal.wait_for(&format!("step {step} of 13"));
    }
    terminal.wait_for("press space for the menu");
    terminal.press(" ");
    terminal.wait_for("1 of ");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
    terminal.assert_given_back();
}

#[test]
fn it_works_as_nobody_too() {
    if !netns::is_root() {
        return support::skip("needs root to become nobody");
    }
    let mut terminal = Terminal::start((80, 24), |command| {
        command.args(["demo", "halfclose"]);
        assert!(netns::as_nobody(command));
    });
    terminal.step(2);
    terminal.wait_for("FIN_WAIT2");
    terminal.press("\x03");
    assert_eq!(terminal.wait().code(), Some(0), "Ctrl-C");
    terminal.assert_given_back();
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let mut terminal = Terminal::start((80, 24), |command| {
        command.args(["demo", "tcp"]);
    });
    terminal.step(1);
    let resize = |terminal: &Terminal, columns, rows| {
        terminal.parser.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&terminal.keyboard, size(columns, rows)).unwrap();
    };
    resize(&terminal, 50, 10);
    terminal.wait_for("The demo needs 60 × 16");
    resize(&terminal, 120, 40);
    terminal.wait_for("──listen──▶");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
    terminal.assert_given_back();
}

#[test]
fn running_free_it_ends_by_itself() {
    let mut terminal = Terminal::start((80, 24), |command| {
        command.args(["demo", "abort", "--auto", "--pause", "10ms"]);
    });
    assert_eq!(terminal.wait().code(), Some(0));
    terminal.assert_given_back();
}

#[test]
fn asked_for_plain_text_or_in_a_pipe_it_is_no_page() {
    for arguments in [["demo", "abort", "--script"], ["demo", "abort", "--json"]] {
        let mut terminal = Terminal::start((80, 24), |command| {
            command.args(arguments);
        });
        assert_eq!(terminal.wait().code(), Some(0));
        assert!(!terminal.text().contains("space next"));
        terminal.assert_given_back();
    }
    let mut terminal = Terminal::start((80, 24), |command| {
        command.args(["demo", "abort"]).env("TERM", "dumb");
    });
    terminal.wait_for("[Enter] next step");
    terminal.press("q\n");
    assert_eq!(terminal.wait().code(), Some(0));
}

#[test]
fn it_ends_with_the_shell_that_was_killed_above_it() {
    let demo = format!("{} demo inherit; true", env!("CARGO_BIN_EXE_sockscope"));
    let mut terminal = Terminal::start_program("sh", (160, 50), |command| {
        command.args(["-c", &demo]);
    });
    terminal.step(2);
    let text = terminal.text();
    let (_, rest) = text.split_once("= process ").unwrap();
    let child: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let status = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/status"));
    let lines = status(&child).unwrap();
    let parent = lines.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    assert_ne!(parent, terminal.child.id().to_string(), "the shell has a child of its own");
    kill_process(terminal.pid(), Signal::KILL).unwrap();
    terminal.wait();
    for pid in [parent, &child] {
        support::wait_until(|| !status(pid).is_ok_and(|status| !status.contains("State:\tZ")));
    }
}

/// The body of the next test, in a process of its own, in a terminal.
const PANICS: &str = "SOCKSCOPE_TEST_PANIC_IN_SCREEN";

#[test]
fn a_panic_gives_the_terminal_back_before_it_says_anything() {
    if std::env::var_os(PANICS).is_some() {
        let mut stdout = std::io::stdout();
        let mut screen = sockscope::cli::screen::Screen::open(&mut stdout).unwrap();
        screen.draw(|_, _| {}).unwrap();
        panic!("as a test of the terminal");
    }
    let program = std::env::current_exe().unwrap();
    let name = "demo_terminal::a_panic_gives_the_terminal_back_before_it_says_anything";
    let mut terminal = Terminal::start_program(program.to_str().unwrap(), (100, 30), |command| {
        command.args(["--exact", name, "--nocapture"]).env(PANICS, "1");
    });
    terminal.wait();
    terminal.assert_given_back();
    terminal.wait_for_the_end("as a test of the terminal");
}

impl Terminal {
    /// Waits until this is on the screen of a command that has ended.
    fn wait_for_the_end(&self, words: &str) {
        support::wait_until(|| self.text().contains(words));
    }
}
