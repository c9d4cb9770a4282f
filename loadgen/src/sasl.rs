//! Who this program is to a broker that asks: SASL in Kafka's frames (KIP-43 and KIP-152), as soon as a connection stands.
//!
//! The two calls are encoded here, in their plain versions: they go before everything else, and no other part speaks them.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use clap::ValueEnum;
use rsasl::prelude::{Mechname, MessageSent, SASLClient, SASLConfig, Session, State};

use crate::client::CLIENT_ID;
use crate::error::Error;
use crate::options::TargetOptions;

/// Where a password is looked for that no file has.
pub const PASSWORD_VARIABLE: &str = "LOADGEN_SASL_PASSWORD";

const HANDSHAKE_KEY: i16 = 17;
const AUTHENTICATE_KEY: i16 = 36;
/// The version of both that has error codes and plain lengths.
const VERSION: i16 = 1;
/// A challenge is a hundred bytes; a list of mechanisms is not much longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// SCRAM takes three.
const STEPS_MAX: usize = 8;
/// More is no password.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;

const UNSUPPORTED_MECHANISM: i16 = 33;
const ILLEGAL_STATE: i16 = 34;
const AUTHENTICATION_FAILED: i16 = 58;

/// How a name is proven, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    /// The password itself, readable to whoever reads the connection.
    #[value(name = "PLAIN")]
    Plain,
    /// A proof of the password, and one of the broker that it knows it too.
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with the longer hash.
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
}

/// What a broker is told.
pub struct Login {
    mechanism: Mechanism,
    username: String,
    config: Arc<SASLConfig>,
}

/// Without the password, which has no place in a log.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Login {
    /// What the options say, the password read; nothing where they name no mechanism.
    pub fn from_options(target: &TargetOptions) -> Result<Option<Arc<Self>>, Error> {
        let Some((mechanism, username)) = target.sasl_mechanism.zip(target.sasl_username.clone()) else {
            return Ok(None);
        };
        let password = match &target.sasl_password_file {
            Some(path) => {
                let mut text = String::new();
                let read = File::open(path).and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text));
                read.map_err(|error| Error::Password(format!("cannot be read from {}: {error}", path.display())))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            None => std::env::var(PASSWORD_VARIABLE).map_err(|_| {
                Error::Password(format!("is missing: give --sasl-password-file, or set {PASSWORD_VARIABLE}"))
            })?,
        };
        if password.is_empty() {
            return Err(Error::Password("is empty".into()));
        }
        Self::new(mechanism, username, password).map(|login| Some(Arc::new(login)))
    }

    /// The proof of a name.
    pub fn new(mechanism: Mechanism, username: String, password: String) -> Result<Self, Error> {
        let config = SASLConfig::with_credentials(None, username.clone(), password);
        let config = config.map_err(|error| Error::Password(format!("cannot be used: {error}")))?;
        Ok(Self { mechanism, username, config })
    }

    /// Proves the name on a blocking connection that has time-outs.
    pub(crate) fn authenticate(&self, stream: &mut TcpStream, address: &str) -> Result<(), Error> {
        let mut call = Call { stream, address, correlation_id: 0 };
        self.shake_hands(&mut call)?;
        let mut session = self.begin(address)?;
        let mut challenge: Option<Vec<u8>> = None;
        for _ in 0..STEPS_MAX {
            let mut proof = Vec::new();
            let step = session.step(challenge.as_deref(), &mut proof);
            let state = step.map_err(|error| refused(address, format!("its challenge is wrong: {error}")))?;
            if matches!(state, State::Finished(MessageSent::No)) {
                return Ok(());
            }
            challenge = Some(call.authenticate(&proof)?);
            if matches!(state, State::Finished(_)) {
                return Ok(());
            }
        }
        Err(refused(address, format!("it asks for more than {STEPS_MAX} steps")))
    }

    fn begin(&self, address: &str) -> Result<Session, Error> {
        let wrong =
            |error: &dyn fmt::Display| refused(address, format!("{} cannot begin: {error}", self.mechanism.name()));
        let name = Mechname::parse(self.mechanism.name().as_bytes()).map_err(|error| wrong(&error))?;
        SASLClient::new(self.config.clone()).start_suggested_iter([name]).map_err(|error| wrong(&error))
    }

    fn shake_hands(&self, call: &mut Call<'_>) -> Result<(), Error> {
        let answer = call.exchange(HANDSHAKE_KEY, &string(self.mechanism.name()))?;
        let mut answer = Answer { rest: &answer, address: call.address };
        match answer.int16()? {
            0 => Ok(()),
            UNSUPPORTED_MECHANISM => {
                let count = answer.int32()?.clamp(0, 64);
                let names: Vec<String> = (0..count).map(|_| answer.string()).collect::<Result<_, _>>()?;
                let asked = self.mechanism.name();
                Err(refused(call.address, format!("it does not take {asked} but {}", names.join(", "))))
            }
            code => Err(refused(call.address, in_words(code, ""))),
        }
    }
}

