//! A session of the simple query protocol over the socket, as the trusted superuser: enough to
//! prepare a server without a client library.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::StartError;

/// An open session of `postgres`.
#[derive(Debug)]
pub struct Session {
    stream: BufReader<UnixStream>,
}

/// Protocol 3.0.
const PROTOCOL: u32 = 0x0003_0000;

impl Session {
    pub(crate) fn open(folder: &Path, port: u16, database: &str) -> Result<Self, StartError> {
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let attempt = format!("connecting to {}", socket.display());
        let open = || {
            let mut stream = UnixStream::connect(&socket)?;
            let mut body = PROTOCOL.to_be_bytes().to_vec();
            for text in ["user", "postgres", "database", database, ""] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
            stream.write_all(&framed(&body)?)?;
            io::Result::Ok(Self {
                stream: BufReader::new(stream),
            })
        };
        let mut session = open().map_err(StartError::io(attempt))?;
        session.answer(&format!("(connecting to database {database})"))?;
        Ok(session)
    }

    /// Runs one statement, or several separated by `;`. The text values of the last result's rows.
    pub fn run(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, StartError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        framed(&body)
            .and_then(|framed| {
                let stream = self.stream.get_mut();
                stream.write_all(b"Q")?;
                stream.write_all(&framed)
            })
            .map_err(StartError::io("sending a statement"))?;
        self.answer(sql)
    }

    /// Reads messages until the server is ready for the next statement.
    fn answer(&mut self, statement: &str) -> Result<Vec<Vec<Option<String>>>, StartError> {
        let mut rows = Vec::new();
        let mut error = None;
        loop {
            let (kind, body) = self
                .message()
                .map_err(StartError::io("reading the server's answer"))?;
            match kind {
                b'Z' => break,
                b'T' => rows.clear(),
                b'D' => rows.push(values(&body).map_err(StartError::io("reading a row"))?),
                b'E' => {
                    let of = |field| error_field(&body, field);
                    let is_fatal = of(b'V') == "FATAL";
                    let (code, message) = (of(b'C'), of(b'M'));
                    let statement = statement.to_owned();
                    error = Some(StartError::Sql {
                        code,
                        message,
                        statement,
                    });
                    if is_fatal {
                        break;
                    }
                }
                _ => {}
            }
        }
        error.map_or(Ok(rows), Err)
    }

    fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0_u8; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_sub(4));
        let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}

/// How long a session's end may take: the server of a test may stand still on purpose.
const LONGEST_END: Duration = Duration::from_secs(2);

/// Ends the session and waits until its backend has ended too. Only then are its locks released and
/// (from PostgreSQL 15 on) its counters in the statistics, which whatever comes next may rely on.
impl Drop for Session {
    fn drop(&mut self) {
        let stream = self.stream.get_mut();
        let asked = stream
            .set_read_timeout(Some(LONGEST_END))
            .and_then(|()| stream.write_all(b"X\0\0\0\x04"));
        if asked.is_ok() {
            // An error here is a server that is already gone, or that stands still.
            let _ = io::copy(&mut self.stream, &mut io::sink());
        }
    }
}

/// The length that every message begins with counts itself.
fn framed(body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), body].concat())
}

/// The columns of a `DataRow`.
fn values(body: &[u8]) -> io::Result<Vec<Option<String>>> {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        // -1 means null.
        let Ok(length) = usize::try_from(length) else {
            values.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after
            .split_at_checked(length)
            .ok_or(io::ErrorKind::InvalidData)?;
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Ok(values)
}

/// A field of an `ErrorResponse`: each is its letter, its text, and a zero.
fn error_field(body: &[u8], field: u8) -> String {
    body.split(|byte| *byte == 0)
        .find(|part| part.first() == Some(&field))
        .map(|part| String::from_utf8_lossy(&part[1..]).into_owned())
        .unwrap_or_default()
}
