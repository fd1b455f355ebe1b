//! Prometheus as a source: two instant queries, each of which must answer with exactly one number.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use plimsoll_core::disk::pulse::Space;
use serde::Deserialize;
use serde::de::IgnoredAny;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use super::command::checked;
use super::{TOO_OLD, number};

/// More than this is not read.
const MOST_BYTES: u64 = 1 << 20;

/// Where Prometheus is, what is asked, and how to get in.
#[derive(Debug, Clone, PartialEq)]
pub struct Prometheus {
    /// Its address, with the path that its API is under, if any. Without a password.
    pub url: Url,
    /// The query for the bytes in all.
    pub capacity: String,
    /// The query for the bytes that are left.
    pub available: Option<String>,
    /// How to get in.
    pub login: Login,
    /// How long each query may take.
    pub timeout: Duration,
}

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
    /// The value of the header `Authorization`.
    fn header(&self) -> Result<Option<String>, String> {
        let secret = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            text.map(|text| text.trim().to_owned())
                .map_err(|error| format!("reading {}: {error}", path.display()))
        };
        Ok(match self {
            Self::None => None,
            Self::Token(file) => Some(format!("Bearer {}", secret(file)?)),
            Self::Password(user, file) => {
                let pair = format!("{user}:{}", secret(file)?);
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar((f64, String)),
    Vector(Vec<Element>),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Element {
    value: (f64, String),
}

impl Prometheus {
    pub(super) async fn ask(&self, now: Timestamp) -> Result<Space, String> {
        let asked = self.clone();
        let answer = tokio::task::spawn_blocking(move || asked.ask_here(now));
        // The client's own time limit may be late where a name is looked up.
        let limit = self.timeout * 2 + Duration::from_secs(1);
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(format!("asking failed: {error}")),
            Err(_) => Err(format!("{} did not answer in time", self.shown())),
        }
    }

    fn ask_here(&self, now: Timestamp) -> Result<Space, String> {
        let login = self.login.header()?;
        let agent = agent(self.timeout);
        let capacity_bytes = self.query(&agent, login.as_deref(), &self.capacity, now)?;
        let available = self.available.as_deref();
        let available_bytes = available
            .map(|query| self.query(&agent, login.as_deref(), query, now))
            .transpose()?;
        checked(Space {
            available_bytes,
            ..number(capacity_bytes)
        })
        .map_err(|reason| format!("{} answers with {reason}", self.shown()))
    }

    fn query(
        &self,
        agent: &Agent,
        login: Option<&str>,
        query: &str,
        now: Timestamp,
    ) -> Result<u64, String> {
        let at = self.shown();
        let mut url = self.url.clone();
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut request = agent.get(url.as_str()).query("query", query);
        if let Some(login) = login {
            request = request.header("authorization", login);
        }
        let mut response = request.call().map_err(|error| format!("{at}: {error}"))?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(format!(
                "{at} refuses to answer ({status}): look at token_file, or username and password_file"
            ));
        }
        if status.is_redirection() {
            return Err(format!(
                "{at} sends elsewhere ({status}): name that address as `url`"
            ));
        }
        let mut text = Vec::new();
        let body = response.body_mut().as_reader();
        body.take(MOST_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|error| format!("{at}: {error}"))?;
        if text.len() as u64 > MOST_BYTES {
            return Err(format!("{at} answers with more than {MOST_BYTES} bytes"));
        }
        let answer: Answer = serde_json::from_slice(&text)
            .map_err(|_| format!("{at} does not answer as Prometheus does ({status})"))?;
        let data = answer.data.ok_or_else(|| {
            let kind = answer.error_type.unwrap_or_else(|| status.to_string());
            format!("{at} refuses the query ({kind})")
        })?;
        one_number(data, now).map_err(|reason| format!("{at} answers `{query}` with {reason}"))
    }

    fn shown(&self) -> String {
        self.url.to_string()
    }
}

fn one_number(data: Data, now: Timestamp) -> Result<u64, String> {
    let (at, text) = match data {
        Data::Scalar(value) => value,
        Data::Vector(mut elements) => match (elements.pop(), elements.len()) {
            (Some(only), 0) => only.value,
            (None, _) => return Err("nothing".to_owned()),
            (Some(_), more) => return Err(format!("{} series: name one", more + 1)),
        },
        Data::Matrix(_) | Data::String(_) => return Err("neither a vector nor a scalar".to_owned()),
    };
    let age = (now.as_second() as f64 - at).abs();
    if age.is_nan() || age > TOO_OLD.as_secs_f64() {
        return Err("a value of another time".to_owned());
    }
    let value: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    // Beyond 2^63 it is no size, and would not be exact.
    if !value.is_finite() || !(0.0..9.2e18).contains(&value) {
        return Err(format!("{value}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "its range was looked at"
    )]
    Ok(value as u64)
}

fn agent(timeout: Duration) -> Agent {
    static TLS: LazyLock<TlsConfig> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs();
        let roots: Vec<_> = found
            .certs
            .iter()
            .map(|root| ureq::tls::Certificate::from_der(root).to_owned())
            .collect();
        TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build()
    });
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        // A login goes where it was meant to go.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("plimsoll")
        .tls_config(TLS.clone())
        .build()
        .new_agent()
}
