//! Who is here under which name: the only place where names are claimed.

use std::collections::HashSet;

use madang_protocol::{
    name::{NameKey, UserName},
    text::Lang,
};

use crate::sync::Mutex;

/// The names in use. A name is claimed before its bearer joins a room, and
/// released only after its leaving was posted: the room sees one bearer go
/// before the next comes.
#[derive(Debug, Default)]
pub(crate) struct UserManager {
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    /// Every key of every name in use.
    keys: HashSet<NameKey>,
    count: usize,
    last_guest: u64,
}

/// The name, or one that looks the same, is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameInUse;

impl UserManager {
    /// Claims a name and returns how many are in use now.
    ///
    /// # Errors
    ///
    /// [`NameInUse`] if it, or one that could be mistaken for it, is claimed.
    pub(crate) fn claim(&self, name: &UserName) -> Result<usize, NameInUse> {
        let keys = name.keys();
        self.names.lock().claim(keys).ok_or(NameInUse)
    }

    /// Claims a free guest name (`손님-17`, `guest-17`), and returns it with how
    /// many names are in use now.
    pub(crate) fn claim_guest(&self, lang: Lang) -> (UserName, usize) {
        let word = match lang {
            Lang::Ko => "손님",
            Lang::En => "guest",
        };
        loop {
            let number = {
                let mut names = self.names.lock();
                names.last_guest += 1;
                names.last_guest
            };
            let name = UserName::parse(&format!("{word}-{number}"))
                .expect("a word, a hyphen and at most 16 digits are a name");
            if let Ok(count) = self.claim(&name) {
                return (name, count);
            }
        }
    }

    /// Releases a claimed name and returns how many are in use now.
    pub(crate) fn release(&self, name: &UserName) -> usize {
        let keys = name.keys();
        let mut names = self.names.lock();
        for key in keys {
            names.keys.remove(&key);
        }
        names.count -= 1;
        names.count
    }
}

impl Names {
    // Inlined, its frame would lie under the making of the keys, on a small stack.
    #[inline(never)]
    fn claim(&mut self, keys: Vec<NameKey>) -> Option<usize> {
        if keys.iter().any(|key| self.keys.contains(key)) {
            return None;
        }
        self.keys.extend(keys);
        self.count += 1;
        Some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    #[test]
    fn a_name_has_one_bearer_until_it_is_released() {
        let users = UserManager::default();
        assert_eq!(users.claim(&name("alice")), Ok(1));
        for taken in ["alice", "ALICE", "aIice"] {
            assert_eq!(users.claim(&name(taken)), Err(NameInUse), "{taken}");
        }
        assert_eq!(users.claim(&name("국가")), Ok(2));
        assert_eq!(users.claim(&name("구까")), Ok(3));
        assert_eq!(users.release(&name("alice")), 2);
        assert_eq!(users.claim(&name("aIice")), Ok(3));
    }

    #[test]
    fn a_guest_name_passes_over_those_in_use() {
        let users = UserManager::default();
        assert_eq!(users.claim(&name("손님-2")), Ok(1));
        let guests: Vec<String> =
            (0..3).map(|_| users.claim_guest(Lang::Ko).0.to_string()).collect();
        assert_eq!(guests, ["손님-1", "손님-3", "손님-4"]);
    }
}
