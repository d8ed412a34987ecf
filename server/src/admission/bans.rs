//! Names and addresses that the operator has banned. Kept only in memory, until lifted or for a
//! limited time. The server never bans anyone by itself.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use madang_protocol::{
    address_range::AddressRange,
    command::Banned,
    name::{NameKey, UserName},
};

use crate::sync::Mutex;

/// The bans in force.
#[derive(Default)]
pub(crate) struct Bans {
    table: Mutex<BanTable>,
}

#[derive(Default)]
struct BanTable {
    names: Vec<BannedName>,
    addresses: HashMap<AddressRange, BannedUntil>,
}

struct BannedName {
    name: UserName,
    keys: Vec<NameKey>,
    ban: BannedUntil,
}

/// When a ban ends, if it does.
#[derive(Clone, Copy)]
struct BannedUntil(Option<Instant>);

/// A ban, as listed for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ban {
    pub(crate) banned: Banned,
    /// The remaining time; `None` if it has no end.
    pub(crate) left: Option<Duration>,
}

impl Bans {
    /// Bans a name or address, for a limited time or until lifted.
    pub(crate) fn ban(&self, banned: Banned, time: Option<Duration>) {
        self.table.lock().add(banned, time);
    }

    /// Takes over the bans that are kept for all servers; all others are lifted. Returns the new
    /// ones.
    pub(crate) fn replace(&self, kept: Vec<(Banned, Option<Duration>)>) -> Vec<Banned> {
        let mut table = self.table.lock();
        table.expire();
        let is_new = |(banned, _): &&(Banned, Option<Duration>)| !table.has(banned);
        let new = kept.iter().filter(is_new).map(|(banned, _)| banned.clone()).collect();
        (table.names, table.addresses) = Default::default();
        kept.into_iter().for_each(|(banned, time)| table.add(banned, time));
        new
    }

    /// Lifts a ban; false if there is none.
    pub(crate) fn unban(&self, banned: &Banned) -> bool {
        let mut table = self.table.lock();
        table.expire();
        match banned {
            Banned::Address(address) => table.addresses.remove(address).is_some(),
            Banned::Name(name) => {
                let (count, spelling) = (table.names.len(), name.spelling());
                table.names.retain(|banned| !banned.keys.contains(&spelling));
                table.names.len() < count
            }
        }
    }

    /// Whether a name is banned, or looks like a banned one.
    pub(crate) fn bans_name(&self, name: &UserName) -> bool {
        let mut table = self.table.lock();
        table.expire();
        if table.names.is_empty() {
            return false;
        }
        let keys = name.keys();
        table.names.iter().any(|banned| keys.iter().any(|key| banned.keys.contains(key)))
    }

    /// Whether an address is banned.
    pub(crate) fn bans_address(&self, address: IpAddr) -> bool {
        let mut table = self.table.lock();
        table.expire();
        table.addresses.keys().any(|network| network.contains(address))
    }

    /// All bans.
    pub(crate) fn list(&self) -> Vec<Ban> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.expire();
        let left = |ban: &BannedUntil| ban.0.map(|until| until.saturating_duration_since(now));
        let names = table.names.iter().map(|banned| Ban {
            banned: Banned::Name(banned.name.clone()),
            left: left(&banned.ban),
        });
        let mut addresses: Vec<_> = table.addresses.iter().collect();
        addresses.sort_by_key(|(address, _)| **address);
        let addresses = addresses
            .into_iter()
            .map(|(address, ban)| Ban { banned: Banned::Address(*address), left: left(ban) });
        names.chain(addresses).collect()
    }
}

impl BanTable {
    fn expire(&mut self) {
        let now = Instant::now();
        let lasts = |ban: &BannedUntil| ban.0.is_none_or(|until| until > now);
        self.names.retain(|banned| lasts(&banned.ban));
        self.addresses.retain(|_, ban| lasts(ban));
    }

    fn add(&mut self, banned: Banned, time: Option<Duration>) {
        let ban = BannedUntil(time.and_then(|time| Instant::now().checked_add(time)));
        match banned {
            Banned::Address(address) => {
                self.addresses.insert(address, ban);
            }
            Banned::Name(name) => {
                let keys = name.keys();
                self.names.retain(|other| other.name != name);
                self.names.push(BannedName { name, keys, ban });
            }
        }
    }

    fn has(&self, banned: &Banned) -> bool {
        match banned {
            Banned::Address(address) => self.addresses.contains_key(address),
            Banned::Name(name) => self.names.iter().any(|banned| banned.name == *name),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    #[test]
    fn a_banned_name_includes_lookalikes_until_it_is_lifted() {
        let bans = Bans::default();
        bans.ban(Banned::Name(name("alice")), None);
        for banned in ["alice", "ALICE", "aIice"] {
            assert!(bans.bans_name(&name(banned)), "{banned}");
        }
        assert!(!bans.bans_name(&name("bob")));
        assert!(bans.unban(&Banned::Name(name("Alice"))));
        assert!(!bans.bans_name(&name("alice")));
        assert!(!bans.unban(&Banned::Name(name("alice"))));
    }

    #[test]
    fn bans_kept_for_all_servers_replace_those_that_were() {
        let bans = Bans::default();
        let banned = |text: &str| Banned::Name(name(text));
        bans.ban(banned("bob"), None);
        bans.ban(banned("carol"), None);
        let hour = Some(Duration::from_secs(3_600));
        let new = bans.replace(vec![(banned("carol"), hour), (banned("dan"), None)]);
        assert_eq!(new, [banned("dan")]);
        let banned: Vec<String> = bans.list().iter().map(|ban| ban.banned.to_string()).collect();
        assert_eq!(banned, ["carol", "dan"]);
    }

    #[test]
    fn addresses_are_banned_in_every_form_for_a_limited_time() {
        let bans = Bans::default();
        let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let network = |text: &str| Banned::Address(AddressRange::to_ban(text).expect("a range"));
        bans.ban(network("::ffff:192.0.2.1"), None);
        bans.ban(network("192.0.2.2"), Some(Duration::ZERO));
        bans.ban(network("192.0.2.3"), Some(Duration::from_secs(3_600)));
        assert!(bans.bans_address(address("192.0.2.1")));
        assert!(bans.bans_address(address("64:ff9b::192.0.2.1")), "through NAT64");
        assert!(!bans.bans_address(address("192.0.2.2")), "its time is over");
        let list = bans.list();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].left, None);
        assert!(list[1].left.is_some_and(|left| left <= Duration::from_secs(3_600)));
        bans.ban(network("2001:db8:1:2::5"), None);
        assert!(bans.bans_address(address("2001:db8:1:2:3::6")), "the whole /64");
        assert!(!bans.bans_address(address("2001:db8:1:3::5")));
        assert!(bans.unban(&network("2001:db8:1:2::9")));
        bans.ban(network("203.0.113.0/24"), None);
        assert!(bans.bans_address(address("::ffff:203.0.113.77")));
        assert!(bans.unban(&network("203.0.113.0/24")));
        assert!(!bans.bans_address(address("203.0.113.77")));
    }
}
