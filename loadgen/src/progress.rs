//! What people see while a run works, drawn from one-second snapshots only, so that watching costs the load nothing.
//!
//! On a terminal it is a view of a few lines that is redrawn in place; elsewhere it is a plain line now and then.

mod plain;
mod screen;
mod view;

use std::io::{IsTerminal, Stderr, Write, stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use screen::Screen;
use view::View;

/// Without a terminal a line is printed this often, and at every change of phase.
const PLAIN_LINE_EVERY_SECS: u64 = 5;

/// Where a run stands after a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Tag of the run: what was shown of another one is history.
    pub run: u32,
    /// Name of the phase: `warmup`, `measure`, `drain`.
    pub phase: &'static str,
    /// Whole seconds of this phase that have passed.
    pub elapsed_secs: u64,
    /// Planned length of this phase; 0 where it ends by itself.
    pub planned_secs: u64,
    /// What the last second achieved; absent in the drain.
    pub achieved: Option<Achieved>,
    /// Acknowledged records that no consumer has received yet; absent where nobody consumes.
    pub unread_records: Option<u64>,
    /// Failed records since the start.
    pub errors: u64,
    /// Records found duplicate, out of order or corrupt since the start; absent where nobody consumes.
    pub integrity_faults: Option<u64>,
    /// What the broker used in the last second; absent when its process is out of reach.
    pub broker: Option<ProcessUse>,
    /// What this program used in the last second.
    pub loadgen: Option<ProcessUse>,
}

/// What a second achieved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Achieved {
    /// What the schedule asked for; absent in a closed loop.
    pub offered_bytes_per_s: Option<f64>,
    /// Bytes acknowledged, or read where nothing is written.
    pub bytes_per_s: f64,
    /// Records.
    pub records_per_s: f64,
    /// Median response, if there were enough samples.
    pub response_p50_ns: Option<u64>,
    /// 99th percentile of the response, if there were enough samples.
    pub response_p99_ns: Option<u64>,
    /// Median from the intended send to the delivery, if there were enough samples.
    pub end_to_end_p50_ns: Option<u64>,
    /// 99th percentile of the same.
    pub end_to_end_p99_ns: Option<u64>,
}

/// What a process used in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Processor time over the time that passed.
    pub cpu_cores: f64,
    /// Resident memory.
    pub rss_bytes: u64,
}

/// The live view of one run or of several, or nothing at all.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    phase: &'static str,
}

#[derive(Debug)]
enum Output {
    Quiet,
    /// No terminal: whole lines, rarely.
    Plain,
    Live {
        live: Arc<Mutex<Live>>,
        /// Becomes true when the program goes on after Ctrl-Z: the shell has written where our lines were.
        continued: Arc<AtomicBool>,
    },
}

/// The view and the lines that it has on the screen.
#[derive(Debug)]
struct Live {
    view: View,
    screen: Screen<Stderr>,
}

impl Progress {
    /// A view on standard error, plain lines where that is no terminal, nothing when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
        let output = match quiet {
            true => Output::Quiet,
            false if is_dumb || !stderr().is_terminal() => Output::Plain,
            false => Output::live(),
        };
        Self { output, phase: "" }
    }

    /// Shows where the run stands. Called once a second.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let is_new_phase = self.phase != snapshot.phase;
        self.phase = snapshot.phase;
        match &self.output {
            Output::Quiet => {}
            Output::Plain => {
                if is_new_phase || snapshot.elapsed_secs.is_multiple_of(PLAIN_LINE_EVERY_SECS) {
                    self.say(&plain::line(snapshot));
                }
            }
            Output::Live { live, continued } => {
                let mut live = locked(live);
                if continued.swap(false, Ordering::Relaxed) {
                    live.screen.forget();
                }
                live.view.take(snapshot);
                live.draw();
            }
        }
    }

    /// What the runs to come are: `run 3 of 10, candidate`. A live view has it in its first line until it is set again.
    pub fn set_title(&mut self, title: &str) {
        self.phase = "";
        match &self.output {
            Output::Live { live, .. } => {
                let mut live = locked(live);
                live.view.set_title(title);
                live.draw();
            }
            _ => self.say(title),
        }
    }

    /// A line that stays, above the live ones. A closed standard error loses it and does not stop the run.
    pub fn say(&self, line: &str) {
        match &self.output {
            Output::Quiet => {}
            Output::Plain => drop(writeln!(stderr(), "{line}")),
            Output::Live { live, .. } => {
                let mut live = locked(live);
                live.screen.say(line, screen::size().0);
                live.draw();
            }
        }
    }

    /// Takes the view away, before the results are printed. Dropping it does the same.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Output::Live { live, .. } = &self.output {
            locked(live).screen.erase(screen::size().0);
        }
    }
}

impl Output {
    fn live() -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let live = Arc::new(Mutex::new(Live { view: View::new(colour), screen: Screen::new(stderr()) }));
        let continued = Arc::new(AtomicBool::new(false));
        // Without the handler the lines are drawn once more, which is no reason to stop.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone());
        make_room_for_panics(&live);
        Self::Live { live, continued }
    }
}

impl Live {
    fn draw(&mut self) {
        let (columns, rows) = screen::size();
        let drawn = self.view.draw(columns, rows);
        self.screen.draw(&drawn, columns);
    }
}

fn locked(live: &Mutex<Live>) -> MutexGuard<'_, Live> {
    // Drawing cannot leave a state that the next drawing does not mend.
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of a thread that panics is printed where the view is, and the next drawing would cover it.
fn make_room_for_panics(live: &Arc<Mutex<Live>>) {
    let live = Arc::downgrade(live);
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // A panic inside the drawing holds the lock itself.
        if let Some(live) = live.upgrade()
            && let Ok(mut live) = live.try_lock()
        {
            live.screen.erase(screen::size().0);
        }
        print(panic);
    }));
}
