//! API keys: the public half that the exchange keeps, and new pairs for those who have none.
//!
//! RSA and Ed25519 by the RustCrypto and dalek implementations, on purpose other code than that which signs in the host.
//! The exchange never keeps a private key.

use crate::listing::uuid;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePrivateKey, spki::der::pem::LineEnding};
use getrandom::SysRng;
use rsa::PublicKey as RsaPublicKey;
use rsa::rand_core::{TryRng, UnwrapErr};
use rsa::signature::Verifier;
use sha2::Sha256;

/// Bits of a generated RSA key: the least that the venue takes (PROTOCOL.md 1.2).
const RSA_BITS: usize = 2_048;

/// The public half of an API key.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    Rsa(Box<rsa::pss::VerifyingKey<Sha256>>),
    /// Plain Ed25519.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// Nothing is verified: for tests that are about something else. The headers must still be there.
    Unchecked,
}

/// Kinds of keys that can be generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// What the venue generates by default since October 2026.
    #[default]
    Ed25519,
    /// 2048 bits.
    Rsa,
}

/// Why a PEM is no public key.
#[derive(Debug, thiserror::Error)]
#[error("neither an RSA nor an Ed25519 public key in PEM (BEGIN PUBLIC KEY)")]
pub struct NoPublicKey;

impl PublicKey {
    /// Reads an SPKI PEM, as `openssl pkey -pubout` writes it. The algorithm is the parsed key's.
    pub fn from_pem(pem: &str) -> Result<Self, NoPublicKey> {
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
            return Ok(Self::Ed25519(key));
        }
        let key = RsaPublicKey::from_public_key_pem(pem).map_err(|_| NoPublicKey)?;
        Ok(Self::Rsa(Box::new(rsa::pss::VerifyingKey::new(key))))
    }

    /// Whether `signature` is this key's of `text`.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => {
                rsa::pss::Signature::try_from(signature).is_ok_and(|signature| key.verify(text, &signature).is_ok())
            }
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(text, &signature).is_ok()),
            Self::Unchecked => true,
        }
    }
}

/// A key that was just made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// UUID, as the venue gives one.
    pub id: String,
    /// PKCS#8 PEM: the only copy.
    pub private_pem: String,
    /// What the exchange keeps.
    pub public: PublicKey,
}

/// Makes a new pair. Needs the system's randomness; fails where there is none.
pub fn generate(kind: KeyKind) -> std::io::Result<NewKey> {
    let mut number = [0; 8];
    SysRng.try_fill_bytes(&mut number).map_err(std::io::Error::other)?;
    let (private_pem, public) = pair(kind)?;
    Ok(NewKey { id: uuid(u64::from_le_bytes(number)), private_pem, public })
}

fn pair(kind: KeyKind) -> std::io::Result<(String, PublicKey)> {
    let unencodable = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    match kind {
        KeyKind::Ed25519 => {
            let mut secret = [0; 32];
            SysRng.try_fill_bytes(&mut secret).map_err(std::io::Error::other)?;
            let key = ed25519_dalek::SigningKey::from_bytes(&secret);
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unencodable(&error))?;
            Ok((pem.to_string(), PublicKey::Ed25519(key.verifying_key())))
        }
        KeyKind::Rsa => {
            let key = rsa::PrivateKey::new(&mut UnwrapErr(SysRng), RSA_BITS).map_err(|error| unencodable(&error))?;
            let pem = rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(&key, LineEnding::LF)
                .map_err(|error| unencodable(&error))?;
            let public = rsa::pss::VerifyingKey::new(key.to_public_key());
            Ok((pem.to_string(), PublicKey::Rsa(Box::new(public))))
        }
    }
}
