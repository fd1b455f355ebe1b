//! A receiver over HTTP that does what it is told with each request, also what no good one does.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::Certificate;

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with this status, these headers and this body.
    Answers(u16, String, &'static str),
    /// Reads it, and never answers.
    Hangs,
    /// Reads it, and closes.
    Closes,
    /// Begins a good answer, and closes in the middle of its head.
    ClosesInHead,
    /// Begins a good answer, and closes in the middle of its body.
    ClosesInBody,
    /// Begins a good answer that never ends, a little at a time.
    Drips,
    /// Answers well, with a body that has no end.
    Floods,
}

pub(crate) fn answers(status: u16) -> Does {
    Does::Answers(status, String::new(), "")
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Runs until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    _running: JoinSet<()>,
}

impl Receiver {
    /// Does these one after the other, and then answers well.
    pub(crate) async fn start(script: impl IntoIterator<Item = Does>) -> Self {
        Self::begin(script, None).await
    }

    /// The same over TLS.
    pub(crate) async fn start_over_tls(certificate: &Certificate) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::from_pem_file(&certificate.chain).unwrap();
        let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::begin([], Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn begin(script: impl IntoIterator<Item = Does>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        let mut running = JoinSet::new();
        running.spawn(async move {
            // They end with it.
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
                match tls.clone() {
                    None => serving.spawn(serve(stream, script, kept)),
                    Some(tls) => serving.spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, script, kept).await;
                        }
                    }),
                };
            }
        });
        Self {
            address,
            got,
            _running: running,
        }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Arc<Mutex<VecDeque<Does>>>,
    kept: Arc<Mutex<Vec<Got>>>,
) {
    let Some(got) = read(&mut stream).await else {
        return;
    };
    let does = script.lock().unwrap().pop_front();
    kept.lock().unwrap().push(got);
    let text = match does.unwrap_or_else(|| answers(204)) {
        Does::Answers(status, headers, body) => format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
            body.len()
        ),
        Does::Hangs => std::future::pending().await,
        Does::Closes => return,
        Does::ClosesInHead => "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        Does::ClosesInBody => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ok\":".to_owned(),
        Does::Drips => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
            let _ = stream.write_all(head).await;
            while stream.write_all(b".").await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            return;
        }
        Does::Floods => {
            let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(head).await;
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Got> {
    let mut text = Vec::new();
    let end = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.ok().filter(|&read| read > 0)?;
        text.extend_from_slice(&part[..read]);
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(text[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = text.split_off(end + 4);
    while body.len() < length {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.ok().filter(|&read| read > 0)?;
        body.extend_from_slice(&part[..read]);
    }
    let body = String::from_utf8(body).unwrap();
    Some(Got {
        line,
        headers,
        body,
    })
}
