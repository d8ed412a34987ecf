//! The server's certificate and key: loaded from their files, checked for changes regularly,
//! and replaced without disturbing open connections.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{sync::Mutex, system::is_pipe};

/// The maximum size of a certificate or key file, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// TLS 1.3 issues two resumption tickets by default; one is enough.
const TICKETS: usize = 1;

/// The files of the certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// The certificate followed by its intermediate certificates, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file cannot be read.
    #[error("{flag}: failed to read {}: {cause}", path.display())]
    Read {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A file does not contain what it should.
    #[error("{flag}: no PEM {what} in {}", path.display())]
    Pem {
        /// The flag that names the file.
        flag: &'static str,
        /// What it should contain.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate, or is of an unsupported kind.
    #[error("--tls-cert, --tls-key: the certificate and the key do not match: {0}")]
    Unfit(rustls::Error),
}

/// The result of checking the files.
#[derive(Debug)]
pub(crate) enum Look {
    /// They have not changed.
    Same,
    /// They have changed; new connections get the new certificate.
    Taken,
    /// They have changed and cannot be used; the old certificate stays in use.
    Kept(PairError),
}

/// The certificate and key in use, and the files they come from.
pub(crate) struct Certificates {
    files: PairFiles,
    provider: Arc<CryptoProvider>,
    current: Mutex<Arc<CertifiedKey>>,
    /// The contents of the files at the last check, as far as they were readable.
    seen: Mutex<[Option<Vec<u8>>; 2]>,
}

impl Certificates {
    /// Loads the certificate and the key.
    ///
    /// # Errors
    ///
    /// Why they cannot be used.
    pub(crate) fn load(files: PairFiles) -> Result<Arc<Certificates>, PairError> {
        let provider = Arc::new(ring::default_provider());
        let contents = files.read();
        let seen = Mutex::new(readable(&contents));
        let pair = files.parse(contents, &provider)?;
        Ok(Arc::new(Certificates { files, provider, current: Mutex::new(Arc::new(pair)), seen }))
    }

    /// When the certificate in use expires, in seconds since 1970; `None` if that is unknown.
    pub(crate) fn expires_at(&self) -> Option<i64> {
        let pair = self.current.lock().clone();
        let (_, certificate) = x509_parser::parse_x509_certificate(pair.cert.first()?).ok()?;
        Some(certificate.validity().not_after.timestamp())
    }

    /// The TLS configuration: versions 1.2 and 1.3, with this certificate.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.send_tls13_tickets = TICKETS;
        Arc::new(config)
    }

    /// Checks whether the files have changed, and uses the new ones if they are valid. Pipes
    /// are skipped: opening one might block forever.
    pub(crate) fn look(&self) -> Look {
        if self.files.are_pipes() {
            return Look::Same;
        }
        let contents = self.files.read();
        let readable = readable(&contents);
        if std::mem::replace(&mut *self.seen.lock(), readable.clone()) == readable {
            return Look::Same;
        }
        match self.files.parse(contents, &self.provider) {
            Ok(pair) => {
                *self.current.lock() = Arc::new(pair);
                Look::Taken
            }
            Err(error) => Look::Kept(error),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.lock().clone())
    }
}

/// Leaves out the key.
impl fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl PairFiles {
    /// Whether one of the files is a pipe, which can be read only once.
    fn are_pipes(&self) -> bool {
        is_pipe(&self.certificate) || is_pipe(&self.key)
    }

    /// The contents of both files. Blocks while a pipe has no writer.
    fn read(&self) -> Contents {
        [read_file(&self.certificate), read_file(&self.key)]
    }

