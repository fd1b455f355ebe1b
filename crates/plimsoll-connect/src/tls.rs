//! TLS as libpq's `sslmode`, `sslrootcert`, `sslcert` and `sslkey` ask for it, on rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::url::{Roots, SslMode, TlsChoice, Versions};

/// Makes TLS connections as `choice` asks. Reads the files that it names.
///
/// Errors are texts that name the file and say what is wrong with it.
pub(crate) fn connector(choice: &TlsChoice) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusted = trusted(choice)?;
    let verifier = Verifier {
        trusted,
        names_host: choice.mode == SslMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(choice.versions))
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client_certificate(choice)? {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| {
            format!("the client certificate (sslcert, sslkey) cannot be used: {error}")
        })?,
        None => config.with_no_client_auth(),
    };
    // A server that is asked for TLS directly insists on the protocol's name.
    if choice.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn versions(choice: Versions) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match choice {
        Versions::Both => rustls::DEFAULT_VERSIONS,
        Versions::Only12 => &ONLY_12,
        Versions::Only13 => &ONLY_13,
    }
}

/// Whether the server said that it has no TLS.
pub(crate) fn has_none(reason: &str) -> bool {
    reason.contains("server does not support TLS")
}

/// What a failed handshake means, and what to do about it.
pub(crate) fn advice(reason: &str, choice: &TlsChoice) -> String {
    let mode = choice.mode.as_str();
    if has_none(reason) {
        return format!(
            "the server has TLS switched off, and sslmode={mode} insists on it; set ssl = on there, or sslmode=prefer here"
        );
    }
    let meaning = if reason.contains("UnknownIssuer") || reason.contains("InvalidSignature") {
        "the server's certificate was not issued by an authority in sslrootcert; name the authority's file there"
    } else if reason.contains("CaUsedAsEndEntity") {
        "the server's certificate is an authority's own, or self-signed, and not the one in sslrootcert; name its file there"
    } else if reason.contains("NotValidForName") || reason.contains("not valid for name") {
        "the server's certificate does not name this host; connect by a name that it carries, or use sslmode=verify-ca"
    } else if reason.contains("Expired") || reason.contains("certificate expired") {
        "the server's certificate has expired"
    } else if reason.contains("UnsupportedCertVersion") {
        "the server's certificate is an X.509 version 1 certificate, as Citus makes one by itself; make one of version 3 (openssl x509 -extfile)"
    } else if reason.contains("fatal alert") {
        "the server refused the client certificate or the TLS version; check sslcert and sslkey, and ssl_ca_file there"
    } else {
        return format!("{reason}{}", if_preferred(choice));
    };
    format!("{meaning} ({reason}){}", if_preferred(choice))
}

/// What `prefer` does not do: it goes on in plain text only where the server has no TLS.
fn if_preferred(choice: &TlsChoice) -> &'static str {
    if choice.mode == SslMode::Prefer {
        "; set sslmode=disable to go on in plain text"
    } else {
        ""
    }
}

/// The authorities that the server's certificate must come from; none where it is not checked.
fn trusted(choice: &TlsChoice) -> Result<Option<Trusted>, String> {
    let trusted = authorities(choice)?;
    // libpq reads this file wherever it checks certificates.
    if trusted.is_some()
        && let Some(revoked) = existing(choice.home.as_deref(), "root.crl")
    {
        return Err(format!(
            "Plimsoll does not support lists of revoked certificates, and there is {}; move it away to connect all the same",
            revoked.display()
        ));
    }
    Ok(trusted)
}

