//! Names proposed by the server: for guests, and instead of names in use.

use std::sync::Arc;

use madang_protocol::{event::Time, name::UserName, text::Lang};

use super::UserManager;
use crate::session::Session;

/// The highest number in a proposed name.
pub(super) const MOST_PROPOSED: u32 = 20;

/// As much of `stem` as fits into a name together with `end`.
pub(super) fn shortened(stem: &str, end: &str) -> Option<UserName> {
    let shorter = stem.char_indices().rev().map(|(at, _)| &stem[..at]);
    std::iter::once(stem)
        .chain(shorter)
        .find_map(|stem| UserName::parse(&format!("{stem}{end}")).ok())
}

impl UserManager {
    /// Claims a free guest name (`손님-17`, `guest-17`).
    pub(crate) fn claim_guest(
        &self,
        lang: Lang,
        token: Option<String>,
        connection: u64,
        now: Time,
    ) -> Arc<Session> {
        let word = match lang {
            Lang::Ko => "손님",
            Lang::En => "guest",
        };
        loop {
            let number = {
                let mut table = self.table.lock();
                table.last_guest += 1;
                table.last_guest
            };
            let name = UserName::parse(&format!("{word}-{number}"))
                .expect("a word, a hyphen and at most 16 digits are a name");
            if let Ok(session) = self.claim(&name, token.clone(), connection, now) {
                return session;
            }
        }
    }
}
