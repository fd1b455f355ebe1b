//! A `[[channel]]` of the configuration: every key as it is written, and what the channel is that they mean.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use lettre::message::Mailbox;
use plimsoll_call::{Address, Login, Program};
use plimsoll_core::alert::Severity;
use secrecy::SecretString;
use serde::Deserialize;

use crate::alertmanager::Alertmanager;
use crate::channel::{Channel, Sender};
use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::error::SettingsError;
use crate::heartbeat::Heartbeat;
use crate::kind::{Kind, Tls};
use crate::signature::Secrets;
use crate::slack::Slack;
use crate::smtp::Smtp;
use crate::webhook::Webhook;

/// How long a sending may take unless told otherwise.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(10);
/// A mail server may check what it is given.
const SMTP_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);
const SHORTEST: SignedDuration = SignedDuration::from_millis(100);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// A table `[[channel]]`, as it is written. [`channel`](Self::channel) says what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What it is called: letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The least severity that is sent there. For whoever decides what goes where.
    pub least: Option<Severity>,
    /// The pattern of what is sent there. For whoever decides what goes where.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// Whether the end of an alert is sent there. For whoever decides what goes where.
    pub send_resolved: Option<bool>,
    /// How long a sending may take.
    pub timeout: Option<SignedDuration>,
    /// Of webhook, slack, heartbeat.
    pub url: Option<SecretString>,
    /// Of alertmanager: every member of the cluster.
    pub urls: Option<Vec<SecretString>>,
    /// Of webhook: a secret, or two while they are exchanged.
    pub secret: Option<OneOrMore>,
    /// Of webhook: a file with a secret a line.
    pub secret_file: Option<PathBuf>,
    /// Of alertmanager and smtp.
    pub user: Option<String>,
    /// Of alertmanager and smtp.
    pub password_file: Option<PathBuf>,
    /// Of alertmanager: a file with a bearer token.
    pub token_file: Option<PathBuf>,
    /// Of smtp.
    pub host: Option<String>,
    /// Of smtp: 587, 465 or 25 by `tls` where it is not given.
    pub port: Option<u16>,
    /// Of smtp.
    pub tls: Option<Tls>,
    /// Of smtp.
    pub from: Option<String>,
    /// Of smtp.
    pub to: Option<Vec<String>>,
    /// A PEM file of authorities that are trusted beside those of this host.
    pub ca_file: Option<PathBuf>,
    /// Of command: the program and its arguments, which may be secrets.
    pub command: Option<Vec<SecretString>>,
}

/// One, or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(SecretString),
    /// A list.
    More(Vec<SecretString>),
}

impl Settings {
    /// What the table means. An error names the key, and repeats no value.
    pub fn channel(&self) -> Result<Channel, SettingsError> {
        self.check_name()?;
        self.check_keys()?;
        let sender = match self.kind {
            Kind::Webhook => Sender::Webhook(Webhook {
                endpoint: self.endpoint(self.url()?, Login::None)?,
                secrets: self.secrets()?,
            }),
            Kind::Slack => Sender::Slack(Slack {
                endpoint: self.endpoint(self.url()?, Login::None)?,
            }),
            Kind::Heartbeat => Sender::Heartbeat(Heartbeat {
                endpoint: self.endpoint(self.url()?, Login::None)?,
            }),
            Kind::Alertmanager => Sender::Alertmanager(self.alertmanager()?),
            Kind::Smtp => Sender::Smtp(self.smtp()?),
            Kind::Command => Sender::Command(self.command()?),
        };
        Ok(Channel::new(self.name.clone(), sender))
    }

    fn wrong(&self, key: &'static str, reason: impl Into<String>) -> SettingsError {
        SettingsError {
            channel: plimsoll_core::name::visible(&self.name).into_owned(),
            key,
            reason: reason.into(),
        }
    }

    /// It stands in paths and commands.
    fn check_name(&self) -> Result<(), SettingsError> {
        let is_name = (1..=63).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if is_name {
            return Ok(());
        }
        Err(self.wrong("name", "is not 1 to 63 letters, digits, `_`, `-` and `.`"))
    }

