//! TLS for connections that we make, by rustls over a socket of ours.
//!
//! rustls does no I/O of its own here: ciphertext is moved between it and the socket whenever the
//! socket has or takes some. Certificates are always checked, unless the operator has said not to.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::Socket;

/// How TLS is spoken to a broker. Cheap to clone, also to another thread.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<String>,
}

/// What an operator says about TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The authorities to trust, a file in PEM; the machine's own when there is none.
    pub authorities: Option<&'a Path>,
    /// Our certificate and its key, files in PEM.
    pub certificate: Option<(&'a Path, &'a Path)>,
    /// The name to ask for and to find in the broker's certificate, when not its host.
    pub name: Option<&'a str>,
    /// Take any certificate: protects from listeners, not from impostors.
    pub unverified: bool,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// One line naming the file and what is wrong with it.
    pub fn new(said: &Credentials<'_>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|fault| format!("TLS can't be set up: {fault}"))?;
        let builder = if said.unverified {
            let anyone = Arc::new(Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else {
            builder.with_root_certificates(authorities(said.authorities)?)
        };
        let config = match said.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|fault| format!("{}: no private key: {fault}", key.display()))?;
                builder.with_client_auth_cert(chain, key).map_err(|fault| {
                    format!("{}: can't be used with its key: {fault}", certificate.display())
                })?
            }
        };
        Ok(Self { config: Arc::new(config), name: said.name.map(str::to_owned) })
    }

    /// The same for a library that does its own I/O.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name to ask for and to find in the certificate of `host`.
    #[must_use]
    pub fn name_of<'a>(&'a self, host: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(host)
    }
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match file {
        Some(path) => {
            for certificate in certificates(path)? {
                store.add(certificate).map_err(|fault| {
                    format!("{}: not a certificate authority: {fault}", path.display())
                })?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err("this machine trusts no certificate authority: install \
                            ca-certificates, or name a file with --broker-ca"
                    .into());
            }
        }
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let text = fs::read(path).map_err(|fault| format!("{shown}: can't be read: {fault}"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{shown}: no certificate in it; expected PEM")),
        Err(fault) => Err(format!("{shown}: not PEM: {fault}")),
    }
}

/// A socket inside TLS.
#[derive(Debug)]
pub struct TlsSocket {
    socket: Socket,
    session: RefCell<ClientConnection>,
}

impl TlsSocket {
    /// Agrees with the other end on keys. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When it can't be trusted, doesn't trust us, or speaks no TLS.
    pub(super) async fn handshake(socket: Socket, tls: &Tls, host: &str) -> io::Result<Self> {
        let name = tls.name_of(host).to_owned();
        let name = ServerName::try_from(name).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "the broker's name can't be a TLS name")
        })?;
        let session = ClientConnection::new(Arc::clone(&tls.config), name).map_err(broken)?;
        let this = Self { socket, session: RefCell::new(session) };
        while this.session.borrow().is_handshaking() {
            let flushed = this.flush()?;
            if !this.session.borrow().wants_read() {
                if !flushed {
                    this.socket.writable().await?;
                }
                continue;
            }
            match this.receive()? {
                Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(_) => {}
                None => this.socket.readable().await?,
            }
        }
        this.flush()?;
        Ok(this)
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.socket.peer()
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        // What a smaller read has left is here already, whatever the socket says.
        let here = self.session.borrow_mut().process_new_packets();
        match here {
            Ok(state) if state.plaintext_bytes_to_read() == 0 => self.socket.readable().await,
            _ => Ok(()),
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.session.borrow_mut().reader().read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                // Without a farewell: the frames above tell whether something is missing.
                Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(fault) => return Err(fault),
            }
            if self.receive()?.is_none() {
                return Ok(None);
            }
            // A renewed key is answered.
            self.flush()?;
        }
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush()? {
            return Ok(0);
        }
        let count = self.session.borrow_mut().writer().write(bytes)?;
        self.flush()?;
        Ok(count)
    }

    /// Moves ciphertext to the socket; false when not all of it fits.
    pub(super) fn flush(&self) -> io::Result<bool> {
        let mut session = self.session.borrow_mut();
        while session.wants_write() {
            match session.write_tls(&mut Ciphertext(&self.socket)) {
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(fault) => return Err(fault),
            }
        }
        Ok(true)
    }

    /// Moves ciphertext from the socket; `None` when there is none, 0 at the end.
    fn receive(&self) -> io::Result<Option<usize>> {
        let mut session = self.session.borrow_mut();
        match session.read_tls(&mut Ciphertext(&self.socket)) {
            Ok(count) => {
                if let Err(fault) = session.process_new_packets() {
                    // The other end is told why, if it still listens.
                    let _ = session.write_tls(&mut Ciphertext(&self.socket));
                    return Err(broken(fault));
                }
                Ok(Some(count))
            }
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn abort(&self) {
        self.session.borrow_mut().send_close_notify();
        // A peer that doesn't read any more needs no farewell.
        let _ = self.flush();
        self.socket.abort();
    }
}

/// The socket as rustls wants it.
struct Ciphertext<'a>(&'a Socket);

impl Read for Ciphertext<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Ciphertext<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.try_write(bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken(fault: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

/// Takes any certificate (`verify=verify_none`), but still wants it to be the other end's own.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use monoio::time::timeout;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::limits::BROKER_ANSWER_TIMEOUT;
    use crate::net::{Destination, connect};

    /// Says this once, in one record, and then waits for the end.
    fn server(said: &'static [u8]) -> (SocketAddr, thread::JoinHandle<()>) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let session = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            stream.write_all(said).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        });
        (address, serving)
    }

    #[test]
    fn what_a_small_read_has_left_behind_is_readable_though_the_socket_is_not() {
        let said = b"all of this comes in one record";
        let (address, serving) = server(said);
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().unwrap().block_on(async {
            let credentials = Credentials { unverified: true, ..Credentials::default() };
            let tls = Tls::new(&credentials).unwrap();
            let to = Destination { host: "127.0.0.1", port: address.port(), tls: Some(&tls) };
            let channel = connect(to, BROKER_ANSWER_TIMEOUT).await.unwrap();
            let mut read = Vec::new();
            while read.len() < said.len() {
                let waited = timeout(BROKER_ANSWER_TIMEOUT, channel.readable()).await;
                waited.expect("some of it is here").unwrap();
                let mut byte = [0];
                if channel.try_read(&mut byte).unwrap() == Some(1) {
                    read.extend(byte);
                }
            }
            assert_eq!(read, said);
            channel.abort();
        });
        serving.join().unwrap();
    }
}
