//! A word that must not be read by anyone but the service that it is meant for.

use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// An API key or an address with a password. It is never shown: not in logs, not in errors, not by `{:?}`, and its memory
/// is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret out of the hands of the caller. Space around it is left out, as files end in a newline.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// Reads a secret from a file that holds nothing else.
    ///
    /// # Errors
    /// Where the file cannot be read or is empty. The error names the file, never what is in it.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        if text.trim().is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file of a secret is empty"));
        }
        Ok(Self::new(&text))
    }

    /// The word itself, for the request that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Never the word.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let file = std::env::temp_dir().join(format!("isobar-secret-{}", std::process::id()));
        std::fs::write(&file, "key-123\n").expect("written");
        let secret = Secret::read(&file).expect("read");
        assert_eq!(secret.expose(), "key-123");
        assert_eq!(format!("{secret:?}"), "[secret]");
        std::fs::write(&file, " \n").expect("written");
        let error = Secret::read(&file).expect_err("empty");
        assert!(error.to_string().contains("empty"));
        std::fs::remove_file(&file).expect("removed");
        assert!(Secret::read(&file).is_err());
    }
}
