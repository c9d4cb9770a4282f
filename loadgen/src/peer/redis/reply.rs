//! RESP, the protocol of Redis: every reply begins with a letter and a line.

use crate::peer::Parsed;

/// Replies to our calls nest twice.
const DEPTH_MAX: usize = 4;

/// Elements of an array of our calls.
const ELEMENTS_MAX: i64 = 1_024;

/// Longest text: a record.
pub(super) const TEXT_BYTES_MAX: i64 = 64 * 1024 * 1024 + 1024;

/// One reply to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Number(i64),
    Text(Vec<u8>),
    Nothing,
    Error(String),
    Array(Vec<Reply>),
}

/// Reads on through bytes that may end anywhere.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next line without its end; `None` when it is not whole.
    pub(super) fn line(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += length + 2;
        Some(&rest[..length])
    }

    /// A line of this letter and a number.
    pub(super) fn number(&mut self, letter: u8) -> Result<Option<i64>, String> {
        let Some(line) = self.line() else { return Ok(None) };
        match line.split_first() {
            Some((&first, digits)) if first == letter => number(digits).map(Some),
            Some((b'-', what)) => Err(format!("says {}", String::from_utf8_lossy(what))),
            _ => Err(format!("sent {:?} where {:?} was expected", String::from_utf8_lossy(line), letter as char)),
        }
    }

    /// Where a text begins and ends.
    pub(super) fn text(&mut self) -> Result<Option<(usize, usize)>, String> {
        let Some(length) = self.number(b'$')? else { return Ok(None) };
        self.bytes_of(length)
    }

    fn bytes_of(&mut self, length: i64) -> Result<Option<(usize, usize)>, String> {
        let length = usize::try_from(length).ok().filter(|_| length <= TEXT_BYTES_MAX);
        let length = length.ok_or("sent a text of a wrong length")?;
        let (from, to) = (self.at, self.at + length);
        if self.bytes.len() < to + 2 {
            return Ok(None);
        }
        self.at = to + 2;
        Ok(Some((from, to)))
    }
}

fn number(digits: &[u8]) -> Result<i64, String> {
    let text = str::from_utf8(digits).unwrap_or_default();
    text.parse().map_err(|_| format!("sent {:?} where a number was expected", String::from_utf8_lossy(digits)))
}

/// The first whole reply.
pub(super) fn reply(bytes: &[u8]) -> Parsed<Reply> {
    let mut cursor = Cursor::new(bytes);
    let found = nested(&mut cursor, 0)?;
    Ok(found.map(|reply| (cursor.at, reply)))
}

fn nested(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<Reply>, String> {
    let Some((&letter, rest)) = cursor.line().and_then(<[u8]>::split_first) else { return Ok(None) };
    Ok(Some(match letter {
        b'+' => Reply::Text(rest.to_vec()),
        b'-' => Reply::Error(String::from_utf8_lossy(rest).into_owned()),
        b':' => Reply::Number(number(rest)?),
        b'$' | b'*' if rest == b"-1" => Reply::Nothing,
        b'$' => match cursor.bytes_of(number(rest)?)? {
            Some((from, to)) => Reply::Text(cursor.bytes[from..to].to_vec()),
            None => return Ok(None),
        },
        b'*' => {
            let count = number(rest)?;
            if !(0..=ELEMENTS_MAX).contains(&count) || depth == DEPTH_MAX {
                return Err("sent an array that we never asked for".into());
            }
            let mut elements = Vec::new();
            for _ in 0..count {
                match nested(cursor, depth + 1)? {
                    Some(element) => elements.push(element),
                    None => return Ok(None),
                }
            }
            Reply::Array(elements)
        }
        _ => return Err("does not speak the protocol of Redis".into()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_when_it_is_whole_and_not_before() {
        let bytes = b"*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n:7\r\n";
        let array = Reply::Array(vec![Reply::Text(b"appendfsync".to_vec()), Reply::Text(b"always".to_vec())]);
        let whole = bytes.len() - 4;
        for end in 0..whole {
            assert_eq!(reply(&bytes[..end]), Ok(None), "{end} bytes");
        }
        assert_eq!(reply(bytes), Ok(Some((whole, array))));
        assert_eq!(reply(&bytes[whole..]), Ok(Some((4, Reply::Number(7)))));
        assert_eq!(reply(b"$-1\r\n"), Ok(Some((5, Reply::Nothing))));
        assert_eq!(reply(b"-ERR no\r\n"), Ok(Some((9, Reply::Error("ERR no".into())))));
    }

    #[test]
    fn what_is_no_reply_of_ours_is_refused_before_memory_is_given() {
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b"$99999999999\r\n",
            b"*2000000000\r\n",
            b"$-5\r\n",
            b":x\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ] {
            assert!(reply(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
