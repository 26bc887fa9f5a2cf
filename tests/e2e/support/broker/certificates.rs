//! Certificates for one test: the broker's, a client's, and those that must not be taken.
//!
//! Files in one folder, each `NAME.pem` with its `NAME-key.pem`:
//!
//! | name | what |
//! |---|---|
//! | `ca` | the authority that signed all but the last (no key) |
//! | `server` | the broker's, for localhost |
//! | `server-old` | the same, expired |
//! | `client` | named [`CLIENT`] |
//! | `client-old` | the same, expired |
//! | `nobody` | a client's that is no user's |
//! | `other-ca` | an authority that signed only the next (no key) |
//! | `stranger` | named [`CLIENT`] too |

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// The common name of the client's certificate: the user it logs in as.
pub(crate) const CLIENT: &str = "ess-client";

/// The broker's host, as its certificate has it.
const HOST: &str = "localhost";

/// The folder with the files; it goes with this.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes them all.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let ours = authority(folder.path(), "ca");
        let other = authority(folder.path(), "other-ca");
        for (file, name, old, issuer) in [
            ("server", HOST, false, &ours),
            ("server-old", HOST, true, &ours),
            ("client", CLIENT, false, &ours),
            ("client-old", CLIENT, true, &ours),
            ("nobody", "nobody", false, &ours),
            ("stranger", CLIENT, false, &other),
        ] {
            signed(folder.path(), file, name, old, issuer);
        }
        Self { folder }
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a certificate and its key into the place of others.
    pub(crate) fn replace(&self, name: &str, by: &str) {
        for end in [".pem", "-key.pem"] {
            let [from, to] = [by, name].map(|name| self.file(&format!("{name}{end}")));
            fs::copy(from, to).expect("the temporary directory is writable");
        }
    }

    /// One of the files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn authority(folder: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("an authority signs itself");
    fs::write(folder.join(format!("{name}.pem")), certificate.pem())
        .expect("the temporary directory is writable");
    Issuer::new(params, key)
}

fn signed(folder: &Path, file: &str, name: &str, old: bool, issuer: &Issuer<'_, KeyPair>) {
    let server = name == HOST;
    let hosts = if server { vec![HOST.to_owned()] } else { Vec::new() };
    let mut params = CertificateParams::new(hosts).expect("the hosts are names and addresses");
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match server {
        true => ExtendedKeyUsagePurpose::ServerAuth,
        false => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    if old {
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.signed_by(&key, issuer).expect("the authority signs");
    let write = |name: String, text: String| {
        fs::write(folder.join(name), text).expect("the temporary directory is writable");
    };
    write(format!("{file}.pem"), certificate.pem());
    write(format!("{file}-key.pem"), key.serialize_pem());
}
