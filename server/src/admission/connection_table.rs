//! The open connections: how many there may be, in all and of one address, and
//! how each can be reached when the server stops.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Instant,
};

use madang_protocol::{
    address_range::{AddressRange, unwrapped},
    notice::Goodbye,
};

use crate::{
    doors::Door,
    metrics::{Traffic, TrafficSum},
    sync::{Condvar, Mutex},
};

/// The most connections that ask for the server's numbers at once.
pub(crate) const METRICS_CONNECTIONS: usize = 8;

/// The table of open connections; each is reached by its `R`.
pub(crate) struct ConnectionTable<R> {
    limits: ConnectionLimits,
    table: Mutex<OpenConnections<R>>,
    /// Signalled when the last one has ended.
    empty: Condvar,
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// In all.
    pub(crate) total: usize,
    /// Of one address, if that is limited.
    pub(crate) per_address: Option<usize>,
    /// Of one address without a login, if that is limited.
    pub(crate) logins_per_address: usize,
    /// Of one address that are none of the chat yet, if that is limited.
    pub(crate) requests_per_address: usize,
}

struct OpenConnections<R> {
    last_number: u64,
    count: usize,
    /// The most that there were at once.
    peak: usize,
    doors: BTreeMap<Door, DoorCounts>,
    open: HashMap<u64, Open<R>>,
    addresses: HashMap<IpAddr, PerAddress>,
    /// What passed through connections that are no more.
    past_traffic: TrafficSum,
}

struct Open<R> {
    outbox: Arc<R>,
    door: Door,
    address: IpAddr,
    traffic: Arc<Traffic>,
}

/// How many connections have come in at a door.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DoorCounts {
    /// Those that are open.
    pub(crate) open: usize,
    /// All since the start.
    pub(crate) opened: u64,
}

#[derive(Debug, Default)]
struct PerAddress {
    requests: usize,
    connections: usize,
    logins: usize,
}

/// How far a connection has come, which decides where it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has asked for nothing yet, or for a part of the page: a browser opens
    /// several such connections, and each is over soon.
    Request,
    /// It has to log in.
    Login,
    LoggedIn,
}

impl Progress {
    /// How far a connection has come that was just accepted at `door`.
    fn first(door: Door) -> Progress {
        match door {
            Door::Lines | Door::TlsLines => Progress::Login,
            Door::Web | Door::Metrics => Progress::Request,
        }
    }
}

/// An admitted connection. Dropped, it makes place for another.
pub(crate) struct Admitted<R> {
    connections: Arc<ConnectionTable<R>>,
    /// The connection's number; no two of a server are the same.
    pub(crate) number: u64,
    /// What passes through it.
    pub(crate) traffic: Arc<Traffic>,
    door: Door,
    address: IpAddr,
    /// The address that its limits are counted under, if it is limited.
    counted: Option<IpAddr>,
    stage: Progress,
}

impl<R> ConnectionTable<R> {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<ConnectionTable<R>> {
        let (table, empty) = (Mutex::new(OpenConnections::new()), Condvar::new());
        Arc::new(ConnectionTable { limits, table, empty })
    }

    /// Admits a connection from `address` at `door`.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if there are too many already.
    pub(crate) fn admit(
        self: &Arc<Self>,
        door: Door,
        address: IpAddr,
    ) -> Result<Admitted<R>, Goodbye> {
        let mut admission = self.admit_proxied(door, address)?;
        admission.count_under(address)?;
        Ok(admission)
    }

    /// Admits a request that the proxy at `address` has passed on; whose it is is
    /// not known yet.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if there are too many already.
    pub(crate) fn admit_proxied(
        self: &Arc<Self>,
        door: Door,
        address: IpAddr,
    ) -> Result<Admitted<R>, Goodbye> {
        let mut table = self.table.lock();
        if table.is_full(door, self.limits.total) {
            return Err(Goodbye::ServerFull);
        }
        table.count += 1;
        table.peak = table.peak.max(table.count);
        table.last_number += 1;
        table.doors.entry(door).or_default().open += 1;
        Ok(Admitted {
            connections: self.clone(),
            number: table.last_number,
            traffic: Arc::default(),
            door,
            address: address.to_canonical(),
            counted: None,
            stage: Progress::first(door),
        })
    }

