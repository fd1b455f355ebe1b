//! An address over HTTP or HTTPS, all of which but its host may be a secret.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Where something is called. `Display` and `Debug` show scheme, host and port.
#[derive(Clone)]
pub struct Address {
    /// Without user and password.
    url: SecretString,
    /// The value of the header `Authorization`, from the user and password that it was written with.
    authorization: Option<SecretString>,
    shown: String,
}

/// What is wrong with an address. It repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read.
    #[error("is not an address: write https://host/path")]
    NoAddress,
    /// Another scheme.
    #[error("begins neither with https:// nor with http://")]
    Scheme,
    /// What comes after `#` is never sent.
    #[error("has a part after `#`, which is not sent: write that as %23")]
    Fragment,
}

impl Address {
    /// Reads an address. A user and password in it become a header.
    pub fn parse(text: &SecretString) -> Result<Self, AddressError> {
        let mut url: Url = text
            .expose_secret()
            .trim()
            .parse()
            .map_err(|_| AddressError::NoAddress)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(AddressError::Scheme);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        let host = url.host_str().ok_or(AddressError::NoAddress)?;
        let port = url.port().map(|port| format!(":{port}"));
        let shown = format!("{}://{host}{}", url.scheme(), port.unwrap_or_default());
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let mut pair = percent_decode_str(url.username()).collect::<Vec<u8>>();
            pair.push(b':');
            pair.extend(percent_decode_str(url.password().unwrap_or_default()));
            SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        });
        url.set_username("").map_err(|()| AddressError::NoAddress)?;
        url.set_password(None)
            .map_err(|()| AddressError::NoAddress)?;
        Ok(Self {
            url: String::from(url).into(),
            authorization,
            shown,
        })
    }

    /// The address of a path below this one.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let (base, query) = match self.url.expose_secret().split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (self.url.expose_secret(), String::new()),
        };
        Self {
            url: format!("{}/{path}{query}", base.trim_end_matches('/')).into(),
            ..self.clone()
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    pub(crate) fn authorization(&self) -> Option<&SecretString> {
        self.authorization.as_ref()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        Address::parse(&SecretString::from(text))
    }

    #[test]
    fn only_scheme_host_and_port_are_shown() {
        for (text, shown) in [
            ("https://hooks.example/T0/hush", "https://hooks.example"),
            (
                "https://u:hush@h.example:8443/x?k=hush",
                "https://h.example:8443",
            ),
            ("http://[::1]:9093/hush", "http://[::1]:9093"),
            (" https://h.example:443/\n", "https://h.example"),
        ] {
            let address = parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("hush"), "{address:?}");
        }
    }

    #[test]
    fn a_user_and_password_become_a_header() {
        let address = parse("https://u%40x:p%3Aw@h.example/a").unwrap();
        assert_eq!(address.url(), "https://h.example/a");
        let header = address.authorization().unwrap().expose_secret();
        assert_eq!(header, "Basic dUB4OnA6dw==");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for (text, error) in [
            ("hush", AddressError::NoAddress),
            ("https://", AddressError::NoAddress),
            ("ftp://hush.example/", AddressError::Scheme),
            ("https://h.example/#hush", AddressError::Fragment),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[test]
    fn a_path_goes_below_and_a_query_stays() {
        for (text, url) in [
            ("http://h", "http://h/api/v2/alerts"),
            ("http://h/under/", "http://h/under/api/v2/alerts"),
            ("http://h/under?x=1", "http://h/under/api/v2/alerts?x=1"),
        ] {
            assert_eq!(parse(text).unwrap().below("api/v2/alerts").url(), url);
        }
    }
}
