//! Mail over SMTP: over STARTTLS or TLS, or in the clear only where that was asked for.

mod mail;

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, Tls as Security, TlsParameters,
};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use plimsoll_call::{added_roots, read_secret, roots};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{SendError, SendErrorCode};
use crate::kind::Tls;
use crate::message::Message;
use crate::text::{beginning, line};

/// So much of what a server says is told.
const MOST_CHARACTERS: usize = 300;

#[derive(Clone)]
pub(crate) struct Smtp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
    /// A user, and the file of their password.
    pub(crate) login: Option<(String, PathBuf)>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Smtp {
    pub(crate) fn target(&self) -> String {
        format!("smtp://{}:{}", self.host, self.port)
    }

    pub(crate) async fn send(&self, messages: &[Message]) -> Result<(), SendError> {
        let sending = tokio::time::timeout(self.timeout, self.send_in_time(messages));
        sending.await.unwrap_or_else(|_| Err(self.late()))
    }

    async fn send_in_time(&self, messages: &[Message]) -> Result<(), SendError> {
        let mail = mail::mail(&self.from, &self.to, messages).map_err(|error| {
            SendError::new(
                SendErrorCode::Rejected,
                format!("no mail can be made: {error}"),
            )
        })?;
        let password = self.password()?;
        let transport = self.transport(password.as_ref())?;
        let formatted = mail.formatted();
        let Err(error) = transport.send_raw(mail.envelope(), &formatted).await else {
            return Ok(());
        };
        let error = self.failed(&error, password.as_ref());
        if error.retry_helps() || self.to.len() < 2 {
            return Err(error);
        }
        // A server refuses all of a mail for one recipient that it does not know.
        let mut refused = Vec::new();
        for to in &self.to {
            let from = Some(self.from.email.clone());
            let envelope = Envelope::new(from, vec![to.email.clone()])
                .map_err(|error| SendError::new(SendErrorCode::Rejected, error.to_string()))?;
            if let Err(error) = transport.send_raw(&envelope, &formatted).await {
                let error = self.failed(&error, password.as_ref());
                if error.retry_helps() {
                    return Err(error);
                }
                tracing::warn!(reason = error.text, "alert.channel.recipient_refused");
                refused.push(error);
            }
        }
        match refused.pop() {
            Some(error) if refused.len() + 1 == self.to.len() => Err(error),
            _ => Ok(()),
        }
    }

    fn password(&self) -> Result<Option<SecretString>, SendError> {
        let file = self.login.as_ref().map(|(_, file)| file);
        file.map(|file| read_secret(file))
            .transpose()
            .map_err(|reason| SendError::new(SendErrorCode::NotReady, reason))
    }

    fn transport(
        &self,
        password: Option<&SecretString>,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let security = match self.tls {
            Tls::None => Security::None,
            // Never without: who does not offer it gets nothing.
            Tls::Starttls => Security::Required(self.parameters()?),
            Tls::Tls => Security::Wrapper(self.parameters()?),
        };
        let mut builder: AsyncSmtpTransportBuilder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
                .port(self.port)
                .tls(security)
                .timeout(Some(self.timeout));
        if let (Some((user, _)), Some(password)) = (&self.login, password) {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }

    fn parameters(&self) -> Result<TlsParameters, SendError> {
        let added = self.ca_file.as_deref().map(added_roots).transpose()?;
        let added = added.unwrap_or_default();
        let mut builder =
            TlsParameters::builder(self.host.clone()).certificate_store(CertificateStore::None);
        for root in roots().iter().chain(&added) {
            if let Ok(root) = Certificate::from_der(root.to_vec()) {
                builder = builder.add_root_certificate(root);
            }
        }
        builder.build().map_err(|error| self.failed(&error, None))
    }

    fn late(&self) -> SendError {
        let text = format!(
            "{} did not take it within {} ms (timeout)",
            self.target(),
            self.timeout.as_millis()
        );
        SendError::new(SendErrorCode::TimedOut, text)
    }

    fn failed(&self, error: &Error, password: Option<&SecretString>) -> SendError {
        if error.is_timeout() {
            return self.late();
        }
        let code = match error.status().map(u16::from) {
            // It does not let us in.
            Some(530 | 534 | 535 | 538) => SendErrorCode::Refused,
            Some(500..) => SendErrorCode::Rejected,
            Some(_) => SendErrorCode::Busy,
            None if error.is_client() => SendErrorCode::Refused,
            None => SendErrorCode::Unreachable,
        };
        let said = error.to_string();
        let said = match &self.login {
            Some((user, _)) if repeats(&said, user, password) => {
                "it repeats the password".to_owned()
            }
            _ => beginning(&line(&said), MOST_CHARACTERS),
        };
        SendError::new(code, format!("{}: {said}", self.target()))
    }
}

/// Whether what a server says holds the password, as it is or as it was sent.
fn repeats(said: &str, user: &str, password: Option<&SecretString>) -> bool {
    let Some(password) = password.map(SecretString::expose_secret) else {
        return false;
    };
    [
        password.to_owned(),
        BASE64_STANDARD.encode(password),
        BASE64_STANDARD.encode(format!("\0{user}\0{password}")),
    ]
    .iter()
    .any(|secret| said.contains(secret.as_str()))
}
