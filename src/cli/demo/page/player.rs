//! The thread that performs: it has the sockets, and does one thing after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::demo::rows::Seen;
use crate::demo::{Lesson, Performance, Performed, lessons};
use crate::platform;
use crate::platform::clock::timed;

/// What it is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Find out what each lesson lacks here.
    Check,
    /// Begin a lesson; the one before is over.
    Open(&'static Lesson),
    /// Perform the next step.
    Next,
    /// Look at the rows.
    Look,
    /// End the lesson.
    Close,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Report {
    /// What each lesson lacks here.
    Checked(Vec<Option<String>>),
    /// The step, as it went.
    Performed(Box<Performed>),
    /// The rows, and how long it took to look.
    Seen(Seen, Duration),
    /// It could not be done.
    Failed(anyhow::Error),
}

/// The thread, from outside.
#[derive(Debug)]
pub(super) struct Player {
    orders: Option<Sender<(usize, Order)>>,
    /// Rises when what was ordered before is wanted no more.
    age: Arc<AtomicUsize>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Player {
    /// Starts it. What it reports goes to `send`, with the age of the order; that returns false when nobody
    /// listens any more.
    pub(super) fn start(send: impl Fn(usize, Report) -> bool + Send + 'static) -> Self {
        let (orders, received) = mpsc::channel();
        let (alive, ended) = mpsc::channel();
        let age = Arc::new(AtomicUsize::new(0));
        let own = Arc::clone(&age);
        thread::spawn(move || {
            let _alive: Sender<()> = alive;
            play(&received, &own, &send);
        });
        Self { orders: Some(orders), age, ended }
    }

    /// Orders something; all is done in order.
    pub(super) fn order(&self, order: Order) {
        let age = self.age.load(Ordering::SeqCst);
        if let Some(orders) = &self.orders {
            // When the thread has fallen, its message stands on the terminal, and its last report is that
            // nobody sends any more.
            let _fallen = orders.send((age, order));
        }
    }

    /// Returns whether a report is of what was ordered since the last [`Player::forget`]. What the lessons
    /// lack is always of interest.
    pub(super) fn wants(&self, age: usize, report: &Report) -> bool {
        age == self.age.load(Ordering::SeqCst) || matches!(report, Report::Checked(_))
    }

    /// Forgets what was ordered before: it is not done any more, and no report of it is wanted.
    pub(super) fn forget(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the lesson, and waits so long for its sockets to be closed. What takes longer ends with the
    /// process.
    pub(super) fn end(&mut self, patience: Duration) {
        self.forget();
        self.orders = None;
        // Nothing is ever sent there: it is the thread's end that is waited for.
        let _ended = self.ended.recv_timeout(patience);
    }
}

/// Does what is ordered until nobody can order any more.
fn play(
    orders: &Receiver<(usize, Order)>,
    age: &AtomicUsize,
    send: &impl Fn(usize, Report) -> bool,
) {
    let mut performance: Option<Performance> = None;
    for (ordered, order) in orders {
        if ordered != age.load(Ordering::SeqCst) && !matches!(order, Order::Check) {
            continue;
        }
        let report = match order {
            Order::Check => {
                let missing = lessons::ALL.iter().map(|lesson| lesson.missing());
                Some(Report::Checked(missing.collect()))
            }
            Order::Open(lesson) => {
                // First the old one's sockets are closed.
                drop(performance.take());
                performance = Some(Performance::new(lesson, platform::native()));
                None
            }
            Order::Close => {
                performance = None;
                None
            }
            Order::Next => performance.as_mut().and_then(|it| match it.next_step() {
                Ok(step) => step.map(|step| Report::Performed(Box::new(step))),
                Err(error) => Some(Report::Failed(error.into())),
            }),
            Order::Look => performance.as_mut().map(|it| match timed(|| it.look()) {
                (Ok(seen), took) => Report::Seen(seen, took),
                (Err(error), _) => Report::Failed(error.into()),
            }),
        };
        if let Some(report) = report
            && !send(ordered, report)
        {
            break;
        }
    }
}
