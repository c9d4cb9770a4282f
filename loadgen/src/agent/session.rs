//! One coordinator at an agent, from its first order to the end of its connection. Then all that it started is stopped.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::assignment::Assignment;
use crate::agent::frame::{self, FRAME_BYTES_MAX};
use crate::agent::link::SILENCE_TIMEOUT;
use crate::agent::message::{BrokerProcess, Order, Report};
use crate::agent::meter::Meter;
use crate::agent::work::Work;
use crate::clock::{Clock, monotonic_ns};
use crate::timeline::{SECOND_NS, Timeline};

/// How often a session looks at its clients while no order comes.
const LOOK: Duration = Duration::from_millis(10);

/// How often the use of the machine is told.
const USAGE_PAUSE: Duration = Duration::from_millis(500);

/// Orders that wait; behind that the coordinator waits.
const ORDERS_MAX: usize = 64;

/// No run takes a hundred days; a timeline beyond is none.
const TIMELINE_NS_MAX: u64 = 100 * 24 * 3_600 * SECOND_NS;

/// Works for the coordinator at `stream` until it goes; why it went. `ahead_ns` is this agent's own cell for the offset of its clock.
pub fn serve(stream: &TcpStream, ahead_ns: &'static AtomicI64, broker: Option<&BrokerProcess>) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_TIMEOUT))?;
    stream.set_write_timeout(Some(SILENCE_TIMEOUT))?;
    let writer = Mutex::new(stream.try_clone()?);
    let (orders, waiting) = sync_channel(ORDERS_MAX);
    thread::scope(|scope| {
        let writer = &writer;
        // The sender goes with the reader: its end is the end of orders.
        let reader = scope.spawn(move || read_orders(stream, writer, &orders));
        let mut session = Session { writer, ahead_ns, work: None, meter: Meter::new(broker) };
        let outcome = session.obey(&waiting);
        drop(session);
        // The reader ends; the coordinator hears of it when the connection is dropped, and then this agent is free.
        drop(waiting);
        let _ = stream.shutdown(std::net::Shutdown::Read);
        let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")));
        // What ended the reader explains what ended the session, unless the session went first.
        match outcome {
            Ok(Farewell::Said) => Ok(()),
            Ok(Farewell::Gone) => read,
            Err(error) => Err(error),
        }
    })
}

enum Farewell {
    Said,
    Gone,
}

struct Session<'s> {
    writer: &'s Mutex<TcpStream>,
    ahead_ns: &'static AtomicI64,
    work: Option<Work>,
    meter: Meter,
}

impl Session<'_> {
    fn obey(&mut self, orders: &Receiver<Order>) -> io::Result<Farewell> {
        let mut next_usage = Instant::now();
        let mut reports = Vec::new();
        loop {
            if Instant::now() >= next_usage {
                next_usage = Instant::now() + USAGE_PAUSE;
                reports.push(Report::Usage(self.meter.look()));
            }
            if let Some(work) = &mut self.work {
                work.look(&mut reports);
            }
            for report in reports.drain(..) {
                send(self.writer, &report)?;
            }
            match orders.recv_timeout(LOOK) {
                Ok(Order::Bye) => return Ok(Farewell::Said),
                Ok(order) => self.carry_out(order, &mut reports),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Farewell::Gone),
            }
        }
    }

    fn carry_out(&mut self, order: Order, reports: &mut Vec<Report>) {
        match (order, &mut self.work) {
            (Order::Connect(assignment), _) => match self.connect(*assignment) {
                Ok(()) => reports.push(Report::Connected),
                Err(what) => reports.push(Report::Failed(what)),
            },
            (Order::Correct { ahead_ns }, _) => self.ahead_ns.store(ahead_ns, Ordering::Relaxed),
            (Order::Start(timeline), Some(work)) => {
                let outcome = check(&timeline).map_err(Into::into);
                if let Err(what) = outcome.and_then(|()| work.start(timeline).map_err(|error| error.to_string())) {
                    reports.push(Report::Failed(what));
                }
            }
            (Order::Targets(targets), Some(work)) => work.set_targets(&targets),
            (Order::Quit(side), Some(work)) => work.quit(side),
            (Order::Finish, work) => match work.take() {
                Some(work) => work.finish(reports),
                None => reports.push(Report::Finished(None)),
            },
            // Probes are answered where they are read; the rest is for clients that are not there.
            _ => {}
        }
    }

    fn connect(&mut self, assignment: Assignment) -> Result<(), String> {
        // What is left of an earlier phase is told to stop by being dropped.
        self.work = None;
        assignment.check()?;
        let clock = Clock::following(assignment.clock_origin_ns, self.ahead_ns);
        self.work = Some(Work::connect(assignment, clock).map_err(|error| error.to_string())?);
        Ok(())
    }
}

/// Orders go to the session; probes are answered at once, since the time that takes is what they measure.
fn read_orders(mut stream: &TcpStream, writer: &Mutex<TcpStream>, orders: &SyncSender<Order>) -> io::Result<()> {
    loop {
        let frame = frame::read(&mut stream, FRAME_BYTES_MAX)?;
        let received_ns = monotonic_ns();
        match frame::decode(&frame)? {
            Order::Probe { sent_ns } => {
                let mut stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
                frame::write(&mut *stream, &Report::Pong { sent_ns, received_ns, answered_ns: monotonic_ns() })?;
            }
            order => {
                if orders.send(order).is_err() {
                    return Ok(());
                }
            }
        }
    }
}

fn send(writer: &Mutex<TcpStream>, report: &Report) -> io::Result<()> {
    frame::write(&mut *writer.lock().unwrap_or_else(PoisonError::into_inner), report)
}

fn check(timeline: &Timeline) -> Result<(), &'static str> {
    let ordered = timeline.start_ns <= timeline.measure_ns && timeline.measure_ns <= timeline.end_ns;
    if ordered && timeline.end_ns < i64::MAX as u64 && timeline.end_ns - timeline.start_ns <= TIMELINE_NS_MAX {
        return Ok(());
    }
    Err("the times of the phase are no timeline")
}
