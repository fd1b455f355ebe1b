//! A receiver of webhooks that keeps what comes, and does with each request what it is told.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Who knows it signs.
pub(crate) const SECRET: &str = "whsec_c2hhcmVkIGJ5IHRlc3RzIGFuZCBub2JvZHkgZWxzZQ==";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Answers with this status.
    Answers(u16),
    /// Answers 429, and when to come again in seconds.
    Busy(u32),
    /// Reads it, and never answers.
    Hangs,
    /// Reads no more of it than its beginning, and closes.
    Closes,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// Whether it was answered well.
    pub(crate) is_taken: bool,
}

pub(crate) struct Receiver {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// Takes all that comes.
    pub(crate) fn start() -> Self {
        Self::on(any(), |_| Does::Answers(204))
    }

    /// Asks what to do with each request as soon as it begins to arrive; with how many came before.
    pub(crate) fn on(
        listener: TcpListener,
        does: impl Fn(usize) -> Does + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let (kept, does) = (Arc::clone(&got), Arc::new(does));
        thread::spawn(move || {
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept() {
                let (kept, does, before) = (Arc::clone(&kept), Arc::clone(&does), count);
                count += 1;
                thread::spawn(move || serve(stream, &kept, || does(before)));
            }
        });
        Self { port, got }
    }

    /// What came, oldest first.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The messages that it took, each as often as it came.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let got = self.got();
        let taken = got.iter().filter(|got| got.is_taken);
        taken.flat_map(Got::messages).collect()
    }

    /// The entry of the configuration that sends here.
    pub(crate) fn channel(&self, name: &str, more: &str) -> String {
        let port = self.port;
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/{name}\"\n\
             secret = \"{SECRET}\"\n{more}\n"
        )
    }
}

impl Got {
    pub(crate) fn messages(&self) -> Vec<Value> {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["data"]["messages"].as_array().unwrap().clone()
    }

    /// That it was signed by who knows the secret, as Standard Webhooks says.
    pub(crate) fn is_signed(&self) -> bool {
        let key = BASE64_STANDARD.decode(&SECRET["whsec_".len()..]).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let (id, time) = (
            &self.headers["webhook-id"],
            &self.headers["webhook-timestamp"],
        );
        mac.update(format!("{id}.{time}.{}", self.body).as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        self.headers["webhook-signature"] == format!("v1,{signature}")
    }
}

/// A port that is free.
pub(crate) fn any() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Got>>, does: impl FnOnce() -> Does) {
    let mut text = vec![0; 1];
    if stream.read_exact(&mut text).is_err() {
        return;
    }
    let does = does();
    if does == Does::Closes {
        return;
    }
    let Some((headers, body)) = read(&mut stream, text) else {
        return;
    };
    let answer = match does {
        Does::Answers(status) => format!("HTTP/1.1 {status} X\r\n"),
        Does::Busy(seconds) => format!("HTTP/1.1 429 X\r\nretry-after: {seconds}\r\n"),
        Does::Hangs | Does::Closes => String::new(),
    };
    let is_taken = matches!(does, Does::Answers(200..300));
    let got = Got {
        headers,
        body,
        is_taken,
    };
    kept.lock().unwrap().push(got);
    if answer.is_empty() {
        // until the other side has enough of it
        let _ = stream.read(&mut [0]);
        return;
    }
    let end = "content-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(format!("{answer}{end}").as_bytes());
}

fn read(stream: &mut TcpStream, mut text: Vec<u8>) -> Option<(BTreeMap<String, String>, String)> {
    let mut more = |text: &mut Vec<u8>| {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).ok().filter(|&read| read > 0)?;
        text.extend_from_slice(&part[..read]);
        Some(())
    };
    let end = loop {
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(&mut text)?;
    };
    let head = String::from_utf8(text[..end].to_vec()).unwrap();
    let headers: BTreeMap<_, _> = head
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while text.len() < end + 4 + length {
        more(&mut text)?;
    }
    let body = String::from_utf8(text.split_off(end + 4)).unwrap();
    Some((headers, body))
}
