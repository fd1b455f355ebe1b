//! What the tests share: messages, names that are hostile, where Python is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_notify::{Channel, Event, Message, Settings, Severity, Share};

/// A name that breaks what does not escape: quotes, a line break with a header, the direction of writing, mentions.
pub(crate) const HOSTILE: [&str; 5] = [
    "a\"b'c\\d",
    "x\r\nBcc: evil@example.org\r\n\r\nboo",
    "abc\u{202e}fed\u{200b}",
    "<!channel> <@U1> @all & [x](http://evil)",
    // 63 bytes
    "🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘abc",
];

/// In no text may this be found.
pub(crate) const HUSH: &str = "hush-hush";

pub(crate) fn channel(text: &str) -> Channel {
    let settings: Settings = toml::from_str(&format!("name = \"ops\"\n{text}")).unwrap();
    settings.channel().unwrap()
}

/// An alert about a table.
pub(crate) fn message(key: &str, table: &str) -> Message {
    let now = Timestamp::now();
    Message {
        event: Event::Opened,
        alert_id: Some(17),
        alert_type: "growth_warning".to_owned(),
        severity: Severity::Warning,
        instance: Some("prod".to_owned()),
        database: Some("shop".to_owned()),
        schema_name: Some("public".to_owned()),
        table_name: Some(table.to_owned()),
        headline: format!("{table} on prod grew by 1200 MB (120.0 %) in 24 hours"),
        text: format!("{table} on prod grew by 1200 MB (120.0 %) in 24 hours\nSince yesterday."),
        runbook: Some("docs/runbooks/growth_warning.md".to_owned()),
        value: Some(1_258_291_200.0),
        threshold: Some(209_715_200.0),
        unit: Some("bytes".to_owned()),
        current_bytes: Some(2_306_867_200),
        previous_bytes: Some(1_048_576_000),
        growth_percent: Some(120.0),
        contributors: vec![Share {
            part: "toast".to_owned(),
            schema_name: Some("public".to_owned()),
            table_name: Some(table.to_owned()),
            name: None,
            bytes: 1_258_291_200,
            text: format!("the toast of {table}"),
        }],
        ..Message::test(key, now)
    }
}

/// The Python that `scripts/fetch-receivers` gets, if it did.
pub(crate) fn python() -> Option<PathBuf> {
    let cached = |cache: &Path| cache.join("plimsoll/receivers/bin/python3");
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let user = var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
    [cached(Path::new("/var/cache"))]
        .into_iter()
        .chain(user.as_deref().map(cached))
        .find(|program| program.with_file_name("../packages").is_file())
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/receivers")
        .join(name)
}

/// The files of a certificate.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// An authority with a certificate of `localhost`, and passwords.
pub(crate) struct Folder {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: PathBuf,
    pub(crate) certificate: Certificate,
}

pub(crate) fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = write("ca.pem", &made.cert.pem());
    let certificate = Certificate {
        chain: authority.clone(),
        key: write("key.pem", &made.signing_key.serialize_pem()),
    };
    write("password", "s3cret pass\n");
    write("wrong", "echo hush-hush\n");
    Folder {
        folder,
        authority,
        certificate,
    }
}
