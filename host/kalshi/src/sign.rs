//! Signed requests: the key of an account, and the three headers that prove it (PROTOCOL.md 1.2).
//!
//! It owns the private key and tells it nobody: no `Debug`, no error and no log shows it or a signature, and the bytes that
//! it was read from are overwritten once they are parsed. (The parsed key lives inside `ring` as long as the
//! [`Credentials`]; `ring` does not overwrite it.) The algorithm follows from the parsed key, not from the label of the PEM:
//! self-made RSA keys and all Ed25519 keys are PKCS#8 alike. Signed is `timestamp + METHOD + path`, the path from the root of
//! the host and without its query. [`Presigned`] makes signatures ahead, on a thread of its own.

mod presigned;

pub use presigned::{Presigned, Reuse};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isobar_engine::units::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Nanoseconds in a millisecond, the unit of the venue's timestamps.
const MILLISECOND: i64 = 1_000_000;
/// Larger than the PEM of any key that the venue takes (RSA with 8192 bits has 6.4 kB).
const LARGEST_PEM: usize = 64 << 10;

/// Where a private key is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file that holds the PEM.
    File(PathBuf),
    /// An environment variable that holds the PEM itself.
    Variable(String),
    /// A credential of systemd (`LoadCredential=`): the file of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why there is no key to sign with. Nothing of the key is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The source cannot be read: correct the configuration or its permissions.
    #[error("the key cannot be read from {place}: {reason}")]
    Unreadable {
        /// The file or the variable.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// The text is no PEM of a private key that can sign: another key is needed.
    #[error("this is no private key that the venue takes: {0}")]
    Unusable(&'static str),
    /// The id of the key cannot stand in a header.
    #[error("the id of the key is empty or has characters that no header takes")]
    Id,
}

/// Which algorithm a key signs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes; about 0.7 ms.
    Rsa,
    /// Ed25519 over the text itself; about 30 µs.
    Ed25519,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The key of an account and its id.
pub struct Credentials {
    id: Arc<str>,
    key: Key,
    random: SystemRandom,
}

/// Tells the algorithm and nothing else.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the key with the id `id` from its source.
    pub fn load(id: &str, source: &KeySource) -> Result<Self, KeyError> {
        let unreadable =
            |place: String, reason: &dyn fmt::Display| KeyError::Unreadable { place, reason: reason.to_string() };
        let path = match source {
            KeySource::Variable(name) => {
                let place = || format!("the variable {name}");
                // The reason is not the error of the system: that one would print a value that is no Unicode.
                let value = std::env::var(name).map_err(|_| unreadable(place(), &"it is not set, or no text"))?;
                return Self::from_pem(id, Zeroizing::new(value).as_bytes());
            }
            KeySource::File(path) => path.clone(),
            KeySource::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| unreadable(format!("the credential {name}"), &"CREDENTIALS_DIRECTORY is not set"))?;
                if name.contains('/') || name.contains("..") {
                    return Err(unreadable(format!("the credential {name}"), &"it names a path"));
                }
                PathBuf::from(folder).join(name)
            }
        };
        let pem = std::fs::read(&path).map_err(|error| unreadable(path.display().to_string(), &error))?;
        Self::from_pem(id, &Zeroizing::new(pem))
    }

    /// Parses a PEM: PKCS#1 (RSA) or PKCS#8 (RSA or Ed25519), unencrypted.
    pub fn from_pem(id: &str, pem: &[u8]) -> Result<Self, KeyError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Id);
        }
        let (label, der) = decode(pem)?;
        let rsa = |pair: Result<RsaKeyPair, _>| pair.map(|pair| Key::Rsa(Box::new(pair)));
        let key = match label {
            Label::Pkcs1 => rsa(RsaKeyPair::from_der(&der))
                .map_err(|_| KeyError::Unusable("an RSA key that is damaged, or shorter than 2048 bits"))?,
            Label::Pkcs8 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                .map(|pair| Key::Ed25519(Box::new(pair)))
                .or_else(|_| rsa(RsaKeyPair::from_pkcs8(&der)))
                .map_err(|_| KeyError::Unusable("neither Ed25519 nor RSA of 2048 bits or more"))?,
        };
        Ok(Self { id: id.into(), key, random: SystemRandom::new() })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::Rsa(_) => Algorithm::Rsa,
            Key::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The headers of a request at `now`. `path` starts at the host's root (`/trade-api/v2/…`); a query is not signed and is
    /// cut off.
    pub fn sign(&self, now: Timestamp, method: &str, path: &str) -> Headers {
        let timestamp = now.0.div_euclid(MILLISECOND).to_string();
        let path = path.split('?').next().unwrap_or_default();
        let text = format!("{timestamp}{method}{path}");
        let signature = match &self.key {
            Key::Ed25519(pair) => STANDARD.encode(pair.sign(text.as_bytes())),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &self.random, text.as_bytes(), &mut signature)
                    .expect("a parsed key signs as long as the system has randomness");
                STANDARD.encode(signature)
            }
        };
        Headers { id: Arc::clone(&self.id), timestamp, signature }
    }
}

/// The headers of one signed request.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers {
    id: Arc<str>,
    timestamp: String,
    signature: String,
}

/// Tells the time only: a signature is good for seconds.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

impl Headers {
    /// Names and values.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            ("KALSHI-ACCESS-KEY", &self.id),
            ("KALSHI-ACCESS-TIMESTAMP", &self.timestamp),
            ("KALSHI-ACCESS-SIGNATURE", &self.signature),
        ]
    }
}

enum Label {
    Pkcs1,
    Pkcs8,
}

/// The first private key of a PEM, decoded.
fn decode(pem: &[u8]) -> Result<(Label, Zeroizing<Vec<u8>>), KeyError> {
    if pem.len() > LARGEST_PEM {
        return Err(KeyError::Unusable("too long for a key"));
    }
    let text = std::str::from_utf8(pem).map_err(|_| KeyError::Unusable("not a text"))?;
    let labels = [(Label::Pkcs1, "RSA PRIVATE KEY"), (Label::Pkcs8, "PRIVATE KEY")];
    let found = labels.into_iter().find_map(|(label, name)| {
        let (_, rest) = text.split_once(&format!("-----BEGIN {name}-----"))?;
        Some((label, rest.split_once(&format!("-----END {name}-----"))?.0))
    });
    let Some((label, body)) = found else {
        let encrypted = text.contains("ENCRYPTED");
        return Err(KeyError::Unusable(if encrypted { "it is encrypted" } else { "no PEM of a private key" }));
    };
    let mut packed = Zeroizing::new(Vec::with_capacity(body.len()));
    // An environment file may spell its line ends as a backslash and an n.
    for line in body.split("\\n") {
        packed.extend(line.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    }
    let mut der = Zeroizing::new(vec![0; packed.len()]);
    let length = STANDARD.decode_slice(&*packed, &mut der).map_err(|_| KeyError::Unusable("damaged Base64"))?;
    der.truncate(length);
    Ok((label, der))
}

#[cfg(test)]
mod tests;
