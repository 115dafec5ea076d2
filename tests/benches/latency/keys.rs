//! The key that both programs sign with, and the check of what they signed (PROTOCOL.md 1.2).
//!
//! The keys belong to no account; they lie with the tests of the venue's room.

use crate::exchange::Proof;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use ring::rand::SystemRandom;
use ring::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use std::path::{Path, PathBuf};

/// The id that stands for either key.
pub const ID: &str = "6b3f2c1e-0000-4000-8000-000000000000";

/// Which key a round signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    /// Ed25519, what the venue gives by default.
    Ed25519,
    /// RSA with 2048 bits, PSS.
    Rsa,
}

impl Algorithm {
    /// The PEM file of its key.
    pub fn file(self) -> PathBuf {
        let name = match self {
            Self::Ed25519 => "ed25519.pem",
            Self::Rsa => "rsa_pkcs8.pem",
        };
        isobar_tests::root().join("host/kalshi/testdata/keys").join(name)
    }
}

/// A private key.
pub enum Key {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// Reads a PKCS#8 PEM. A benchmark without its key cannot go on: it panics and says why.
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("a PEM holds Base64");
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            Ok(pair) => Self::Ed25519(pair),
            Err(_) => Self::Rsa(RsaKeyPair::from_pkcs8(&der).expect("an Ed25519 or RSA key")),
        }
    }

    /// The signature of `text` in Base64.
    pub fn sign(&self, text: &str) -> String {
        match self {
            Self::Ed25519(pair) => STANDARD.encode(pair.sign(text.as_bytes())),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let signed = pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
                signed.expect("the system has randomness");
                STANDARD.encode(signature)
            }
        }
    }

    /// How many of the proofs are none, and the age in milliseconds of the oldest signature when it was read.
    pub fn check(&self, proofs: &[Proof]) -> (usize, u64) {
        let verify = |proof: &Proof| {
            let text = format!("{}POST{}", proof.timestamp, proof.path);
            let Ok(signature) = STANDARD.decode(&proof.signature) else { return false };
            let verified = match self {
                Self::Ed25519(pair) => {
                    UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref()).verify(text.as_bytes(), &signature)
                }
                Self::Rsa(pair) => UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pair.public().as_ref())
                    .verify(text.as_bytes(), &signature),
            };
            verified.is_ok()
        };
        let age = |proof: &Proof| proof.timestamp.parse().map_or(u64::MAX, |made| proof.read_ms.saturating_sub(made));
        (proofs.iter().filter(|proof| !verify(proof)).count(), proofs.iter().map(age).max().unwrap_or(0))
    }
}