/// The connection before anything else goes over it.
struct Call<'c> {
    stream: &'c mut TcpStream,
    address: &'c str,
    correlation_id: i32,
}

impl Call<'_> {
    /// Hands over a proof; the next challenge, or the broker's own proof.
    fn authenticate(&mut self, proof: &[u8]) -> Result<Vec<u8>, Error> {
        let mut body = (proof.len() as i32).to_be_bytes().to_vec();
        body.extend_from_slice(proof);
        let answer = self.exchange(AUTHENTICATE_KEY, &body)?;
        let mut answer = Answer { rest: &answer, address: self.address };
        let (code, message) = (answer.int16()?, answer.string()?);
        if code != 0 {
            return Err(refused(self.address, in_words(code, &message)));
        }
        let bytes = usize::try_from(answer.int32()?).unwrap_or(0);
        answer.take(bytes).map(<[u8]>::to_vec)
    }

    /// The body of the answer.
    fn exchange(&mut self, key: i16, body: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Io { address: self.address.to_owned(), source };
        self.correlation_id += 1;
        let mut head = key.to_be_bytes().to_vec();
        head.extend_from_slice(&VERSION.to_be_bytes());
        head.extend_from_slice(&self.correlation_id.to_be_bytes());
        head.extend_from_slice(&string(CLIENT_ID));
        let length = ((head.len() + body.len()) as i32).to_be_bytes();
        self.stream.write_all(&[&length, head.as_slice(), body].concat()).map_err(failed)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(failed)?;
        let length = i32::from_be_bytes(length);
        let bytes = usize::try_from(length).ok().filter(|bytes| (4..=ANSWER_BYTES_MAX).contains(bytes));
        let address = || self.address.to_owned();
        let bytes = bytes.ok_or_else(|| Error::FrameLength { address: address(), length, max: ANSWER_BYTES_MAX })?;
        let mut frame = vec![0; bytes];
        self.stream.read_exact(&mut frame).map_err(failed)?;
        if frame[..4] != self.correlation_id.to_be_bytes() {
            return Err(refused(self.address, "it answers with a foreign correlation id".into()));
        }
        Ok(frame.split_off(4))
    }
}

/// An answer, read from the front.
struct Answer<'a> {
    rest: &'a [u8],
    address: &'a str,
}

impl<'a> Answer<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Error> {
        let cut = || refused(self.address, "its answer ends too early".into());
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn int16(&mut self) -> Result<i16, Error> {
        self.take(2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn int32(&mut self) -> Result<i32, Error> {
        self.take(4).map(|bytes| i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A string, or nothing for an absent one.
    fn string(&mut self) -> Result<String, Error> {
        let bytes = usize::try_from(self.int16()?).unwrap_or(0);
        self.take(bytes).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as i16).to_be_bytes(), text.as_bytes()].concat()
}

fn in_words(code: i16, message: &str) -> String {
    match code {
        AUTHENTICATION_FAILED if message.is_empty() => "wrong user name or password".into(),
        AUTHENTICATION_FAILED => message.into(),
        ILLEGAL_STATE => "this listener asks for no authentication: leave --sasl-mechanism out".into(),
        code => format!("error {code} {message}").trim_end().into(),
    }
}

fn refused(address: &str, why: String) -> Error {
    Error::Login { address: address.to_owned(), why }
}
