//! One request over HTTP or HTTPS, and what was answered.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use secrecy::{ExposeSecret as _, SecretString};
pub use ureq::http::StatusCode;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, RequestBuilder, Timeout};

use crate::address::Address;
use crate::login::Login;
use crate::trust::{added_roots, roots};

/// Who does not take up the connection within this time does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much later than asked a request may end: its own limit may be late where a name is looked up.
const GRACE: Duration = Duration::from_secs(1);

/// What is asked. Debug shows no secret.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where.
    pub address: Address,
    /// How to get in.
    pub login: Login,
    /// Headers beside those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent; none is a GET.
    pub body: Option<Vec<u8>>,
    /// How long it may take in all.
    pub timeout: Duration,
    /// A PEM file of authorities that are trusted beside those of this host.
    pub ca_file: Option<PathBuf>,
    /// More of the answer is not read.
    pub most_bytes: u64,
}

/// What was answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header `Retry-After`, as it was written.
    pub retry_after: Option<String>,
    /// The beginning of its body, at most as much as was asked for.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// Why there is no answer. Each text is for people, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Something that the request needs is not there: a file of a secret or of authorities.
    #[error("{0}")]
    NotReady(String),
    /// It took too long.
    #[error("{0} did not answer within {1} ms (timeout)")]
    TimedOut(String, u128),
    /// Nobody was reached, or the connection ended before the answer did.
    #[error("{0}: {1}")]
    Broken(String, String),
}

/// Makes a request. Dropping it leaves it: what is under way ends by its own limit, and nobody waits for it.
pub async fn call(request: Request) -> Result<Answer, CallError> {
    let limit = request.timeout + GRACE;
    let late = CallError::TimedOut(request.address.to_string(), request.timeout.as_millis());
    let at = request.address.to_string();
    let calling = tokio::task::spawn_blocking(move || call_here(&request));
    match tokio::time::timeout(limit, calling).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(CallError::Broken(at, format!("calling failed: {error}"))),
        Err(_) => Err(late),
    }
}

fn call_here(request: &Request) -> Result<Answer, CallError> {
    let at = || request.address.to_string();
    let failed = |error: ureq::Error| match error {
        ureq::Error::Timeout(limit) => timed_out(at(), request, limit),
        error => CallError::Broken(at(), reason(error)),
    };
    let login = request.login.header().map_err(CallError::NotReady)?;
    let login = login.as_ref().or(request.address.authorization());
    let agent = match &request.ca_file {
        None => AGENT.clone(),
        Some(file) => {
            let added =
                added_roots(file).map_err(|error| CallError::NotReady(error.to_string()))?;
            agent(roots().iter().chain(&added))
        }
    };
    let url = request.address.url();
    let mut response = match &request.body {
        None => prepared(agent.get(url), request, login).call(),
        Some(body) => prepared(agent.post(url), request, login).send(body.as_slice()),
    }
    .map_err(failed)?;
    let status = response.status();
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    reader
        .take(request.most_bytes.saturating_add(1))
        .read_to_end(&mut body)
        .map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Timeout(limit) => timed_out(at(), request, limit),
            error => CallError::Broken(at(), format!("the answer broke off: {}", reason(error))),
        })?;
    let is_cut = body.len() as u64 > request.most_bytes;
    if is_cut {
        body.pop();
    }
    Ok(Answer {
        status,
        retry_after,
        body,
        is_cut,
    })
}

fn timed_out(at: String, request: &Request, limit: Timeout) -> CallError {
    let limit = match limit {
        Timeout::Connect | Timeout::Resolve => request.timeout.min(CONNECT_TIMEOUT),
        _ => request.timeout,
    };
    CallError::TimedOut(at, limit.as_millis())
}

/// Why there is no answer, for people. Only what is known to repeat nothing of the request is passed on.
fn reason(error: ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "it did not answer in time (timeout)".to_owned(),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
        ureq::Error::Rustls(error) => error.to_string(),
        ureq::Error::Tls(reason) => reason.to_owned(),
        ureq::Error::Protocol(_) => "it does not speak HTTP".to_owned(),
        ureq::Error::LargeResponseHeader(..) => "its answer has too many headers".to_owned(),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            "that cannot be sent (a line break in a secret, perhaps)".to_owned()
        }
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            "the proxy that the environment names cannot be used".to_owned()
        }
        _ => "it cannot be called".to_owned(),
    }
}

/// A request with its limits and headers.
fn prepared<Body>(
    builder: RequestBuilder<Body>,
    request: &Request,
    login: Option<&SecretString>,
) -> RequestBuilder<Body> {
    let mut builder = builder
        .config()
        .timeout_global(Some(request.timeout))
        .timeout_connect(Some(request.timeout.min(CONNECT_TIMEOUT)))
        .build();
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.as_str());
    }
    match login {
        Some(login) => builder.header("authorization", login.expose_secret()),
        None => builder,
    }
}

/// Makes requests of whom this host trusts: its authorities are read once.
static AGENT: LazyLock<Agent> = LazyLock::new(|| agent(roots().iter()));

/// What makes requests: no redirect is followed, no status is an error, and no connection is kept.
fn agent<'a>(roots: impl Iterator<Item = &'a CertificateDer<'static>>) -> Agent {
    Agent::config_builder()
        .max_idle_connections(0)
        .http_status_as_error(false)
        // A login goes where it was meant to go.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("plimsoll")
        .tls_config(tls(roots))
        .build()
        .new_agent()
}

fn tls<'a>(roots: impl Iterator<Item = &'a CertificateDer<'static>>) -> TlsConfig {
    let roots: Vec<_> = roots
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}
