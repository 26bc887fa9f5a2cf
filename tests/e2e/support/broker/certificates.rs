//! A certificate authority for one test: the broker's certificate and a client's.
//!
//! Files in one folder: `ca.pem`, `server.pem`, `server-key.pem` (localhost and 127.0.0.1),
//! `client.pem`, `client-key.pem` (named [`CLIENT`]), `other-ca.pem` (that signed none of them).

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// The common name of the client's certificate: the user it logs in as.
pub(crate) const CLIENT: &str = "ess-client";

/// The folder with the files; it goes with this.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes them all.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let issuer = authority(&folder.path().join("ca.pem"));
        authority(&folder.path().join("other-ca.pem"));
        let hosts = ["localhost", "127.0.0.1"];
        signed(
            &folder,
            "server",
            &hosts,
            "localhost",
            ExtendedKeyUsagePurpose::ServerAuth,
            &issuer,
        );
        signed(&folder, "client", &[], CLIENT, ExtendedKeyUsagePurpose::ClientAuth, &issuer);
        Self { folder }
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One of the files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn authority(path: &Path) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "ESS test authority");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("an authority signs itself");
    fs::write(path, certificate.pem()).expect("the temporary directory is writable");
    Issuer::new(params, key)
}

fn signed(
    folder: &TempDir,
    file: &str,
    hosts: &[&str],
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'_, KeyPair>,
) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("the hosts are names and addresses");
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.signed_by(&key, issuer).expect("the authority signs");
    let write = |name: String, text: String| {
        fs::write(folder.path().join(name), text).expect("the temporary directory is writable");
    };
    write(format!("{file}.pem"), certificate.pem());
    write(format!("{file}-key.pem"), key.serialize_pem());
}
