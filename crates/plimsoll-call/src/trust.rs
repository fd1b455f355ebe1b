//! Whom TLS trusts: the authorities of this host, and those of a file beside them.

use std::path::Path;
use std::sync::LazyLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Why a file of authorities cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TrustError(String);

/// The authorities that this host trusts, read once.
pub fn roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
    &ROOTS
}

/// The authorities in a PEM file.
pub fn added_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let shown = path.display();
    let wrong = |reason: String| TrustError(format!("{shown} {reason}"));
    let text =
        std::fs::read(path).map_err(|error| TrustError(format!("reading {shown}: {error}")))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("is no PEM file".to_owned()))?;
    let mut store = RootCertStore::empty();
    for root in &found {
        store
            .add(root.clone())
            .map_err(|error| wrong(format!("holds a certificate that is none: {error}")))?;
    }
    if found.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(found)
}