    fn check_keys(&self) -> Result<(), SettingsError> {
        let given = [
            ("url", self.url.is_some()),
            ("urls", self.urls.is_some()),
            ("secret", self.secret.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("user", self.user.is_some()),
            ("password_file", self.password_file.is_some()),
            ("token_file", self.token_file.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("command", self.command.is_some()),
            ("timeout", self.timeout.is_some()),
        ];
        let takes = keys(self.kind);
        // Nothing is chosen for a heartbeat: it takes no messages.
        let chosen = [
            ("least", self.least.is_some()),
            ("match", self.pattern.is_some()),
            ("send_resolved", self.send_resolved.is_some()),
        ];
        let chosen = chosen.iter().filter(|_| self.kind == Kind::Heartbeat);
        let foreign = given
            .iter()
            .chain(chosen)
            .find(|(key, is_given)| *is_given && !takes.contains(key));
        match foreign {
            None => Ok(()),
            Some(&(key, _)) => Err(self.wrong(
                key,
                format!(
                    "is no key of kind `{}`, which takes {}",
                    self.kind.as_str(),
                    takes.join(", ")
                ),
            )),
        }
    }

    fn needed<'a, T>(
        &self,
        key: &'static str,
        value: Option<&'a T>,
    ) -> Result<&'a T, SettingsError> {
        value.ok_or_else(|| {
            self.wrong(
                key,
                format!("is missing: kind `{}` needs it", self.kind.as_str()),
            )
        })
    }

    fn timeout(&self, default: SignedDuration) -> Result<Duration, SettingsError> {
        let timeout = self.timeout.unwrap_or(default);
        if (SHORTEST..=LONGEST).contains(&timeout) {
            return Ok(timeout.unsigned_abs());
        }
        Err(self.wrong("timeout", "is not between 100ms and 5m"))
    }

    fn address(&self, key: &'static str, url: &SecretString) -> Result<Address, SettingsError> {
        Address::parse(url).map_err(|error| self.wrong(key, error.to_string()))
    }

    fn url(&self) -> Result<Address, SettingsError> {
        self.address("url", self.needed("url", self.url.as_ref())?)
    }

    fn endpoint(&self, address: Address, login: Login) -> Result<Endpoint, SettingsError> {
        Ok(Endpoint {
            address,
            login,
            ca_file: self.ca_file.clone(),
            timeout: self.timeout(TIMEOUT)?,
        })
    }

