//! The terminal as a whole screen: taken over, drawn to, and given back however the program ends.
//!
//! It is given back when a [`Screen`] is dropped, and by the hook of panics before their message is
//! printed. SIGINT, SIGTERM and SIGHUP arrive as [`Input::Stop`], so that they end the program in the
//! same way as its user does. After SIGKILL a process of ours gives it back that outlives us for that:
//! [`Keeper`].

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::layout::Rect;
use tokio::runtime::Builder;

use crate::cli::Exit;
use crate::cli::runtime::Interrupts;
use crate::platform::terminal::{self, Keeper};

/// Whether the terminal is taken over now.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Who gives it back if we are killed; nobody where that cannot be.
static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

/// What the user or the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// The program is to end.
    Stop,
}

/// The terminal, taken over.
#[expect(missing_debug_implementations, reason = "the stream has no text of its own")]
pub struct Screen<'a> {
    backend: CrosstermBackend<&'a mut dyn Write>,
    /// What is on the terminal now.
    shown: Buffer,
}

impl<'a> Screen<'a> {
    /// Takes the terminal over.
    ///
    /// # Errors
    ///
    /// When stdin or stdout is none.
    pub fn open(out: &'a mut dyn Write) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        let (width, height) = size()?;
        set_keeper(Keeper::start().ok());
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        // From here on dropping it gives the terminal back.
        let shown = Buffer::empty(Rect::new(0, 0, width, height));
        let mut screen = Self { backend: CrosstermBackend::new(out), shown };
        execute!(screen.backend, EnterAlternateScreen, Hide)?;
        screen.backend.clear()?;
        Ok(screen)
    }

    /// Takes over a new size.
    ///
    /// # Errors
    ///
    /// When the terminal is gone. So with [`Screen::draw`].
    pub fn resize(&mut self, width: u16, height: u16) -> io::Result<()> {
        self.shown = Buffer::empty(Rect::new(0, 0, width, height));
        self.backend.clear()
    }

    /// Draws: only what differs from what is there is written.
    pub fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        if !IS_TAKEN.load(Ordering::SeqCst) {
            return Ok(()); // some thread has fallen, and its message stands there now
        }
        let area = self.shown.area;
        let mut next = Buffer::empty(area);
        paint(area, &mut next);
        // Also without a difference something is written: so it is noticed when the terminal is gone.
        self.backend.hide_cursor()?;
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        self.shown = next;
        Write::flush(&mut self.backend)
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _left = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _cooked = disable_raw_mode();
        set_keeper(None);
    }
}

fn set_keeper(keeper: Option<Keeper>) {
    *KEEPER.lock().unwrap_or_else(PoisonError::into_inner) = keeper;
}

/// Returns whether these are the arguments of the process that gives the terminal back if we are killed.
pub(super) fn keeper_asked(args: impl IntoIterator<Item = OsString>) -> bool {
    args.into_iter().nth(1).is_some_and(|word| word == Keeper::COMMAND)
}

/// Is that process. It has nobody to tell what went wrong.
pub(super) fn keep() -> Exit {
    let mut farewell = Vec::new();
    let kept =
        execute!(farewell, LeaveAlternateScreen, Show).and_then(|()| terminal::keep(&farewell));
    if kept.is_ok() { Exit::Found } else { Exit::Trouble }
}

/// Sends what is typed and the signals to `send` from threads of their own, until that says to stop, by
/// returning false. The signals are caught when this returns.
///
/// # Errors
///
/// When signals cannot be caught.
pub fn listen(send: impl Fn(Input) -> bool + Clone + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut interrupts = {
        let _entered = runtime.enter();
        Interrupts::listen()?
    };
    let to_stop = send.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                interrupts.next().await;
                if !to_stop(Input::Stop) {
                    break;
                }
            }
        });
    });
    thread::spawn(move || {
        loop {
            let input = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
                Ok(Event::Resize(width, height)) => Input::Resize(width, height),
                Ok(_) => continue,
                Err(_) => Input::Stop,
            };
            if !send(input) || input == Input::Stop {
                break;
            }
        }
    });
    Ok(())
}
