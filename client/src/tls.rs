//! TLS with the server (RFC 8446, RFC 5246): trusted certificates, the handshake, and a stream
//! that one thread reads while another writes.

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

/// How many bytes are encrypted before they are sent: as many as the session takes at once.
const CHUNK_BYTES: usize = 16 * 1_024;

/// The TLS configuration, which trusts the system's certificates and those in `ca`.
///
/// # Errors
///
/// No trusted certificates could be loaded.
pub(crate) fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = match ca {
        Some(path) => {
            let pem = fs::read(path)?;
            let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            let certificates = certificates.ok().filter(|found| !found.is_empty());
            let certificates = certificates.ok_or(TrustError::NoCertificate)?;
            Verifier::new_with_extra_roots(certificates, provider.clone())?
        }
        None => Verifier::new(provider.clone())?,
    };
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
    /// Held while encrypted bytes are written, and taken before the session's lock. So records
    /// are sent in the order in which they were made, and a reader can decrypt while a write
    /// blocks.
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
        // The zone of an address is meaningful only on this machine.
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
            // Set before each read, so that a server can't gain time by sending a byte now and
            // then.
            set_deadline(&socket, Some(deadline))?;
            match session.read_tls(&mut socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                // The system's message for this error is about an unavailable resource, which
                // would mislead.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
            if let Err(error) = session.process_new_packets() {
                // This sends the server the reason. The error is returned in any case.
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

    /// Reads once; blocks until something arrives. Only one thread may call it.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.lock().reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The server closed without a close_notify, as one that is killed does.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            // Waits without holding the session's lock. No other thread reads.
            self.socket.peek(&mut [0])?;
            self.decrypt()?;
        }
    }

    /// Processes the bytes that have arrived, and sends the session's answer. If another thread
    /// is sending, the answer goes out with its bytes.
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

    /// Sends the encrypted bytes.
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
