//! Names proposed by the server: for guests, and instead of names in use.

use std::sync::Arc;

use madang_protocol::{
    event::Time,
    name::{NameKey, UserName},
    text::Lang,
};

use super::{NameRefusal, UserManager};
use crate::session::Session;

/// The highest number in a proposed name.
pub(super) const MOST_PROPOSED: u32 = 20;

/// After so many guest names in use one after the other, some are passed over.
const GUESTS_IN_A_ROW: u32 = 8;

/// As much of `stem` as fits into a name together with `end`.
fn shortened(stem: &str, end: &str) -> Option<UserName> {
    let shorter = stem.char_indices().rev().map(|(at, _)| &stem[..at]);
    std::iter::once(stem)
        .chain(shorter)
        .find_map(|stem| UserName::parse(&format!("{stem}{end}")).ok())
}

impl UserManager {
    /// A free name similar to one in use: `철수-2`. `None` if many of them are taken.
    pub(crate) fn free_name_like(&self, name: &UserName) -> Option<UserName> {
        let text = name.as_str();
        let stem = match text.rsplit_once('-') {
            Some((stem, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => stem,
            _ => text,
        };
        (2..=MOST_PROPOSED)
            .filter_map(|number| shortened(stem, &format!("-{number}")))
            .find(|name| self.is_free(&name.keys()))
    }

    fn is_free(&self, keys: &[NameKey]) -> bool {
        let is_free_here = !keys.iter().any(|key| self.table.lock().names.contains_key(key));
        is_free_here && self.shared_names.as_ref().is_none_or(|shared| shared.are_free(keys))
    }

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