    /// A user and the file of the password, or neither.
    fn user(&self) -> Result<Option<(String, PathBuf)>, SettingsError> {
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (Some(user), Some(file)) => Ok(Some((user.clone(), file.clone()))),
            (Some(_), None) => Err(self.wrong("password_file", "is missing beside `user`")),
            (None, Some(_)) => Err(self.wrong("user", "is missing beside `password_file`")),
        }
    }

    fn secrets(&self) -> Result<Secrets, SettingsError> {
        let given = match (&self.secret, &self.secret_file) {
            (Some(OneOrMore::One(secret)), None) => std::slice::from_ref(secret),
            (Some(OneOrMore::More(secrets)), None) => secrets,
            (None, Some(file)) => return Ok(Secrets::File(file.clone())),
            (Some(_), Some(_)) => {
                return Err(self.wrong("secret_file", "stands beside `secret`: give one of them"));
            }
            (None, None) => {
                return Err(self.wrong(
                    "secret",
                    "is missing, and so is `secret_file`: receivers tell by it who sent a message",
                ));
            }
        };
        Secrets::given(given)
            .map_err(|reason| self.wrong("secret", format!("cannot be used: {reason}")))
    }

    fn alertmanager(&self) -> Result<Alertmanager, SettingsError> {
        let urls = self.needed("urls", self.urls.as_ref())?;
        if urls.is_empty() {
            return Err(self.wrong("urls", "is empty: give the address of each member"));
        }
        let login = match (
            &self.token_file,
            self.user.is_some() || self.password_file.is_some(),
        ) {
            (Some(_), true) => {
                return Err(self.wrong(
                    "token_file",
                    "stands beside `user` or `password_file`: give one way in",
                ));
            }
            (Some(token), false) => Login::Token(token.clone()),
            (None, _) => self
                .user()?
                .map_or(Login::None, |(user, file)| Login::Password(user, file)),
        };
        let members = urls.iter().map(|url| {
            let address = self.address("urls", url)?.below("api/v2/alerts");
            self.endpoint(address, login.clone())
        });
        Ok(Alertmanager {
            members: members.collect::<Result<_, _>>()?,
        })
    }

    fn smtp(&self) -> Result<Smtp, SettingsError> {
        let host = self.needed("host", self.host.as_ref())?.trim();
        if host.is_empty()
            || host.contains(|c: char| c.is_control() || c.is_whitespace() || c == '/')
        {
            return Err(self.wrong("host", "is no host name"));
        }
        let from = self.mailbox("from", self.needed("from", self.from.as_ref())?)?;
        let to = self.needed("to", self.to.as_ref())?;
        if to.is_empty() {
            return Err(self.wrong("to", "is empty: give the addresses that mail goes to"));
        }
        let to = to.iter().map(|to| self.mailbox("to", to));
        let tls = self.tls.unwrap_or_default();
        let login = self.user()?;
        if login.is_some() && tls == Tls::None && !is_this_host(host) {
            return Err(self.wrong(
                "tls",
                "is `none`, and a password would go in the clear: use `starttls` or `tls`",
            ));
        }
        Ok(Smtp {
            host: host.to_owned(),
            port: self.port.unwrap_or(tls.port()),
            tls,
            from,
            to: to.collect::<Result<_, _>>()?,
            login,
            ca_file: self.ca_file.clone(),
            timeout: self.timeout(SMTP_TIMEOUT)?,
        })
    }

    fn mailbox(&self, key: &'static str, text: &str) -> Result<Mailbox, SettingsError> {
        let is_line = !text.contains(char::is_control);
        let mailbox = is_line.then(|| text.parse().ok()).flatten();
        mailbox.ok_or_else(|| {
            self.wrong(
                key,
                "holds no mail address: write a@b.example or Name <a@b.example>",
            )
        })
    }

    fn command(&self) -> Result<Command, SettingsError> {
        let words = self.needed("command", self.command.as_ref())?;
        let program = Program::of(words, self.timeout(TIMEOUT)?);
        Ok(Command {
            program: program.ok_or_else(|| self.wrong("command", "names no program"))?,
        })
    }
}

/// The keys that a kind takes beside those of every kind.
const fn keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Webhook => &["url", "secret", "secret_file", "ca_file", "timeout"],
        Kind::Slack | Kind::Heartbeat => &["url", "ca_file", "timeout"],
        Kind::Alertmanager => &[
            "urls",
            "user",
            "password_file",
            "token_file",
            "ca_file",
            "timeout",
        ],
        Kind::Smtp => &[
            "host",
            "port",
            "tls",
            "from",
            "to",
            "user",
            "password_file",
            "ca_file",
            "timeout",
        ],
        Kind::Command => &["command", "timeout"],
    }
}