    /// How many connections have come in, by door.
    pub(crate) fn doors(&self) -> BTreeMap<Door, DoorCounts> {
        self.table.lock().doors.clone()
    }

    /// How many connections fewer there are than there once were at the same time.
    pub(crate) fn vacated(&self) -> usize {
        let table = self.table.lock();
        table.peak - table.count
    }

    /// What has passed through all connections since the start, but those that asked
    /// for the server's numbers.
    pub(crate) fn traffic(&self) -> TrafficSum {
        // Under the lock, nobody goes from the open ones to the past.
        let table = self.table.lock();
        let mut sum = table.past_traffic;
        let of_chat = table.open.values().filter(|open| open.door != Door::Metrics);
        of_chat.for_each(|open| sum += &open.traffic);
        sum
    }

    /// Every outbox that is registered now.
    pub(crate) fn outboxes(&self) -> Vec<Arc<R>> {
        self.table.lock().open.values().map(|open| open.outbox.clone()).collect()
    }

    /// The address from which a connection has come.
    pub(crate) fn address_of(&self, connection: u64) -> Option<IpAddr> {
        self.table.lock().open.get(&connection).map(|open| open.address)
    }

    /// The outbox of a connection, once it is registered.
    pub(crate) fn outbox_of(&self, connection: u64) -> Option<Arc<R>> {
        self.table.lock().open.get(&connection).map(|open| open.outbox.clone())
    }

    /// The outboxes of all connections from a network, logged in or not.
    pub(crate) fn outboxes_from(&self, network: &AddressRange) -> Vec<Arc<R>> {
        let table = self.table.lock();
        let open = table.open.values().filter(|open| network.contains(open.address));
        open.map(|open| open.outbox.clone()).collect()
    }

    /// Blocks until there is no connection, or `deadline`; false in that case.
    pub(crate) fn wait_empty(&self, deadline: Instant) -> bool {
        let mut table = self.table.lock();
        while table.count > 0 {
            if self.empty.wait_until(&mut table, deadline).timed_out() {
                return table.count == 0;
            }
        }
        true
    }
}

impl<R> OpenConnections<R> {
    fn new() -> OpenConnections<R> {
        OpenConnections {
            last_number: 0,
            count: 0,
            peak: 0,
            doors: BTreeMap::new(),
            open: HashMap::new(),
            addresses: HashMap::new(),
            past_traffic: TrafficSum::default(),
        }
    }

    /// Whether nobody more may come in at `door`. The numbers can be asked for when
    /// there is no place in the chat, and asking takes none there.
    fn is_full(&self, door: Door, total: usize) -> bool {
        let asking = self.doors.get(&Door::Metrics).map_or(0, |counts| counts.open);
        match door {
            Door::Metrics => asking >= METRICS_CONNECTIONS,
            _ => self.count - asking >= total,
        }
    }
}

impl<R> Admitted<R> {
    /// The connection is one of `address`; counts it there, if it was not counted
    /// before.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if its address has too many already.
    pub(crate) fn count_under(&mut self, address: IpAddr) -> Result<(), Goodbye> {
        let limits = self.connections.limits;
        let mut table = self.connections.table.lock();
        self.address = address.to_canonical();
        if self.door == Door::Metrics {
            return Ok(());
        }
        if let Some(open) = table.open.get_mut(&self.number) {
            open.address = self.address;
        }
        let (None, Some(_), Some(address)) =
            (self.counted, limits.per_address, counted_as(address))
        else {
            return Ok(());
        };
        table.addresses.entry(address).or_default().add(self.stage, &limits)?;
        self.counted = Some(address);
        Ok(())
    }

    /// The request was for the chat: the connection has to log in from now on.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if its address has too many already.
    pub(crate) fn begin_login(&mut self) -> Result<(), Goodbye> {
        if let Some(address) = self.counted
            && let Some(per_address) = self.connections.table.lock().addresses.get_mut(&address)
        {
            per_address.add(Progress::Login, &self.connections.limits)?;
            per_address.remove(self.stage);
        }
        self.stage = Progress::Login;
        Ok(())
    }

