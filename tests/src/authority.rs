//! The certificate authority of the tests' servers. It issues valid certificates and flawed
//! ones.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use madang_server::transport::tls::certificates::PairFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, crypto::ring,
    pki_types::ServerName,
};

use crate::program::TestFolder;

/// A certificate authority of the test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// None: it is valid for `localhost` and the loopback addresses.
    None,
    /// It has expired.
    Expired,
    /// It expires in three days, less an hour.
    ExpiresSoon,
    /// It is for another name.
    OtherName,
    /// It is self-signed.
    SelfSigned,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Madang's tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("it can sign");
        Authority { issuer }
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A valid certificate.
    pub fn issue(&self) -> Pair {
        self.issue_with(Flaw::None)
    }

    /// A certificate with this flaw.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn issue_with(&self, flaw: Flaw) -> Pair {
        let names = match flaw {
            Flaw::OtherName => vec!["other.example".to_owned()],
            _ => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        };
        let mut params = CertificateParams::new(names).expect("they are names");
        params.distinguished_name.push(DnType::CommonName, "a server of Madang's tests");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match flaw {
            Flaw::Expired => date_time_ymd(2021, 1, 1),
            Flaw::ExpiresSoon => (SystemTime::now() + Duration::from_secs(71 * 3_600)).into(),
            _ => date_time_ymd(2120, 1, 1),
        };
        let key = key();
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        Pair { certificate: certificate.expect("it can sign").pem(), key: key.serialize_pem() }
    }

    /// The TLS configuration of a client that trusts only this authority.
    ///
    /// # Panics
    ///
    /// If ring has no ciphers.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.client_config_of(rustls::ALL_VERSIONS)
    }

    fn client_config_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("it is a certificate");
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .expect("ring has cipher suites for all versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A client's session with the server at `address`.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn client(&self, address: SocketAddr) -> ClientConnection {
        self.client_of(address, rustls::ALL_VERSIONS)
    }

    /// The same, for a client that speaks only these versions of TLS.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn client_of(
        &self,
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConnection {
        let name = ServerName::IpAddress(address.ip().into());
        ClientConnection::new(self.client_config_of(versions), name).expect("there is randomness")
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

impl Pair {
    /// Writes both into `folder`, replacing older files.
    ///
    /// # Panics
    ///
    /// If it can't be written.
    #[track_caller]
    pub fn write(&self, folder: &TestFolder) -> PairFiles {
        PairFiles {
            certificate: folder.write("cert.pem", &self.certificate),
            key: folder.write("key.pem", &self.key),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("there is randomness")
}
