//! What a NATS server sends: lines, some with a body behind them.

use crate::peer::Parsed;

/// The longest line is the server's account of itself.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bodies are bounded by the server's `max_payload`, which it lets nobody set higher.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024 + 64 * 1024;

/// One thing that a server said, by its places in what was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A message for a subscription; its body begins and ends there.
    Delivery {
        subject: &'a [u8],
        subscription: usize,
        body: (usize, usize),
    },
    /// A message of headers alone, which says how a request ended; `pending` of the records asked for will not come.
    Status {
        subscription: usize,
        code: u16,
        pending: usize,
    },
    Ping,
    Pong,
    /// What the server says of itself.
    About(&'a [u8]),
    Refusal(&'a [u8]),
    Ok,
}

/// The same for calls, which keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Delivery { body: Vec<u8> },
    Status { code: u16 },
    Ping,
    Pong,
    About(String),
    Refusal(String),
    Ok,
}

/// The first whole thing that was said.
pub(super) fn message(bytes: &[u8]) -> Parsed<Message> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(frame(bytes)?.map(|(length, frame)| {
        let message = match frame {
            Frame::Delivery { body: (from, to), .. } => Message::Delivery { body: bytes[from..to].to_vec() },
            Frame::Status { code, .. } => Message::Status { code },
            Frame::Ping => Message::Ping,
            Frame::Pong => Message::Pong,
            Frame::About(about) => Message::About(text(about)),
            Frame::Refusal(what) => Message::Refusal(text(what)),
            Frame::Ok => Message::Ok,
        };
        (length, message)
    }))
}

/// The first whole thing that was said, where it lies.
pub(super) fn frame(bytes: &[u8]) -> Parsed<Frame<'_>> {
    let Some(end) = bytes.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') else {
        return if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err("sent a line without end".into()) };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let (verb, rest) = line.split_at(line.iter().position(|&byte| byte == b' ').unwrap_or(line.len()));
    let frame = match verb {
        b"MSG" => return delivery(bytes, rest, end + 1),
        b"HMSG" => return status(bytes, rest, end + 1),
        b"PING" => Frame::Ping,
        b"PONG" => Frame::Pong,
        b"+OK" => Frame::Ok,
        b"INFO" => Frame::About(rest.trim_ascii()),
        b"-ERR" => Frame::Refusal(rest.trim_ascii()),
        _ => return Err("does not speak the protocol of NATS".into()),
    };
    Ok(Some((end + 1, frame)))
}

/// `MSG subject subscription [reply] bytes`
fn delivery<'a>(bytes: &'a [u8], rest: &'a [u8], at: usize) -> Parsed<Frame<'a>> {
    let mut words = rest.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (subject, subscription) = (words.next().unwrap_or_default(), number(words.next())?);
    let length = body_bytes(words.next_back())?;
    if bytes.len() < at + length + 2 {
        return Ok(None);
    }
    Ok(Some((at + length + 2, Frame::Delivery { subject, subscription, body: (at, at + length) })))
}

/// `HMSG subject subscription [reply] header-bytes bytes`, with `NATS/1.0 code` as the first line of the headers.
fn status<'a>(bytes: &'a [u8], rest: &'a [u8], at: usize) -> Parsed<Frame<'a>> {
    let mut words = rest.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let subscription = number(words.nth(1))?;
    let length = body_bytes(words.next_back())?;
    if bytes.len() < at + length + 2 {
        return Ok(None);
    }
    let headers = String::from_utf8_lossy(&bytes[at..at + length]);
    let code = headers.strip_prefix("NATS/1.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let code = code.ok_or("sent a record with headers, which nobody of us wrote")?;
    let pending = headers.lines().find_map(|line| line.strip_prefix("Nats-Pending-Messages:"));
    let pending = pending.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    Ok(Some((at + length + 2, Frame::Status { subscription, code, pending })))
}

fn number(word: Option<&[u8]>) -> Result<usize, String> {
    let text = word.and_then(|word| str::from_utf8(word).ok()).unwrap_or_default();
    text.parse().map_err(|_| format!("sent {text:?} where a number was expected"))
}

fn body_bytes(word: Option<&[u8]>) -> Result<usize, String> {
    number(word)
        .and_then(|bytes| if bytes <= BODY_BYTES_MAX { Ok(bytes) } else { Err(format!("sends {bytes} bytes at once")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_when_its_body_is_whole() {
        let bytes = b"MSG t.3 7 $JS.ACK.x.1 5\r\nhello\r\nPING\r\n";
        let whole = bytes.len() - 6;
        for end in 0..whole {
            assert_eq!(frame(&bytes[..end]), Ok(None), "{end} bytes");
        }
        let delivery = Frame::Delivery { subject: b"t.3", subscription: 7, body: (25, 30) };
        assert_eq!(frame(bytes), Ok(Some((whole, delivery))));
        assert_eq!(frame(&bytes[whole..]), Ok(Some((6, Frame::Ping))));
    }

    #[test]
    fn a_status_tells_what_will_not_come() {
        let headers = "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 12\r\nNats-Pending-Bytes: 0\r\n\r\n";
        let bytes = format!("HMSG in.2 2 {0} {0}\r\n{headers}\r\n", headers.len());
        let status = Frame::Status { subscription: 2, code: 408, pending: 12 };
        assert_eq!(frame(bytes.as_bytes()), Ok(Some((bytes.len(), status))));
    }

    #[test]
    fn what_is_no_message_is_refused_before_memory_is_given() {
        for bytes in
            ["HTTP/1.1 400 Bad\r\n", "MSG a 1 99999999999\r\n", "MSG a x 5\r\n", "MSG\r\n", "HMSG a 1 2 2\r\nab\r\n"]
        {
            assert!(frame(bytes.as_bytes()).is_err(), "{bytes}");
        }
        assert!(frame(&vec![b'x'; LINE_BYTES_MAX]).is_err());
    }
}
