//! Opens connections: hosts in turn, TLS as asked, an end to waiting, and what broke a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode as ClientSslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{ConnectError, Peer};
use crate::tls;
use crate::url::{DatabaseUrl, Host, Place, SessionKind, SslMode, TlsChoice};

/// An open connection.
pub struct Connected {
    /// Sends statements.
    pub client: Client,
    /// Drives the connection, and ends with it.
    pub task: JoinHandle<()>,
    /// `host:port` or the socket's path of the host that answered.
    pub server: String,
    /// Whether it goes through a Unix-domain socket.
    pub is_unix_socket: bool,
    /// `server_version`, as the server announced it.
    pub version: Option<String>,
    tls: Option<MakeRustlsConnect>,
    broken_by: BrokenBy,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

type BrokenBy = Arc<Mutex<Option<tokio_postgres::Error>>>;

impl Connected {
    /// Asks the server to stop what runs on this connection, over TLS where the connection uses it.
    pub async fn cancel(&self) -> Result<(), tokio_postgres::Error> {
        let token = self.client.cancel_token();
        match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        }
    }

    /// As [`Connected::cancel`], for when the connection itself is about to go.
    pub fn cancel_in_background(&self, runtime: &tokio::runtime::Handle) {
        let (token, tls) = (self.client.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            let sent = async {
                match tls {
                    Some(tls) => token.cancel_query(tls).await,
                    None => token.cancel_query(NoTls).await,
                }
            };
            // Best effort: `statement_timeout` ends the statement anyway.
            let _ = tokio::time::timeout(Duration::from_secs(2), sent).await;
        });
    }

    /// What the server said when it ended the connection, where the client only saw it closed.
    pub fn broken_by(&self) -> Option<tokio_postgres::Error> {
        self.broken_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl DatabaseUrl {
    /// Tries the hosts of the URL in turn, until one answers.
    ///
    /// `connect_timeout` holds for each host of the URL, unless the URL has its own.
    pub async fn connect(
        &self,
        application_name: &str,
        connect_timeout: Duration,
    ) -> Result<Connected, ConnectError> {
        let connect_timeout = self.connect_timeout().unwrap_or(connect_timeout);
        let kinds: &[TargetSessionAttrs] = match self.session() {
            SessionKind::Any => &[TargetSessionAttrs::Any],
            SessionKind::ReadWrite => &[TargetSessionAttrs::ReadWrite],
            SessionKind::ReadOnly => &[TargetSessionAttrs::ReadOnly],
            SessionKind::PreferStandby => &[TargetSessionAttrs::ReadOnly, TargetSessionAttrs::Any],
        };
        let mut last = None;
        for kind in kinds {
            for host in self.hosts() {
                let mut config = self.config(host, application_name);
                config.target_session_attrs(*kind);
                // A name may have several addresses: one that does not answer must not use up the
                // time of the next one.
                config.connect_timeout(connect_timeout / 2);
                match open_host(self, host, config, connect_timeout).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) if error.another_host_may_answer() => last = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| ConnectError::Unreachable {
            server: self.host_text(),
            reason: "the URL names no host".to_owned(),
        }))
    }
}

async fn open_host(
    url: &DatabaseUrl,
    host: &Host,
    mut config: Config,
    connect_timeout: Duration,
) -> Result<Connected, ConnectError> {
    let server = host.text();
    let choice = url.tls();
    // libpq: sockets carry no TLS, whatever sslmode says. `allow` begins in plain text, `prefer`
    // with TLS, and both try the other way when the server turns the first one down.
    let attempts: &[ClientSslMode] = match (&host.place, choice.mode) {
        (Place::Unix(_), _) | (_, SslMode::Disable) => &[ClientSslMode::Disable],
        (_, SslMode::Allow) => &[ClientSslMode::Disable, ClientSslMode::Require],
        (_, SslMode::Prefer) => &[ClientSslMode::Prefer, ClientSslMode::Disable],
        _ => &[ClientSslMode::Require],
    };
    let peer = Peer {
        server: &server,
        user: url.user(),
        database: url.database(),
    };
    if choice.direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    let mut first: Option<ConnectError> = None;
    for (at, mode) in attempts.iter().enumerate() {
        config.ssl_mode(*mode);
        let tls = match mode {
            ClientSslMode::Disable => None,
            _ => Some(
                tls::connector(choice).map_err(|reason| ConnectError::TlsFailed {
                    server: server.clone(),
                    reason,
                })?,
            ),
        };
        let attempt = async {
            match &tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls.clone()).await?;
                    Ok(drive(client, connection))
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    Ok(drive(client, connection))
                }
            }
        };
        let error: tokio_postgres::Error =
            match tokio::time::timeout(connect_timeout, attempt).await {
                Ok(Ok((client, task, version, broken_by))) => {
                    return Ok(Connected {
                        client,
                        task,
                        server,
                        is_unix_socket: matches!(host.place, Place::Unix(_)),
                        version,
                        tls,
                        broken_by,
                    });
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(ConnectError::TimedOut { server });
                }
            };
        let is_refused = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let error = with_advice(peer.refusal(&error), choice);
        let is_tls = matches!(error, ConnectError::TlsFailed { .. });
        if at + 1 == attempts.len() || !(is_refused || is_tls) {
            // The server's own words about the first try say more than "it has no TLS" about the second.
            return Err(match first {
                Some(first) if is_tls => first,
                _ => error,
            });
        }
        first = Some(error);
    }
    Err(first.unwrap_or(ConnectError::Unreachable {
        server,
        reason: "no way to connect was left".to_owned(),
    }))
}

/// With TLS 1.3 the server's verdict on the client certificate comes after the handshake.
fn with_advice(error: ConnectError, choice: &TlsChoice) -> ConnectError {
    match error {
        ConnectError::Lost { server, reason } if reason.contains("fatal alert") => {
            ConnectError::TlsFailed {
                server,
                reason: tls::advice(&reason, choice),
            }
        }
        ConnectError::TlsFailed { server, reason } => ConnectError::TlsFailed {
            server,
            reason: tls::advice(&reason, choice),
        },
        error => error,
    }
}

fn drive<S, T>(
    client: Client,
    connection: tokio_postgres::Connection<S, T>,
) -> (Client, JoinHandle<()>, Option<String>, BrokenBy)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version = connection.parameter("server_version").map(str::to_owned);
    let broken_by = BrokenBy::default();
    let noticed = Arc::clone(&broken_by);
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            *noticed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    });
    (client, task, version, broken_by)
}
