//! How to get in over HTTP.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::secret::read_secret;

/// How to get in. Files are read anew each time, so that what is in them may change.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Anybody may ask.
    None,
    /// A bearer token, in a file.
    Token(PathBuf),
    /// A user, and the file of their password.
    Password(String, PathBuf),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token",
            Self::Password(..) => "Password",
        })
    }
}

impl Login {
    /// The value of the header `Authorization`. Reads the file.
    pub fn header(&self) -> Result<Option<SecretString>, String> {
        Ok(match self {
            Self::None => None,
            Self::Token(file) => {
                let token = read_secret(file)?;
                Some(format!("Bearer {}", token.expose_secret()).into())
            }
            Self::Password(user, file) => {
                let pair = format!("{user}:{}", read_secret(file)?.expose_secret());
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)).into())
            }
        })
    }
}
