//! A receiver's address over HTTP, with what reaching it takes.

use std::path::PathBuf;
use std::time::Duration;

use plimsoll_call::http::{Answer, CallError, Request, call};
use plimsoll_call::{Address, Login};

/// Of an answer no more is read: it says all that is asked in its first line.
const MOST_BYTES: u64 = 64 << 10;

#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    pub(crate) login: Login,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Endpoint {
    /// Where it is, for people: no more of it than is no secret.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// Sends JSON there, with these headers beside.
    pub(crate) async fn post(
        &self,
        body: Vec<u8>,
        mut headers: Vec<(&'static str, String)>,
    ) -> Result<Answer, CallError> {
        headers.insert(0, ("content-type", "application/json".to_owned()));
        self.call(Some(body), headers).await
    }

    /// Asks there for nothing.
    pub(crate) async fn get(&self) -> Result<Answer, CallError> {
        self.call(None, Vec::new()).await
    }

    async fn call(
        &self,
        body: Option<Vec<u8>>,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Answer, CallError> {
        call(Request {
            address: self.address.clone(),
            login: self.login.clone(),
            headers,
            body,
            timeout: self.timeout,
            ca_file: self.ca_file.clone(),
            most_bytes: MOST_BYTES,
        })
        .await
    }
}
