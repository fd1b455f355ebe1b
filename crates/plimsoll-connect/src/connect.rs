//! Opens connections: hosts in turn, TLS as asked, an end to waiting, and what broke a connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll_core::name;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode as ClientSslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, Config, NoTls, SimpleQueryMessage};

use crate::error::{ConnectError, Peer};
use crate::socket::{Address, Socket};
use crate::startup::{Asked, Startup, StartupTls};
use crate::tls;
use crate::url::{DatabaseUrl, Host, Place, SessionKind, SslMode, TlsChoice};

/// How long a request to cancel may take to reach the server.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// `server_encoding`: the encoding of the database, as the server announced it.
    pub encoding: Option<String>,
    way: Way,
    broken_by: BrokenBy,
}

/// How the server was reached, for requests to cancel.
#[derive(Clone)]
struct Way {
    address: Address,
    tls: Option<StartupTls>,
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
    pub async fn cancel(&self) -> io::Result<()> {
        self.way.cancel(self.client.cancel_token()).await
    }

    /// As [`Connected::cancel`], for when the connection itself is about to go.
    pub fn cancel_in_background(&self, runtime: &tokio::runtime::Handle) {
        let (token, way) = (self.client.cancel_token(), self.way.clone());
        runtime.spawn(async move {
            // Best effort: `statement_timeout` ends the statement anyway.
            let _ = way.cancel(token).await;
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

impl Way {
    async fn cancel(&self, token: CancelToken) -> io::Result<()> {
        let sent = async {
            let socket = self.address.open(CANCEL_TIMEOUT).await?;
            match &self.tls {
                Some(tls) => token.cancel_query_raw(socket, tls.clone()).await,
                None => token.cancel_query_raw(socket, NoTls).await,
            }
            .map_err(io::Error::other)
        };
        tokio::time::timeout(CANCEL_TIMEOUT, sent)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
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
        let timeout = self.connect_timeout().unwrap_or(connect_timeout);
        let rounds: &[SessionKind] = match self.session() {
            SessionKind::PreferStandby => &[SessionKind::Standby, SessionKind::Any],
            kind => &[kind],
        };
        let mut last = None;
        for kind in rounds {
            for host in self.hosts() {
                let reaching = Reaching {
                    url: self,
                    host,
                    application_name,
                    timeout,
                };
                match reaching.host(*kind).await {
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

/// Why a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// `pg_hba.conf` turned this way of connecting down, or the server has no TLS.
    OfWay,
    /// The server has no conversion between the database's encoding and ours.
    Unconvertible,
    Other,
}

/// One host of a URL, and as whom it is asked.
struct Reaching<'a> {
    url: &'a DatabaseUrl,
    host: &'a Host,
    application_name: &'a str,
    timeout: Duration,
}

impl Reaching<'_> {
    /// Tries each address of the host: one that does not answer does not use up the time of the next one.
    async fn host(&self, kind: SessionKind) -> Result<Connected, ConnectError> {
        let addresses = self.in_time(Address::all(self.host)).await?;
        let addresses = addresses.map_err(|error| self.unreachable(&error))?;
        let mut last = None;
        for address in addresses {
            match self.address(&address).await {
                Ok(connected) => {
                    self.in_time(self.check(&connected.client, kind)).await??;
                    return Ok(connected);
                }
                Err(error) if error.another_host_may_answer() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| self.unreachable(&"the name has no address")))
    }

    async fn address(&self, address: &Address) -> Result<Connected, ConnectError> {
        // A name that the client library cannot write is put in on its way.
        let database = self.url.database().map(name::bytes_of);
        let database = database.filter(|bytes| std::str::from_utf8(bytes).is_err());
        let mut asked = Asked {
            database: database.map(std::borrow::Cow::into_owned),
            is_unconverted: false,
        };
        match self.address_asked(address, &asked).await {
            Err((_, Refusal::Unconvertible)) => {
                asked.is_unconverted = true;
                self.address_asked(address, &asked).await
            }
            opened => opened,
        }
        .map_err(|(error, _)| error)
    }

    async fn address_asked(
        &self,
        address: &Address,
        asked: &Asked,
    ) -> Result<Connected, (ConnectError, Refusal)> {
        let other = |error| (error, Refusal::Other);
        let choice = self.url.tls();
        let mut config = self.url.config(self.host, self.application_name);
        if choice.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        // libpq: sockets carry no TLS, whatever sslmode says. `allow` begins in plain text, `prefer`
        // with TLS, and both try the other way when the server turns the first one down.
        let attempts: &[ClientSslMode] = match (&self.host.place, choice.mode) {
            (Place::Unix(_), _) | (_, SslMode::Disable) => &[ClientSslMode::Disable],
            (_, SslMode::Allow) => &[ClientSslMode::Disable, ClientSslMode::Require],
            // Whether TLS came about must be known beforehand to know where something is put in.
            (_, SslMode::Prefer) if asked.is_special() => {
                &[ClientSslMode::Require, ClientSslMode::Disable]
            }
            (_, SslMode::Prefer) => &[ClientSslMode::Prefer, ClientSslMode::Disable],
            _ => &[ClientSslMode::Require],
        };
        let mut first: Option<ConnectError> = None;
        for (at, mode) in attempts.iter().enumerate() {
            config.ssl_mode(*mode);
            let tls = match mode {
                ClientSslMode::Disable => None,
                _ => Some(self.tls(asked.clone()).map_err(other)?),
            };
            let way = Way {
                address: address.clone(),
                tls,
            };
            let attempt = self.in_time(self.attempt(&config, way, asked.clone()));
            let (error, refusal) = match attempt.await.map_err(other)? {
                Ok(connected) => return Ok(connected),
                Err(refused) => refused,
            };
            let may_go_on = refusal == Refusal::OfWay;
            let is_tls = matches!(error, ConnectError::TlsFailed { .. });
            if at + 1 == attempts.len() || !may_go_on {
                // The server's own words about the first try say more than "it has no TLS" about the second.
                return Err(match first {
                    Some(first) if is_tls => other(first),
                    _ => (error, refusal),
                });
            }
            first = Some(error);
        }
        Err(other(first.unwrap_or_else(|| {
            self.unreachable(&"no way to connect was left")
        })))
    }

    /// One try. Where TLS failed otherwise than because the server has none, plain text behind somebody's back would
    /// be less safe than asked.
    async fn attempt(
        &self,
        config: &Config,
        way: Way,
        asked: Asked,
    ) -> Result<Connected, (ConnectError, Refusal)> {
        // A name may have several addresses: one that does not answer must not use up the time of the next one.
        let socket = way.address.open(self.timeout / 2).await;
        let socket = socket.map_err(|error| (self.unreachable(&error), Refusal::Other))?;
        let opened = match &way.tls {
            Some(tls) => {
                let socket = Startup::new(socket, Asked::default());
                let opened = config.connect_raw(socket, tls.clone()).await;
                opened.map(|(client, connection)| self.drive(client, connection, way.clone()))
            }
            None => {
                let socket = Startup::new(socket, asked);
                let opened = config.connect_raw(socket, NoTls).await;
                opened.map(|(client, connection)| self.drive(client, connection, way.clone()))
            }
        };
        opened.map_err(|error| {
            let code = error.code();
            let is_refused = code == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
            let is_unconvertible = code == Some(&SqlState::FEATURE_NOT_SUPPORTED);
            let error = self.peer(&self.host.text()).refusal(&error);
            let has_no_tls = matches!(
                &error,
                ConnectError::TlsFailed { reason, .. } if tls::has_none(reason)
            );
            let refusal = match is_refused || has_no_tls {
                true => Refusal::OfWay,
                false if is_unconvertible => Refusal::Unconvertible,
                false => Refusal::Other,
            };
            (with_advice(error, self.url.tls()), refusal)
        })
    }

    fn drive<T>(
        &self,
        client: Client,
        connection: tokio_postgres::Connection<Startup<Socket>, T>,
        way: Way,
    ) -> Connected
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let announced = |parameter| connection.parameter(parameter).map(str::to_owned);
        let (version, encoding) = (announced("server_version"), announced("server_encoding"));
        let broken_by = BrokenBy::default();
        let noticed = Arc::clone(&broken_by);
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                *noticed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Connected {
            client,
            task,
            server: self.host.text(),
            is_unix_socket: matches!(self.host.place, Place::Unix(_)),
            version,
            encoding,
            way,
            broken_by,
        }
    }

    /// Whether the server is of the kind that `target_session_attrs` asks for.
    async fn check(&self, client: &Client, kind: SessionKind) -> Result<(), ConnectError> {
        let (sql, wanted, otherwise) = match kind {
            SessionKind::Any | SessionKind::PreferStandby => return Ok(()),
            SessionKind::ReadWrite => (
                "show transaction_read_only",
                "off",
                "the session is read-only",
            ),
            SessionKind::ReadOnly => (
                "show transaction_read_only",
                "on",
                "the session is not read-only",
            ),
            SessionKind::Primary => (
                "select pg_catalog.pg_is_in_recovery()",
                "f",
                "it is a standby",
            ),
            SessionKind::Standby => (
                "select pg_catalog.pg_is_in_recovery()",
                "t",
                "it is no standby",
            ),
        };
        let server = self.host.text();
        let answer = client.simple_query(sql).await;
        let answer = answer.map_err(|error| self.peer(&server).refusal(&error))?;
        let is_wanted = answer.iter().any(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).is_ok_and(|found| found == Some(wanted)),
            _ => false,
        });
        if is_wanted {
            return Ok(());
        }
        Err(self.unreachable(&format!(
            "{otherwise}, and target_session_attrs asks for another"
        )))
    }

    fn tls(&self, asked: Asked) -> Result<StartupTls, ConnectError> {
        let tls = tls::connector(self.url.tls()).map_err(|reason| ConnectError::TlsFailed {
            server: self.host.text(),
            reason,
        })?;
        let host = match &self.host.place {
            Place::Tcp(name, _) => name.clone(),
            Place::Unix(_) => String::new(),
        };
        Ok(StartupTls { tls, host, asked })
    }

    fn peer<'a>(&'a self, server: &'a str) -> Peer<'a> {
        Peer {
            server,
            user: self.url.user(),
            database: self.url.database(),
        }
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> ConnectError {
        ConnectError::Unreachable {
            server: self.host.text(),
            reason: reason.to_string(),
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, ConnectError> {
        tokio::time::timeout(self.timeout, work)
            .await
            .map_err(|_| ConnectError::TimedOut {
                server: self.host.text(),
            })
    }
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