    /// Lets the connection be reached when the server stops.
    pub(crate) fn register(&self, outbox: Arc<R>) {
        let (door, address, traffic) = (self.door, self.address, self.traffic.clone());
        let open = Open { outbox, door, address, traffic };
        let mut table = self.connections.table.lock();
        table.doors.entry(door).or_default().opened += 1;
        table.open.insert(self.number, open);
    }

    /// The address that its limits are counted under; none if it has no limits.
    pub(crate) fn counted(&self) -> Option<IpAddr> {
        self.counted
    }

    /// The connection has logged in: it makes place for another login.
    pub(crate) fn logged_in(&mut self) {
        if self.stage == Progress::Login
            && let Some(address) = self.counted
            && let Some(per_address) = self.connections.table.lock().addresses.get_mut(&address)
        {
            per_address.logins -= 1;
        }
        self.stage = Progress::LoggedIn;
    }
}

impl PerAddress {
    /// Counts a connection that has come so far, if there may be one more.
    fn add(&mut self, stage: Progress, limits: &ConnectionLimits) -> Result<(), Goodbye> {
        let most = limits.per_address.unwrap_or(usize::MAX);
        let is_full = match stage {
            Progress::Request => self.requests >= limits.requests_per_address,
            Progress::Login | Progress::LoggedIn => {
                self.connections >= most || self.logins >= limits.logins_per_address
            }
        };
        if is_full {
            return Err(Goodbye::AddressFull);
        }
        match stage {
            Progress::Request => self.requests += 1,
            Progress::Login | Progress::LoggedIn => self.connections += 1,
        }
        self.logins += usize::from(stage == Progress::Login);
        Ok(())
    }

    fn remove(&mut self, stage: Progress) {
        match stage {
            Progress::Request => self.requests -= 1,
            Progress::Login | Progress::LoggedIn => self.connections -= 1,
        }
        self.logins -= usize::from(stage == Progress::Login);
    }

    fn is_empty(&self) -> bool {
        self.requests == 0 && self.connections == 0
    }
}

impl<R> Drop for Admitted<R> {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        table.open.remove(&self.number);
        if self.door != Door::Metrics {
            table.past_traffic += &self.traffic;
        }
        table.count -= 1;
        if let Some(counts) = table.doors.get_mut(&self.door) {
            counts.open -= 1;
        }
        if let Some(address) = self.counted
            && let Some(per_address) = table.addresses.get_mut(&address)
        {
            per_address.remove(self.stage);
            if per_address.is_empty() {
                table.addresses.remove(&address);
            }
        }
        if table.count == 0 {
            self.connections.empty.notify_all();
        }
    }
}

