//! The secret that a coordinator and its agents share. It never crosses the network: the agent sends a number used once, and the
//! coordinator answers with the HMAC of that number under the secret.
//!
//! It is taken from a file or the environment and not from the command line, which every process can read and every result repeats.

use std::fmt;
use std::fs;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Where the secret is taken from when no file is named.
pub const TOKEN_VARIABLE: &str = "LOADGEN_TOKEN";

/// Shorter secrets are guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Longer than any secret; a path to something else must not fill the memory.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// The shared secret.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// The secret in `file`, or else in the environment; none when there is neither.
    pub fn find(file: Option<&Path>) -> Result<Option<Self>, String> {
        let Some(path) = file else {
            return std::env::var(TOKEN_VARIABLE).ok().map(|text| Self::new(&text, TOKEN_VARIABLE)).transpose();
        };
        let named = path.display().to_string();
        let failed = |error: std::io::Error| format!("token file {named}: {error}");
        if fs::metadata(path).map_err(failed)?.len() > TOKEN_BYTES_MAX {
            return Err(format!("token file {named}: a token has at most {TOKEN_BYTES_MAX} bytes"));
        }
        Self::new(&fs::read_to_string(path).map_err(failed)?, &named).map(Some)
    }

    fn new(text: &str, source: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() < TOKEN_BYTES_MIN {
            return Err(format!("the token of {source} has {} bytes, needed are {TOKEN_BYTES_MIN}", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// What shows knowledge of the secret to who asked with `nonce`.
    pub fn prove(&self, nonce: &str) -> String {
        STANDARD.encode(self.mac(nonce).finalize().into_bytes())
    }

    /// Whether a proof is right; how long this takes tells nothing of how nearly it is.
    pub fn accepts(&self, nonce: &str, proof: &str) -> bool {
        STANDARD.decode(proof).is_ok_and(|proof| self.mac(nonce).verify_slice(&proof).is_ok())
    }

    fn mac(&self, nonce: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of every length");
        mac.update(b"loadgen coordinator ");
        mac.update(nonce.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_secret_and_its_nonce_only() {
        let token = Token::new("a secret of some length\n", "test").expect("long enough");
        let proof = token.prove("1234");
        assert!(token.accepts("1234", &proof));
        assert!(!token.accepts("1235", &proof) && !token.accepts("1234", "") && !token.accepts("1234", "????"));
        let other = Token::new("another secret of some length", "test").expect("long enough");
        assert!(!other.accepts("1234", &proof));
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn a_secret_comes_from_a_file_and_must_be_long_enough() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").expect("written");
        assert!(Token::find(Some(&path)).expect("readable").is_some());
        std::fs::write(&path, "short").expect("written");
        assert!(Token::find(Some(&path)).expect_err("too short").contains("16"));
        assert!(Token::find(Some(&directory.path().join("none"))).expect_err("not there").contains("none"));
    }
}