fn is_this_host(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn channel(text: &str) -> Result<Channel, String> {
        let settings: Settings =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        settings.channel().map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_is_read() {
        for (text, kind, target) in [
            (
                format!("kind = 'webhook'\nurl = 'https://h.example/hush'\nsecret = '{SECRET}'"),
                Kind::Webhook,
                "https://h.example",
            ),
            (
                format!("kind = 'webhook'\nurl = 'https://h.example/hush'\nsecret = ['{SECRET}', '{SECRET}']\ntimeout = '2s'"),
                Kind::Webhook,
                "https://h.example",
            ),
            (
                "kind = 'slack'\nurl = 'https://hooks.slack.example/T0/hush'\nleast = 'critical'".to_owned(),
                Kind::Slack,
                "https://hooks.slack.example",
            ),
            (
                "kind = 'alertmanager'\nurls = ['http://a:9093', 'http://b:9093/x?hush']\nsend_resolved = true".to_owned(),
                Kind::Alertmanager,
                "http://a:9093, http://b:9093",
            ),
            (
                "kind = 'smtp'\nhost = 'mail.example'\nfrom = 'Plimsoll <p@x.example>'\nto = ['a@x.example']\nuser = 'hush'\npassword_file = '/hush'"
                    .to_owned(),
                Kind::Smtp,
                "smtp://mail.example:587",
            ),
            (
                "kind = 'smtp'\nhost = '::1'\ntls = 'none'\nfrom = 'p@x.example'\nto = ['a@x.example']".to_owned(),
                Kind::Smtp,
                "smtp://::1:25",
            ),
            (
                "kind = 'command'\ncommand = ['/bin/notify', '--token', 'hush']\nmatch = 'prod/*'".to_owned(),
                Kind::Command,
                "/bin/notify",
            ),
            (
                "kind = 'heartbeat'\nurl = 'https://hc.example/hush'".to_owned(),
                Kind::Heartbeat,
                "https://hc.example",
            ),
        ] {
            let channel = channel(&format!("name = 'ops'\n{text}")).unwrap();
            assert_eq!((channel.kind(), channel.target().as_str()), (kind, target));
            let shown = format!("{channel:?}");
            assert!(!shown.contains("hush") && !shown.contains("AAAA"), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key_and_not_repeated() {
        let smtp =
            "kind = 'smtp'\nhost = 'm.example'\nfrom = 'p@x.example'\nto = ['a@x.example']\n";
        for (text, part) in [
            ("kind = 'pigeon'".to_owned(), "unknown variant"),
            ("kind = 'slack'\nuri = 'https://hush'".to_owned(), "unknown field `uri`"),
            ("kind = 'slack'".to_owned(), "`url` is missing"),
            ("kind = 'heartbeat'\nurl = 'https://h'\nleast = 'critical'".to_owned(), "`least` is no key of kind `heartbeat`"),
            ("kind = 'slack'\nurl = 'hush'".to_owned(), "`url` is not an address"),
            ("kind = 'slack'\nurl = 'file:///hush'".to_owned(), "`url` begins neither with"),
            ("kind = 'slack'\nurl = 'https://h'\nhost = 'hush'".to_owned(), "`host` is no key of kind `slack`, which takes url, ca_file, timeout"),
            ("kind = 'webhook'\nurl = 'https://h'".to_owned(), "`secret` is missing"),
            ("kind = 'webhook'\nurl = 'https://h'\nsecret = 'hush'".to_owned(), "`secret` cannot be used"),
            ("kind = 'webhook'\nurl = 'https://h'\nsecret = []".to_owned(), "`secret` cannot be used"),
            (format!("kind = 'webhook'\nurl = 'https://h'\nsecret = '{SECRET}'\nsecret_file = '/hush'"), "`secret_file` stands beside"),
            ("kind = 'alertmanager'\nurls = []".to_owned(), "`urls` is empty"),
            ("kind = 'alertmanager'\nurls = ['hush']".to_owned(), "`urls` is not an address"),
            ("kind = 'alertmanager'\nurls = ['http://a']\nuser = 'hush'".to_owned(), "`password_file` is missing"),
            ("kind = 'alertmanager'\nurls = ['http://a']\nuser = 'hush'\npassword_file = 'x'\ntoken_file = 'y'".to_owned(), "`token_file` stands beside"),
            ("kind = 'command'\ncommand = []".to_owned(), "`command` names no program"),
            ("kind = 'command'\ncommand = ['x']\ntimeout = '1h'".to_owned(), "`timeout` is not between"),
            (format!("{smtp}timeout = '0s'"), "`timeout` is not between"),
            (format!("{smtp}user = 'hush'"), "`password_file` is missing"),
            (format!("{smtp}tls = 'none'\nuser = 'hush'\npassword_file = 'x'"), "`tls` is `none`"),
            (format!("{smtp}tls = 'ssl'"), "unknown variant"),
            (smtp.replace("p@x.example", "hush"), "`from` holds no mail address"),
            (smtp.replace("['a@x.example']", "[\"a@x.example\\r\\nBcc: hush@x\"]"), "`to` holds no mail address"),
            (smtp.replace("['a@x.example']", "[]"), "`to` is empty"),
            (smtp.replace("m.example", "m.example/hush"), "`host` is no host name"),
        ] {
            let error = channel(&format!("name = 'ops'\n{text}")).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("hush"), "{text}: {error}");
        }
        for name in ["", "a b", "a/b", "ä", "a\\nb"] {
            let error = channel(&format!(
                "kind = 'heartbeat'\nurl = 'https://h'\nname = \"{name}\""
            ));
            assert!(error.unwrap_err().contains("`name` is not"), "{name}");
        }
    }
}
