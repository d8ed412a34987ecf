//! What an operator reads when Redis can't be used: what is wrong, and what to do.

use std::{error::Error, io, sync::Arc};

use redis::{ErrorKind, RedisError, ServerErrorKind};
use rustls::{AlertDescription, CertificateError, pki_types::ServerName};

/// What is wrong, and what to do, if that is known.
pub(super) fn explain(error: &RedisError) -> Option<String> {
    let text = match (error.kind(), error.code()) {
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            "this Redis is a read-only replica: lead this server to the primary, or promote the \
             replica (REPLICAOF NO ONE)"
        }
        (_, Some("NOREPLICAS")) => {
            "this Redis refuses to write because it has fewer replicas than its \
             min-replicas-to-write: start them, or lower that"
        }
        (_, Some("NOAUTH")) => "this Redis has a password: set MADANG_CLUSTER_PASSWORD",
        (ErrorKind::AuthenticationFailed, _) => {
            "this Redis refuses the password: check MADANG_CLUSTER_PASSWORD"
        }
        _ => return explain_tls(tls_error(error)?),
    };
    Some(text.to_owned())
}

/// The same for a connection that could not be opened, after which the scheme of the address may
/// turn out to be the wrong one.
pub(super) fn explain_first(error: &RedisError, is_tls: bool) -> String {
    if let Some(text) = explain(error) {
        return text;
    }
    let is_lost = error.is_connection_dropped() && !error.is_connection_refusal();
    match is_tls {
        true if error.is_timeout() => {
            "no answer: if Redis does not take TLS on this port, use redis://".to_owned()
        }
        false if is_lost => format!("{error}: if Redis takes TLS on this port, use rediss://"),
        _ if error.is_timeout() => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

fn explain_tls(error: &rustls::Error) -> Option<String> {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    let text = match error {
        InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is from an authority that this machine does not trust: name the file \
             with its certificate (PEM) in SSL_CERT_FILE"
        }
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired: renew it, or set this machine's clock"
        }
        InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            let expected = match expected {
                ServerName::DnsName(name) => name.as_ref().to_owned(),
                ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
                _ => return None,
            };
            let presented: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            return Some(format!(
                "its certificate is not for {expected}, only for {}: use a name of the \
                 certificate",
                presented.join(", ")
            ));
        }
        AlertReceived(AlertDescription::CertificateRequired) => {
            "this Redis asks its clients for certificates, and this server has none: set its \
             tls-auth-clients to no"
        }
        InvalidMessage(_) => "no TLS on this port: use redis:// if Redis is there",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A name without its kind, which the library adds: `a` for `DnsName("a")`.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, name)| name.trim_matches(['"', ')']))
}

/// What TLS has refused.
fn tls_error(error: &RedisError) -> Option<&rustls::Error> {
    // What is in the `Arc` does not come up as a source of its own.
    let inside: &(dyn Error + 'static) =
        match error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
            Some(shared) => &**shared,
            None => error.source()?,
        };
    match inside.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref()?.downcast_ref(),
        None => inside.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: rustls::Error, expected: Option<&str>) {
        let error = RedisError::from(io::Error::new(io::ErrorKind::InvalidData, error));
        let found = explain(&error);
        assert_eq!(found.as_deref().map(|text| text.split(": ").next().unwrap_or(text)), expected);
    }

    #[test]
    fn what_tls_refuses_is_explained() {
        let certificate = rustls::Error::InvalidCertificate;
        let issuer = "its certificate is from an authority that this machine does not trust";
        check(certificate(CertificateError::UnknownIssuer), Some(issuer));
        check(certificate(CertificateError::Expired), Some("its certificate has expired"));
        check(certificate(CertificateError::Revoked), None);
        let message = rustls::InvalidMessage::InvalidContentType;
        check(rustls::Error::InvalidMessage(message), Some("no TLS on this port"));
        let other_name = |presented: &str| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.5").expect("an address"),
            presented: vec![presented.to_owned(), "IpAddress(10.0.0.6)".to_owned()],
        };
        let expected = "its certificate is not for 10.0.0.5, only for a.example, 10.0.0.6";
        check(certificate(other_name(r#"DnsName("a.example")"#)), Some(expected));
    }

    #[test]
    fn only_a_connection_that_is_cut_raises_doubt_about_the_scheme() {
        let first =
            |kind: io::ErrorKind, is_tls| explain_first(&io::Error::from(kind).into(), is_tls);
        assert!(first(io::ErrorKind::ConnectionReset, false).ends_with("use rediss://"));
        assert!(first(io::ErrorKind::UnexpectedEof, false).ends_with("use rediss://"));
        assert!(first(io::ErrorKind::WouldBlock, true).ends_with("use redis://"));
        assert_eq!(first(io::ErrorKind::WouldBlock, false), "no answer");
        for is_tls in [false, true] {
            assert_eq!(first(io::ErrorKind::ConnectionRefused, is_tls), "connection refused");
        }
    }
}