fn authorities(choice: &TlsChoice) -> Result<Option<Trusted>, String> {
    let mode = choice.mode.as_str();
    match &choice.roots {
        Roots::File(path) => Trusted::from_file(path).map(Some),
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(
                    "sslrootcert=system, and this system has no trusted authorities; install them (Debian: ca-certificates)"
                        .to_owned(),
                );
            }
            Ok(Some(Trusted::new(found.certs)))
        }
        Roots::Default => match existing(choice.home.as_deref(), "root.crt") {
            // As libpq: once the file is there, every mode checks against it.
            Some(path) => Trusted::from_file(&path).map(Some),
            None if choice.mode >= SslMode::VerifyCa => Err(format!(
                "sslmode={mode} needs to know whom to trust; set sslrootcert to the authority's file, or to `system` for this system's"
            )),
            None => Ok(None),
        },
    }
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(choice: &TlsChoice) -> Result<Option<ClientCertificate>, String> {
    if !choice.sends_certificate {
        return Ok(None);
    }
    let home = choice.home.as_deref();
    let Some(certificate) = choice
        .certificate
        .clone()
        .or_else(|| existing(home, "postgresql.crt"))
    else {
        return Ok(None);
    };
    let key = choice
        .key
        .clone()
        .or_else(|| existing(home, "postgresql.key"))
        .ok_or_else(|| {
            format!(
                "there is a client certificate {} and no key for it; set sslkey",
                certificate.display()
            )
        })?;
    let chain = certificates(&certificate, "sslcert")?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
        format!(
            "the client key {} (sslkey) cannot be read: {error}; it must be an unencrypted PEM file",
            key.display()
        )
    })?;
    Ok(Some((chain, key)))
}

fn existing(home: Option<&Path>, name: &str) -> Option<PathBuf> {
    home.map(|home| home.join(name))
        .filter(|path| path.is_file())
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error: &dyn std::fmt::Display| {
        format!(
            "the certificate file {} ({key}) cannot be read: {error}",
            path.display()
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&error))?;
    if certificates.is_empty() {
        return Err(unreadable(&"it has no PEM certificate"));
    }
    Ok(certificates)
}

#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

impl Trusted {
    fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Self {
            certificates,
            roots,
        }
    }

    fn from_file(path: &Path) -> Result<Self, String> {
        certificates(path, "sslrootcert").map(Self::new)
    }
}

/// Checks the server's certificate as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    trusted: Option<Trusted>,
    names_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        // A self-signed server certificate that is its own root, as PostgreSQL's manual makes one:
        // webpki takes no authority's certificate for a server's, OpenSSL and libpq do.
        if trusted.certificates.iter().any(|root| root == certificate) {
            check_dates(certificate, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(certificate)?,
                &trusted.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.names_host {
            check_name(certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let validity = parsed(certificate)?.tbs_certificate.validity;
    let now = std::time::Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether the certificate names the host; as libpq, the common name counts where there are no
/// alternative names.
fn check_name(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
) -> Result<(), rustls::Error> {
    let refused = match verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)
    {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    let certificate = parsed(certificate)?.tbs_certificate;
    let alternative_names = x509_cert::der::oid::db::rfc5912::ID_CE_SUBJECT_ALT_NAME;
    let has_alternatives = certificate
        .extensions
        .iter()
        .flatten()
        .any(|extension| extension.extn_id == alternative_names);
    let host = server_name.to_str();
    let common_name = x509_cert::der::oid::db::rfc4519::COMMON_NAME;
    let is_named = certificate
        .subject
        .0
        .iter()
        .flat_map(|names| names.0.iter())
        .filter(|name| name.oid == common_name)
        .any(|name| std::str::from_utf8(name.value.value()).is_ok_and(|name| covers(name, &host)));
    if !has_alternatives && is_named {
        return Ok(());
    }
    Err(refused)
}

/// Whether a common name, which may begin with `*.`, covers a host name.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(name),
    }
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<Certificate, rustls::Error> {
    Certificate::from_der(certificate)
        .map_err(|_| rustls::Error::from(CertificateError::BadEncoding))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_star_covers_one_label() {
        for (name, host, covered) in [
            ("db1.example.org", "DB1.example.org", true),
            ("*.example.org", "db1.example.org", true),
            ("*.example.org", "a.db1.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("example.org", "db1.example.org", false),
        ] {
            assert_eq!(covers(name, host), covered, "{name} {host}");
        }
    }
}
