//! TLS towards the server (RFC 8446, RFC 5246): who is trusted, the handshake, and a
//! stream that one thread reads while another writes.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use rustls::{
    ClientConfig, ClientConnection,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

use crate::{failure::TrustError, stream::set_deadline};

/// How long the handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is encrypted before it is sent: what the session takes at once.
const CHUNK_BYTES: usize = 16 * 1_024;

/// How TLS is spoken with servers that the system trusts, or the certificates in `ca`.
///
/// # Errors
///
/// Why nobody can be trusted.
pub(crate) fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let extra = match ca {
        Some(path) => {
            let pem = fs::read(path)?;
            let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            let certificates = certificates.ok().filter(|found| !found.is_empty());
            certificates.ok_or(TrustError::NoCertificate)?
        }
        None => Vec::new(),
    };
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A session over a socket.
pub(crate) struct TlsStream {
    socket: TcpStream,
    session: Mutex<ClientConnection>,
    /// Held while what was encrypted is written, and taken before the session's lock:
    /// records leave in the order in which they were made, and a reader decrypts while
    /// a write blocks.
    writing: Mutex<()>,
}

impl TlsStream {
    /// Does the handshake with `host`.
    ///
    /// # Errors
    ///
    /// The socket's, or a [`rustls::Error`] inside of one.
    pub(crate) fn connect(
        mut socket: TcpStream,
        host: &str,
        config: Arc<ClientConfig>,
    ) -> io::Result<TlsStream> {
        // A zone is this machine's affair.
        let host = host.split('%').next().unwrap_or(host).to_owned();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(config, name).map_err(broken)?;
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        while session.is_handshaking() {
            while session.wants_write() {
                session.write_tls(&mut socket)?;
            }
            if !session.is_handshaking() {
                break;
            }
            // Before each read: a server that sends a byte now and then gains no time.
            set_deadline(&socket, Some(deadline))?;
            match session.read_tls(&mut socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                // The socket's words for it are about waiting.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
            if let Err(error) = session.process_new_packets() {
                // It tells the server why; the error is ours either way.
                let _ = session.write_tls(&mut socket);
                return Err(broken(error));
            }
        }
        while session.wants_write() {
            session.write_tls(&mut socket)?;
        }
        set_deadline(&socket, None)?;
        Ok(TlsStream { socket, session: Mutex::new(session), writing: Mutex::new(()) })
    }

    /// Reads once; blocks until something comes. For one thread.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.lock().reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The server has cut it short, as those do that are killed.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            // Waits without the session's lock; nobody else reads what it finds.
            self.socket.peek(&mut [0])?;
            self.decrypt()?;
        }
    }

    /// Takes what has come, and sends what the session answers, unless somebody sends
    /// just now: then it goes with that.
    fn decrypt(&self) -> io::Result<()> {
        let outcome = {
            let mut session = self.session.lock();
            session.read_tls(&mut &self.socket)?;
            session.process_new_packets().map(drop).map_err(broken)
        };
        match self.writing.try_lock() {
            Some(writing) => outcome.and(self.send_records(&writing)),
            None => outcome,
        }
    }

    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let writing = self.writing.lock();
        for chunk in bytes.chunks(CHUNK_BYTES) {
            self.session.lock().writer().write_all(chunk)?;
            self.send_records(&writing)?;
        }
        Ok(())
    }

    /// Sends what was encrypted.
    fn send_records(&self, _writing: &MutexGuard<'_, ()>) -> io::Result<()> {
        let mut records = Vec::new();
        {
            let mut session = self.session.lock();
            while session.wants_write() {
                session.write_tls(&mut records)?;
            }
        }
        (&self.socket).write_all(&records)
    }

    pub(crate) fn half_close(&self) -> io::Result<()> {
        let writing = self.writing.lock();
        self.session.lock().send_close_notify();
        self.send_records(&writing)?;
        self.socket.shutdown(Shutdown::Write)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
