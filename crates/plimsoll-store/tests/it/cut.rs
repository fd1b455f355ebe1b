//! A way to a server that can swallow the answer to a commit: what was kept is kept, and nobody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use throwaway_postgres::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What a client sends to commit.
const COMMIT: &[u8] = b"commit\0";

/// The way; it ends with the runtime.
pub(crate) struct Way {
    port: u16,
    cuts: Arc<AtomicUsize>,
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
        let cuts = Arc::new(AtomicUsize::new(0));
        let flag = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let there = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(pass(client, there, Arc::clone(&flag)));
            }
        });
        Self { port, cuts }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The answer to the nth commit from now is lost, and the connection with it.
    pub(crate) fn cut_commit(&self, nth: usize) {
        self.cuts.store(nth, Ordering::SeqCst);
    }

    /// Whether that happened.
    pub(crate) fn has_cut(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) == 0
    }
}

async fn pass(mut client: TcpStream, mut server: UnixStream, cuts: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let asked = &asked[..read];
                if server.write_all(asked).await.is_err() {
                    return;
                }
                let left = if asked.ends_with(COMMIT) { cuts.load(Ordering::SeqCst) } else { 0 };
                if left > 0 && cuts.fetch_sub(1, Ordering::SeqCst) == 1 {
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
