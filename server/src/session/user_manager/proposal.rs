//! Names proposed by the server: for guests, and instead of names in use.

use std::sync::Arc;

use madang_protocol::{event::Time, name::UserName, text::Lang};

use super::{NameRefusal, UserManager};
use crate::session::Session;

/// The highest number in a proposed name.
pub(super) const MOST_PROPOSED: u32 = 20;

/// After so many guest names in use one after the other, some are passed over.
const GUESTS_IN_A_ROW: u32 = 8;

/// As much of `stem` as fits into a name together with `end`.
pub(super) fn shortened(stem: &str, end: &str) -> Option<UserName> {
    let shorter = stem.char_indices().rev().map(|(at, _)| &stem[..at]);
    std::iter::once(stem)
        .chain(shorter)
        .find_map(|stem| UserName::parse(&format!("{stem}{end}")).ok())
}

impl UserManager {
    /// Claims a free guest name (`손님-17`, `guest-17`).
    ///
    /// # Errors
    ///
    /// If other servers can't be asked.
    pub(crate) fn claim_guest(
        &self,
        lang: Lang,
        token: Option<String>,
        connection: u64,
        now: Time,
    ) -> Result<Arc<Session>, NameRefusal> {
        let word = match lang {
            Lang::Ko => "손님",
            Lang::En => "guest",
        };
        // Other servers may have taken many numbers in a row.
        let mut in_use = 0_u32;
        loop {
            let step = 1 << in_use.saturating_sub(GUESTS_IN_A_ROW).min(20);
            let number = {
                let mut table = self.table.lock();
                table.last_guest += step;
                table.last_guest
            };
            let name = UserName::parse(&format!("{word}-{number}"))
                .expect("a word, a hyphen and at most 16 digits are a name");
            match self.claim(&name, token.clone(), connection, now) {
                Err(NameRefusal::InUse) => in_use += 1,
                claimed => return claimed,
            }
        }
    }
}