/// What an address is counted as; `None` for loopback and private addresses, behind which
/// a whole class may sit.
fn counted_as(address: IpAddr) -> Option<IpAddr> {
    let exempt = match unwrapped(address) {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    (!exempt).then(|| owner_of(address))
}

/// The address that stands for all of its owner's: IPv4 in IPv6 (mapped, or by
/// NAT64) is IPv4, IPv6 its /64.
pub(crate) fn owner_of(address: IpAddr) -> IpAddr {
    match unwrapped(address) {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(total: usize) -> Arc<ConnectionTable<()>> {
        ConnectionTable::new(ConnectionLimits {
            total,
            per_address: Some(4),
            logins_per_address: 2,
            requests_per_address: 3,
        })
    }

    #[track_caller]
    fn refused(connections: &Arc<ConnectionTable<()>>, address: &str) -> Option<Goodbye> {
        let address = address.parse().expect("an address");
        connections.admit(Door::Lines, address).err()
    }

    fn admitted(connections: &Arc<ConnectionTable<()>>, address: &str) -> Admitted<()> {
        let address = address.parse().expect("an address");
        connections.admit(Door::Lines, address).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    #[test]
    fn addresses_are_counted_by_their_owner() {
        #[track_caller]
        fn check(address: &str, expected: Option<&str>) {
            let counted = counted_as(address.parse().expect("an address"));
            assert_eq!(counted.map(|counted| counted.to_string()).as_deref(), expected);
        }
        check("127.0.0.1", None);
        check("192.168.3.4", None);
        check("172.20.0.1", None);
        check("10.1.2.3", None);
        check("::1", None);
        check("fd00::1", None);
        check("fe80::1", None);
        check("::ffff:10.0.0.1", None);
        check("203.0.113.9", Some("203.0.113.9"));
        check("::ffff:203.0.113.9", Some("203.0.113.9"));
        check("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::"));
        let owner = |address: &str| owner_of(address.parse().expect("an address")).to_string();
        assert_eq!(owner("::ffff:127.0.0.1"), "127.0.0.1");
        assert_eq!(owner("fd00::1:2:3:4"), "fd00::");
    }

    #[test]
    fn one_address_has_its_limit_and_others_their_own() {
        let connections = connections(100);
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut admission = admitted(&connections, "203.0.113.9");
            assert_eq!(refused(&connections, "203.0.113.9"), None);
            admission.logged_in();
            open.push(admission);
        }
        let logging_in =
            [admitted(&connections, "203.0.113.9"), admitted(&connections, "203.0.113.9")];
        assert_eq!(refused(&connections, "203.0.113.9"), Some(Goodbye::AddressFull));
        assert_eq!(refused(&connections, "203.0.113.10"), None);
        drop(logging_in);
        let _logging_in = admitted(&connections, "203.0.113.9");
        let _another = admitted(&connections, "203.0.113.9");
        assert_eq!(refused(&connections, "203.0.113.9"), Some(Goodbye::AddressFull));
    }

    #[test]
    fn who_comes_through_a_proxy_is_counted_once_known() {
        let connections = connections(100);
        let proxy = "10.0.0.1".parse().expect("an address");
        let mut unknown: Vec<Admitted<()>> = (0..4)
            .map(|_| connections.admit_proxied(Door::Web, proxy).unwrap_or_else(|_| panic!("full")))
            .collect();
        let address = "203.0.113.9".parse().expect("an address");
        for admission in &mut unknown[..3] {
            assert_eq!(admission.count_under(address), Ok(()));
        }
        assert_eq!(unknown[3].count_under(address), Err(Goodbye::AddressFull));
        // It is known already.
        assert_eq!(unknown[1].count_under("203.0.113.10".parse().expect("an address")), Ok(()));
        unknown.truncate(1);
        assert_eq!(refused(&connections, "203.0.113.9"), None);
    }

    #[test]
    fn requests_take_no_place_of_members_until_they_are_for_the_chat() {
        let connections = connections(100);
        let address = "203.0.113.9".parse().expect("an address");
        let request = || connections.admit(Door::Web, address);
        let mut open: Vec<Admitted<()>> =
            (0..3).map(|_| request().unwrap_or_else(|_| panic!("full"))).collect();
        assert_eq!(request().err(), Some(Goodbye::AddressFull));
        assert_eq!(refused(&connections, "203.0.113.9"), None);
        assert_eq!(open[0].begin_login(), Ok(()));
        assert_eq!(open[1].begin_login(), Ok(()));
        assert_eq!(open[2].begin_login(), Err(Goodbye::AddressFull));
        assert_eq!(refused(&connections, "203.0.113.9"), Some(Goodbye::AddressFull));
        let again = [request(), request()];
        assert!(again.iter().all(Result::is_ok), "two have left their places");
        assert_eq!(request().err(), Some(Goodbye::AddressFull));
        open.clear();
        drop(again);
        assert!(connections.table.lock().addresses.is_empty());
    }

    #[test]
    fn unfinished_logins_have_a_limit_of_their_own() {
        let connections = connections(100);
        let mut first = admitted(&connections, "203.0.113.9");
        let _second = admitted(&connections, "203.0.113.9");
        assert_eq!(refused(&connections, "203.0.113.9"), Some(Goodbye::AddressFull));
        first.logged_in();
        assert_eq!(refused(&connections, "203.0.113.9"), None);
    }

    #[test]
    fn a_full_server_says_so_until_somebody_goes() {
        let connections = connections(2);
        let first = admitted(&connections, "127.0.0.1");
        let _second = admitted(&connections, "127.0.0.1");
        assert_eq!(refused(&connections, "127.0.0.1"), Some(Goodbye::ServerFull));
        drop(first);
        assert_eq!(refused(&connections, "127.0.0.1"), None);
        assert!(!connections.wait_empty(Instant::now()));
    }
}
