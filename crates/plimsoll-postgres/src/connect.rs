//! Opens connections: hosts in turn, TLS as asked, an end to waiting, and what broke a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode as ClientSslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Scene, VisitError};
use crate::tls;
use crate::url::{DatabaseUrl, Host, Place, SessionKind, SslMode};

/// An open connection.
pub(crate) struct Connected {
    pub client: Client,
    /// Drives the connection; ends when it does.
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

type BrokenBy = Arc<Mutex<Option<tokio_postgres::Error>>>;

impl Connected {
    /// Asks the server to stop what runs on this connection, over TLS where the connection uses it.
    pub(crate) async fn cancel(&self) -> Result<(), tokio_postgres::Error> {
        let token = self.client.cancel_token();
        match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        }
    }

    /// As [`Connected::cancel`], for when the connection itself is about to go.
    pub(crate) fn cancel_in_background(&self, runtime: &tokio::runtime::Handle) {
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
    pub(crate) fn broken_by(&self) -> Option<tokio_postgres::Error> {
        self.broken_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl DatabaseUrl {
    /// Opens a connection that may write, for Plimsoll's own store. The task drives the connection
    /// and ends with it.
    ///
    /// `connect_timeout` holds for each host of the URL, unless the URL has its own.
    pub async fn connect(
        &self,
        application_name: &str,
        connect_timeout: Duration,
    ) -> Result<(Client, JoinHandle<()>), VisitError> {
        let connected = open(self, application_name, connect_timeout).await?;
        Ok((connected.client, connected.task))
    }
}

/// Tries the hosts of the URL in turn, until one answers.
pub(crate) async fn open(
    url: &DatabaseUrl,
    application_name: &str,
    connect_timeout: Duration,
) -> Result<Connected, VisitError> {
    let connect_timeout = url.connect_timeout().unwrap_or(connect_timeout);
    let kinds: &[TargetSessionAttrs] = match url.session() {
        SessionKind::Any => &[TargetSessionAttrs::Any],
        SessionKind::ReadWrite => &[TargetSessionAttrs::ReadWrite],
        SessionKind::ReadOnly => &[TargetSessionAttrs::ReadOnly],
        SessionKind::PreferStandby => &[TargetSessionAttrs::ReadOnly, TargetSessionAttrs::Any],
    };
    let mut last = None;
    for kind in kinds {
        for host in url.hosts() {
            let mut config = url.config(host, application_name);
            config.target_session_attrs(*kind);
            // A name may have several addresses: one that does not answer must not use up the time
            // of the next one.
            config.connect_timeout(connect_timeout / 2);
            match open_host(url, host, config, connect_timeout).await {
                Ok(connected) => return Ok(connected),
                Err(error) if error.another_host_may_answer() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
    }
    Err(last.unwrap_or_else(|| VisitError::Unreachable {
        server: url.host_text(),
        reason: "the URL names no host".to_owned(),
    }))
}

async fn open_host(
    url: &DatabaseUrl,
    host: &Host,
    mut config: Config,
    connect_timeout: Duration,
) -> Result<Connected, VisitError> {
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
    let scene = Scene {
        server: &server,
        user: url.user(),
        database: url.database(),
        attempted: "connecting",
    };
    if choice.direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    let mut first: Option<VisitError> = None;
    for (at, mode) in attempts.iter().enumerate() {
        config.ssl_mode(*mode);
        let tls = match mode {
            ClientSslMode::Disable => None,
            _ => Some(
                tls::connector(choice).map_err(|reason| VisitError::TlsFailed {
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
                    return Err(VisitError::TimedOut {
                        server,
                        attempted: "connecting".to_owned(),
                    });
                }
            };
        let is_refused = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let error = explained(&scene, &error, choice);
        let is_tls = matches!(error, VisitError::TlsFailed { .. });
        if at + 1 == attempts.len() || !(is_refused || is_tls) {
            // The server's own words about the first try say more than "it has no TLS" about the second.
            return Err(match first {
                Some(first) if is_tls => first,
                _ => error,
            });
        }
        first = Some(error);
    }
    Err(first.unwrap_or(VisitError::Unreachable {
        server,
        reason: "no way to connect was left".to_owned(),
    }))
}

fn explained(
    scene: &Scene<'_>,
    error: &tokio_postgres::Error,
    choice: &crate::url::TlsChoice,
) -> VisitError {
    match scene.error(error) {
        VisitError::TlsFailed { server, reason } => VisitError::TlsFailed {
            server,
            reason: tls::advice(&reason, choice),
        },
        // With TLS 1.3 the server's verdict on the client certificate comes after the handshake.
        VisitError::ConnectionLost { server, reason } if reason.contains("fatal alert") => {
            VisitError::TlsFailed {
                server,
                reason: tls::advice(&reason, choice),
            }
        }
        // The role's own limit, or the database's: also a 42501 when CONNECT is not granted.
        VisitError::QueryFailed { server, reason, .. } => VisitError::ConnectionLost {
            server,
            reason: format!("not a PostgreSQL server's answer, or a refusal: {reason}"),
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
