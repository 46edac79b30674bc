//! Whom a connection trusts, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fred::rustls::crypto::ring;
use fred::rustls::pki_types::pem::PemObject;
use fred::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use fred::rustls::{ClientConfig, RootCertStore};
use fred::rustls_native_certs::load_native_certs;
use fred::types::config::{TlsConfig, TlsConnector, TlsHostMapping};

/// The files of a connection that is encrypted.
#[derive(Default)]
pub(super) struct Files {
    /// Whom it trusts, instead of whom the system does.
    pub(super) ca: Option<PathBuf>,
    /// What it shows of itself, with its key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

/// Reads the files; what is wrong with one is answered with what to do.
pub(super) fn config(files: &Files, hostnames: TlsHostMapping) -> Result<TlsConfig, String> {
    let roots = match &files.ca {
        Some(ca) => own_roots(ca)?,
        None => system_roots()?,
    };
    // Another crate of the program may have given rustls another provider, and then there is no default.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots);
    let config = match &files.client {
        Some((cert, key)) => {
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("private key", "key", key, error))?;
            builder
                .with_client_auth_cert(certificates("cert", cert)?, private)
                .map_err(|error| {
                    format!(
                        "cert={} and key={} do not belong together: {error}",
                        cert.display(),
                        key.display()
                    )
                })?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConfig {
        connector: TlsConnector::from(config),
        hostnames,
    })
}

fn own_roots(ca: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", ca)? {
        roots
            .add(certificate)
            .map_err(|error| unreadable("certificate", "ca", ca, error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read or is odd is no reason to trust none.
    roots.add_parsable_certificates(load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "this system has no certificates of authorities: install them (Debian: apt-get install ca-certificates), or name a file with ca=FILE"
                .into(),
        );
    }
    Ok(roots)
}

fn certificates(parameter: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| unreadable("certificate", parameter, path, error);
    let found = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    if found.is_empty() {
        return Err(format!(
            "{parameter}={} has no certificate in it: name a file in PEM format",
            path.display()
        ));
    }
    Ok(found)
}

fn unreadable(what: &str, parameter: &str, path: &Path, error: impl std::fmt::Display) -> String {
    format!(
        "no {what} can be read from {parameter}={}: {error}: name a file in PEM format",
        path.display()
    )
}
