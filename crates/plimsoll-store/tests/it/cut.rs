//! A way to a server that can swallow the answer to a commit: what was kept is kept, and nobody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use throwaway_postgres::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What a client sends to commit.
const COMMIT: &[u8] = b"commit\0";
/// What begins a transaction that reads, and one that writes.
const READS: &[u8] = b"begin isolation level repeatable read, read only";
const WRITES: &[u8] = b"begin isolation level read committed";

/// The way; it ends with the runtime.
pub(crate) struct Way {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Way {
    pub(crate) async fn to(server: &'static Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = server
            .sql("postgres", "show unix_socket_directories")
            .unwrap();
        let folder = folder.last().unwrap()[0].clone().unwrap();
        let socket = format!("{folder}/.s.PGSQL.{}", server.port());
        let cut = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let there = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(pass(client, there, Arc::clone(&flag)));
            }
        });
        Self { port, cut }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The answer to the next commit of a transaction that writes is lost, and the connection with it.
    pub(crate) fn cut_commit(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Whether that happened.
    pub(crate) fn has_cut(&self) -> bool {
        !self.cut.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, mut server: UnixStream, cut: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut is_writing = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let asked = &asked[..read];
                if server.write_all(asked).await.is_err() {
                    return;
                }
                let last = |begin: &[u8]| asked.windows(begin.len()).rposition(|part| part == begin);
                let (reads, writes) = (last(READS), last(WRITES));
                if reads != writes {
                    is_writing = writes > reads;
                }
                let is_commit = is_writing && asked.ends_with(COMMIT);
                if is_commit && cut.swap(false, Ordering::SeqCst) {
                    // the server has answered, so it has committed
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
