//! Many connections at once, each driven by a small thread or by none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

/// Enough for a thread that sends and receives.
const STACK_BYTES: usize = 128 << 10;

/// Runs `work` for each number at the same time, each on a thread of its own.
pub fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let work = &work;
                let builder = thread::Builder::new().stack_size(STACK_BYTES);
                builder.spawn_scoped(scope, move || work(number)).expect("a thread")
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// A connection that reads only as much as it is told.
pub struct SlowReader(TcpStream);

impl SlowReader {
    pub fn ask(address: SocketAddr, frame: &[u8]) -> SlowReader {
        let mut stream = TcpStream::connect(address).expect("the broker listens");
        stream.write_all(frame).expect("it is read");
        SlowReader(stream)
    }

    /// Takes up to so many bytes of what is there; false when the broker has closed.
    pub fn take(&mut self, bytes: usize) -> bool {
        self.0.set_nonblocking(true).expect("an option");
        match self.0.read(&mut vec![0; bytes]) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}