    fn parse(
        &self,
        [certificate, key]: Contents,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, PairError> {
        let of_certificate = ("--tls-cert", &self.certificate);
        let of_key = ("--tls-key", &self.key);
        let unread = |(flag, path): (&'static str, &PathBuf)| {
            let path = path.clone();
            move |cause| PairError::Read { flag, path, cause }
        };
        let no_pem = |(flag, path): (&'static str, &PathBuf), what| {
            let path = path.clone();
            PairError::Pem { flag, what, path }
        };
        let certificate = certificate.map_err(unread(of_certificate))?;
        let key = key.map_err(unread(of_key))?;
        let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| no_pem(of_certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| no_pem(of_key, "private key"))?;
        CertifiedKey::from_der(chain, key, provider).map_err(PairError::Unfit)
    }
}

/// The bytes of each file.
type Contents = [io::Result<Vec<u8>>; 2];

/// The contents of the files that could be read.
fn readable(contents: &Contents) -> [Option<Vec<u8>>; 2] {
    contents.each_ref().map(|content| content.as_ref().ok().cloned())
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe has no length to check, and /dev/zero has no end.
    File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A temporary folder with a certificate and a key.
    struct Folder(PairFiles);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("madang-pair-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("it can be made");
            let files = PairFiles { certificate: path.join("cert.pem"), key: path.join("key.pem") };
            Folder(files)
        }

        fn write(&self, (certificate, key): &(String, String)) {
            fs::write(&self.0.certificate, certificate).expect("it can be written");
            fs::write(&self.0.key, key).expect("it can be written");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Some(folder) = self.0.key.parent() {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }

    fn pair() -> (String, String) {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
        (params.self_signed(&key).expect("it can sign").pem(), key.serialize_pem())
    }

    fn shown(certificates: &Certificates) -> Vec<u8> {
        certificates.current.lock().cert[0].to_vec()
    }

    #[test]
    fn an_unusable_file_is_reported_with_its_flag() {
        #[track_caller]
        fn check(name: &str, certificate: &str, key: &str, expected: &str) {
            let folder = Folder::new(name);
            folder.write(&(certificate.to_owned(), key.to_owned()));
            let error = Certificates::load(folder.0.clone()).expect_err("it does not fit");
            let text = error.to_string();
            assert!(text.contains(expected), "{text}");
        }
        let [one, other] = [pair(), pair()];
        check("empty", "", &one.1, "--tls-cert: no PEM certificate in");
        check("swapped", &one.1, &one.0, "--tls-cert: no PEM certificate in");
        check("no-key", &one.0, &one.0, "--tls-key: no PEM private key in");
        check("others", &one.0, &other.1, "--tls-cert, --tls-key: the certificate and the key do");
        check("long", &"x".repeat((1 << 20) + 1), &one.1, "--tls-cert: failed to read");
        let files = PairFiles { certificate: "/nowhere/cert".into(), key: "/nowhere/key".into() };
        let error = Certificates::load(files).expect_err("there is no such file");
        assert!(error.to_string().starts_with("--tls-cert: failed to read /nowhere/cert: "));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_once_and_never_waited_for_again() {
        let folder = Folder::new("pipe");
        let pair = pair();
        for path in [&folder.0.certificate, &folder.0.key] {
            let made =
                std::process::Command::new("mkfifo").arg(path).status().expect("it is installed");
            assert!(made.success());
        }
        let files = folder.0.clone();
        let reader = crate::patience::spawn(move || {
            let certificates = Certificates::load(files).expect("it fits");
            certificates.look()
        });
        folder.write(&pair);
        assert!(matches!(reader.join(), Look::Same));
    }

    #[test]
    fn a_changed_certificate_is_used_if_it_is_valid() {
        let folder = Folder::new("changes");
        let [first, second] = [pair(), pair()];
        folder.write(&first);
        let certificates = Certificates::load(folder.0.clone()).expect("it fits");
        let old = shown(&certificates);
        assert!(matches!(certificates.look(), Look::Same));

        fs::write(&folder.0.certificate, &second.0).expect("it can be written");
        assert!(matches!(certificates.look(), Look::Kept(PairError::Unfit(_))));
        assert!(matches!(certificates.look(), Look::Same), "it is said once");
        assert_eq!(shown(&certificates), old);

        folder.write(&second);
        assert!(matches!(certificates.look(), Look::Taken));
        assert_ne!(shown(&certificates), old);

        fs::remove_file(&folder.0.key).expect("it was there");
        assert!(matches!(certificates.look(), Look::Kept(PairError::Read { .. })));
        folder.write(&second);
        assert!(matches!(certificates.look(), Look::Taken));
    }
}
