//! A small TCP proxy that does to a connection what networks and servers do.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use throwaway_postgres::Server;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Bytes stop, and nobody says anything.
    Hang,
    /// The connection is closed as soon as it is there.
    Refuse,
}

pub(crate) struct Proxy {
    port: u16,
    fault: watch::Sender<Fault>,
    callers: Arc<AtomicUsize>,
}

impl Proxy {
    /// To a server of this machine.
    pub(crate) async fn to(server: &Server) -> Self {
        let socket = format!(".s.PGSQL.{}", server.port());
        let socket = server.folder().join(socket);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (fault, faults) = watch::channel(Fault::None);
        let callers = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&callers);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(caller, socket.clone(), faults.clone()));
            }
        });
        Self {
            port,
            fault,
            callers,
        }
    }

    /// A URL through the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How often somebody connected.
    pub(crate) fn callers(&self) -> usize {
        self.callers.load(Ordering::SeqCst)
    }
}

async fn serve(caller: TcpStream, server: PathBuf, faults: watch::Receiver<Fault>) {
    if *faults.borrow() == Fault::Refuse {
        return;
    }
    let Ok(server) = UnixStream::connect(server).await else {
        return;
    };
    let ((from_caller, to_caller), (from_server, to_server)) =
        (caller.into_split(), server.into_split());
    let there = copy(from_caller, to_server, faults.clone());
    let back = copy(from_server, to_caller, faults);
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut faults: watch::Receiver<Fault>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes).await {
        if count == 0
            || faults
                .wait_for(|fault| *fault != Fault::Hang)
                .await
                .is_err()
        {
            return;
        }
        if *faults.borrow() == Fault::Refuse || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
