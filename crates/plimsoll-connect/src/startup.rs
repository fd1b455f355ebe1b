//! Asks for what the client library cannot: a database whose name is no text (the library takes UTF-8 only,
//! PostgreSQL keeps bytes), and text in no encoding (the library always asks for UTF-8).
//!
//! The startup message is the first thing that is sent on a connection (with TLS: within it). Here both are
//! replaced in it on its way; everything after it passes untouched.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What the startup message is to say other than the client wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub database: Option<Vec<u8>>,
    /// The server is to convert no text: not each encoding of a database has a conversion to UTF-8.
    pub is_unconverted: bool,
}

impl Asked {
    /// Whether it is anything else than the client wrote.
    pub(crate) fn is_special(&self) -> bool {
        *self != Self::default()
    }

    fn value<'a>(&'a self, key: &[u8], written: &'a [u8]) -> &'a [u8] {
        match (key, &self.database) {
            (b"database", Some(database)) => database,
            (b"client_encoding", _) if self.is_unconverted => b"SQL_ASCII",
            _ => written,
        }
    }
}

/// A stream whose first message may say something else than the client wrote.
#[derive(Debug)]
pub(crate) struct Startup<S> {
    inner: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The message has not arrived whole.
    Gathering {
        asked: Asked,
        message: Vec<u8>,
    },
    /// It is on its way; so much of it went out.
    Sending {
        message: Vec<u8>,
        sent: usize,
    },
    Passing,
}

impl<S> Startup<S> {
    /// With what is to be put in, if anything.
    pub(crate) fn new(inner: S, asked: Asked) -> Self {
        let state = match asked.is_special() {
            false => State::Passing,
            true => State::Gathering {
                asked,
                message: Vec::new(),
            },
        };
        Self { inner, state }
    }
}

/// The message as it is asked for. Its pairs of key and value end in zero bytes, after length and version.
fn rewritten(message: &[u8], asked: &Asked) -> io::Result<Vec<u8>> {
    let unexpected = || io::Error::new(io::ErrorKind::InvalidData, "not a startup message");
    let (head, pairs) = message.split_at_checked(8).ok_or_else(unexpected)?;
    let mut out = head.to_vec();
    let mut texts = pairs.split(|byte| *byte == 0);
    while let Some(key) = texts.next().filter(|key| !key.is_empty()) {
        let value = texts.next().ok_or_else(unexpected)?;
        for text in [key, asked.value(key, value)] {
            out.extend_from_slice(text);
            out.push(0);
        }
    }
    out.push(0);
    let length = u32::try_from(out.len()).map_err(|_| unexpected())?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

/// Whether a message is whole: its first four bytes say how long it is.
fn is_whole(message: &[u8]) -> bool {
    message.first_chunk().is_some_and(|length| {
        usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| message.len() >= length)
    })
}

impl<S: AsyncWrite + Unpin> Startup<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let State::Sending { message, sent } = &mut self.state {
            let rest = message.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                self.state = State::Passing;
                break;
            }
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => *sent += written,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Startup<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Startup<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        let State::Gathering { asked, message } = &mut this.state else {
            return Pin::new(&mut this.inner).poll_write(cx, buf);
        };
        message.extend_from_slice(buf);
        if is_whole(message) {
            this.state = State::Sending {
                message: rewritten(message, asked)?,
                sent: 0,
            };
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Startup<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// TLS to one host, and the startup message within it.
#[derive(Clone)]
pub(crate) struct StartupTls {
    pub tls: MakeRustlsConnect,
    /// The name that the server's certificate is asked for.
    pub host: String,
    pub asked: Asked,
}

type TlsOf<S> = <MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect;

impl<S> TlsConnect<S> for StartupTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    <TlsOf<S> as TlsConnect<S>>::Future: Send,
{
    type Stream = Startup<<TlsOf<S> as TlsConnect<S>>::Stream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(mut self, stream: S) -> Self::Future {
        Box::pin(async move {
            let tls = MakeTlsConnect::<S>::make_tls_connect(&mut self.tls, &self.host)?;
            let stream = tls.connect(stream).await?;
            Ok(Startup::new(stream, self.asked))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn message(database: &[u8], encoding: &[u8]) -> Vec<u8> {
        let mut message = vec![0, 0, 0, 0, 0, 3, 0, 0];
        for text in [
            b"user".as_slice(),
            b"database",
            b"database",
            database,
            b"client_encoding",
            encoding,
            b"options",
            b"-c x=y",
        ] {
            message.extend_from_slice(text);
            message.push(0);
        }
        message.push(0);
        let length = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&length.to_be_bytes());
        message
    }

    /// However the message is cut, and whatever follows it.
    #[tokio::test]
    async fn only_what_is_asked_for_in_the_first_message_is_another() {
        let name = || Some(b"caf\xe9".to_vec());
        for (database, is_unconverted, becomes) in [
            (name(), false, message(b"caf\xe9", b"UTF8")),
            (None, true, message(b"postgres", b"SQL_ASCII")),
            (name(), true, message(b"caf\xe9", b"SQL_ASCII")),
        ] {
            for piece in [1, 5, 1000] {
                let asked = Asked {
                    database: database.clone(),
                    is_unconverted,
                };
                let next = message(b"next", b"UTF8");
                let expected = [becomes.clone(), next.clone()].concat();
                let (client, mut server) = tokio::io::duplex(64);
                let mut client = Startup::new(client, asked);
                let reading = async {
                    let mut all = vec![0; expected.len()];
                    server.read_exact(&mut all).await.unwrap();
                    all
                };
                let writing = async {
                    for piece in message(b"postgres", b"UTF8").chunks(piece) {
                        client.write_all(piece).await.unwrap();
                    }
                    client.flush().await.unwrap();
                    client.write_all(&next).await.unwrap();
                    client.flush().await.unwrap();
                };
                let (all, ()) = tokio::join!(reading, writing);
                assert_eq!(all, expected);
            }
        }
    }
}
