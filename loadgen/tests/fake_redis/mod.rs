//! What a run asks of Redis: streams in memory, one thread a connection.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest word of a command.
const WORD_BYTES_MAX: usize = 2 << 20;

/// The values of each stream; an entry's id is its place, from 1.
type Streams = HashMap<Vec<u8>, Vec<Vec<u8>>>;

/// A listening broker. It ends with the test's process.
pub struct FakeRedis {
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    streams: Mutex<Streams>,
    /// The entry of each stream that is acknowledged and not kept.
    loses: Option<usize>,
    lost: Mutex<bool>,
}

impl FakeRedis {
    pub fn start(loses: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let shared = Arc::new(Shared { streams: Mutex::default(), loses, lost: Mutex::new(false) });
        let ours = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that hangs up is no failure of the broker.
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, shared: ours }
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        self.shared.lock().len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let words = read_command(&mut reader)?;
            let answer = self.answer(&words);
            let mut stream = stream;
            stream.write_all(&answer)?;
        }
    }

    fn answer(&self, words: &[Vec<u8>]) -> Vec<u8> {
        let number = |number: usize| format!(":{number}\r\n").into_bytes();
        match words[0].as_slice() {
            b"PING" => b"+PONG\r\n".to_vec(),
            b"INFO" => bulk(b"redis_version:7.0.0\r\n"),
            b"CONFIG" if words[2] == b"appendfsync" => [b"*2\r\n".to_vec(), bulk(&words[2]), bulk(b"always")].concat(),
            b"CONFIG" => b"*0\r\n".to_vec(),
            b"XLEN" => number(self.lock().get(&words[1]).map_or(0, Vec::len)),
            b"UNLINK" => {
                let mut streams = self.lock();
                number(words[1..].iter().filter(|&key| streams.remove(key).is_some()).count())
            }
            b"XADD" => self.add(&words[1], &words[4]),
            b"XREAD" => self.read(words),
            _ => b"-ERR unknown command\r\n".to_vec(),
        }
    }

    fn add(&self, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut streams = self.lock();
        let stream = streams.entry(key.to_vec()).or_default();
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if self.loses == Some(stream.len()) && !*lost {
            *lost = true;
        } else {
            stream.push(value.to_vec());
        }
        bulk(format!("{}-0", stream.len()).as_bytes())
    }

    /// `XREAD COUNT n BLOCK ms STREAMS key... id...`
    fn read(&self, words: &[Vec<u8>]) -> Vec<u8> {
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let count: usize = text(&words[2]).parse().expect("a count");
        let (keys, ids) = words[6..].split_at((words.len() - 6) / 2);
        let streams = self.lock();
        let mut found = Vec::new();
        for (key, id) in keys.iter().zip(ids) {
            let id = text(id);
            let from: usize = id.split('-').next().and_then(|digits| digits.parse().ok()).expect("an id");
            let entries = streams.get(key).map_or(&[][..], |stream| &stream[from.min(stream.len())..]);
            let some = &entries[..entries.len().min(count)];
            if !some.is_empty() {
                let mut told = [b"*2\r\n".to_vec(), bulk(key), format!("*{}\r\n", some.len()).into_bytes()].concat();
                for (value, place) in some.iter().zip(from + 1..) {
                    told.extend([b"*2\r\n".to_vec(), bulk(format!("{place}-0").as_bytes())].concat());
                    told.extend([b"*2\r\n$1\r\nv\r\n".to_vec(), bulk(value)].concat());
                }
                found.push(told);
            }
        }
        drop(streams);
        if found.is_empty() {
            // It waits a little, so that a reader at the end does not spin.
            thread::sleep(Duration::from_millis(2));
            return b"*-1\r\n".to_vec();
        }
        [format!("*{}\r\n", found.len()).into_bytes(), found.concat()].concat()
    }
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn read_command(reader: &mut BufReader<&TcpStream>) -> io::Result<Vec<Vec<u8>>> {
    let words = read_number(reader, '*')?;
    (0..words)
        .map(|_| {
            let bytes = read_number(reader, '$')?;
            let mut word = vec![0; bytes + 2];
            reader.read_exact(&mut word)?;
            word.truncate(bytes);
            Ok(word)
        })
        .collect()
}

fn read_number(reader: &mut BufReader<&TcpStream>, letter: char) -> io::Result<usize> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let number = line.trim_end().strip_prefix(letter).and_then(|digits| digits.parse().ok());
    number.filter(|&number| number <= WORD_BYTES_MAX).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
