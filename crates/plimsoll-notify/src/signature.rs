//! Signatures as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`, in base64, one for each secret.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use plimsoll_call::read_secret;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

/// What signs: while secrets are exchanged, two do.
#[derive(Clone)]
pub(crate) enum Secrets {
    /// Those of the configuration.
    Given(Vec<SecretSlice<u8>>),
    /// One a line of a file, read anew each time.
    File(PathBuf),
}

/// A secret must have so many bytes, as Standard Webhooks asks for.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// At most so many sign.
const MOST: usize = 2;

impl Secrets {
    /// One or two secrets, as they are written.
    pub(crate) fn given(secrets: &[SecretString]) -> Result<Self, String> {
        let keys: Vec<_> = secrets.iter().map(key).collect::<Result<_, _>>()?;
        checked(keys).map(Self::Given)
    }

    /// The value of the header `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
        let read;
        let keys = match self {
            Self::Given(keys) => keys,
            Self::File(path) => {
                let text = read_secret(path)?;
                let lines = text.expose_secret().lines().map(str::trim);
                let keys: Result<Vec<_>, _> = lines
                    .filter(|line| !line.is_empty())
                    .map(|line| key(&SecretString::from(line)))
                    .collect();
                read = keys
                    .and_then(checked)
                    .map_err(|reason| format!("{}: {reason}", path.display()))?;
                &read
            }
        };
        let signatures = keys
            .iter()
            .map(|key| signature(key.expose_secret(), id, timestamp, body))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(signatures.join(" "))
    }
}

fn checked(keys: Vec<SecretSlice<u8>>) -> Result<Vec<SecretSlice<u8>>, String> {
    if keys.is_empty() || keys.len() > MOST {
        return Err("there is one secret, or two while they are exchanged".to_owned());
    }
    Ok(keys)
}

fn key(secret: &SecretString) -> Result<SecretSlice<u8>, String> {
    let text = secret.expose_secret().trim();
    let key = BASE64_STANDARD
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .ok()
        .filter(|key| BYTES.contains(&key.len()));
    key.map(SecretSlice::from).ok_or_else(|| {
        "a secret is `whsec_` and 24 to 64 bytes in base64, such as \
         `echo whsec_$(head -c 32 /dev/urandom | base64)` prints"
            .to_owned()
    })
}

fn signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!(
        "v1,{}",
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secrets(texts: &[&str]) -> Result<Secrets, String> {
        let texts: Vec<_> = texts.iter().map(|text| SecretString::from(*text)).collect();
        Secrets::given(&texts)
    }

    #[test]
    fn it_signs_as_the_specification_does() {
        let signed = secrets(&[SECRET]).unwrap().sign(ID, 1_614_265_330, BODY);
        assert_eq!(signed.unwrap(), SIGNATURE);
    }

    #[test]
    fn two_secrets_sign_while_they_are_exchanged_and_a_file_is_read_anew() {
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let both = secrets(&[other, SECRET])
            .unwrap()
            .sign(ID, 1_614_265_330, BODY);
        let both = both.unwrap();
        assert!(
            both.ends_with(&format!(" {SIGNATURE}")) && both.starts_with("v1,"),
            "{both}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let secrets = Secrets::File(file.path().to_owned());
        assert!(secrets.sign(ID, 0, BODY).unwrap_err().contains("is empty"));
        std::fs::write(file.path(), format!("{other}\n\n{SECRET}\n")).unwrap();
        assert_eq!(secrets.sign(ID, 1_614_265_330, BODY).unwrap(), both);
        std::fs::write(file.path(), SECRET).unwrap();
        assert_eq!(secrets.sign(ID, 1_614_265_330, BODY).unwrap(), SIGNATURE);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        let key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for texts in [&[][..], &["hush"], &["whsec_aHVzaA=="], &[key, key, key]] {
            let error = secrets(texts).err().unwrap();
            assert!(
                !error.contains("hush") && !error.contains("aHVz"),
                "{error}"
            );
        }
    }
}
