//! A session's token: a secret text kept by its client, and the text's hash, kept by the
//! server. After a restart, the server has only the hash until the client returns.

use std::sync::OnceLock;

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

/// A session's token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) hash: TokenHash,
    text: OnceLock<String>,
}

impl TokenHash {
    pub(crate) fn of(text: &str) -> TokenHash {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        TokenHash(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl Token {
    /// A token that is being sent to its client.
    pub(crate) fn new(text: String) -> Token {
        Token { hash: TokenHash::of(&text), text: text.into() }
    }

    /// A token that is known only by its hash.
    pub(crate) fn known_by(hash: TokenHash) -> Token {
        Token { hash, text: OnceLock::new() }
    }

    /// The client has sent its text.
    pub(crate) fn learn(&self, text: &str) {
        let _ = self.text.set(text.to_owned());
    }

    /// Its text; empty while unknown.
    pub(crate) fn text(&self) -> &str {
        self.text.get().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_until_its_client_comes() {
        let told = Token::new("abc".into());
        // FIPS 180-2, B.1
        assert_eq!(told.hash.0[..4], [0xba, 0x78, 0x16, 0xbf]);
        let restored = Token::known_by(told.hash);
        assert_eq!(restored.text(), "");
        restored.learn("abc");
        assert_eq!((restored.text(), told.text()), ("abc", "abc"));
    }
}
