//! The open connections: limits on their number, in total and per address, and how to reach
//! each one when the server stops.

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

/// The maximum number of simultaneous connections to the metrics.
pub(crate) const METRICS_CONNECTIONS: usize = 8;

/// The table of open connections; `R` is the handle that reaches one.
pub(crate) struct ConnectionTable<R> {
    limits: ConnectionLimits,
    table: Mutex<OpenConnections<R>>,
    /// Signalled when the last one has ended.
    empty: Condvar,
}

/// Limits on the number of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// In total.
    pub(crate) total: usize,
    /// Per address; `None` means no limit.
    pub(crate) per_address: Option<usize>,
    /// Per address, for those that have not logged in.
    pub(crate) logins_per_address: usize,
    /// Per address, for those that do not belong to the chat yet.
    pub(crate) requests_per_address: usize,
}

struct OpenConnections<R> {
    last_number: u64,
    count: usize,
    /// The highest number of simultaneous connections so far.
    peak: usize,
    doors: BTreeMap<Door, DoorCounts>,
    open: HashMap<u64, Open<R>>,
    addresses: HashMap<IpAddr, PerAddress>,
    /// The traffic of connections that have ended.
    past_traffic: TrafficSum,
}

struct Open<R> {
    outbox: Arc<R>,
    door: Door,
    address: IpAddr,
    traffic: Arc<Traffic>,
}

/// How many connections have arrived at a door.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DoorCounts {
    /// Open ones.
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
    /// It has requested nothing yet, or part of the page: a browser opens several such
    /// connections, and each ends soon.
    Request,
    /// It has to log in.
    Login,
    LoggedIn,
}

impl Progress {
    /// The state of a connection just accepted at `door`.
    fn first(door: Door) -> Progress {
        match door {
            Door::Lines | Door::TlsLines => Progress::Login,
            Door::Web | Door::Metrics => Progress::Request,
        }
    }
}

/// An admitted connection. Dropping it frees its place.
pub(crate) struct Admitted<R> {
    connections: Arc<ConnectionTable<R>>,
    /// The connection's number; no two of a server are the same.
    pub(crate) number: u64,
    /// The traffic of the connection.
    pub(crate) traffic: Arc<Traffic>,
    door: Door,
    address: IpAddr,
    /// The address under which it is counted; `None` if it is not limited.
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
    /// What to tell the peer, if there are too many connections.
    pub(crate) fn admit(
        self: &Arc<Self>,
        door: Door,
        address: IpAddr,
    ) -> Result<Admitted<R>, Goodbye> {
        let mut admission = self.admit_proxied(door, address)?;
        admission.count_under(address)?;
        Ok(admission)
    }

    /// Admits a request forwarded by the proxy at `address`, before its real origin is known.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if there are too many connections.
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

    /// The number of connections by door.
    pub(crate) fn doors(&self) -> BTreeMap<Door, DoorCounts> {
        self.table.lock().doors.clone()
    }

    /// How many fewer connections are open now than at the peak.
    pub(crate) fn vacated(&self) -> usize {
        let table = self.table.lock();
        table.peak - table.count
    }

    /// The traffic of all connections since the start, except those to the metrics.
    pub(crate) fn traffic(&self) -> TrafficSum {
        // Under the lock, no connection moves from the open to the ended ones.
        let table = self.table.lock();
        let mut sum = table.past_traffic;
        let of_chat = table.open.values().filter(|open| open.door != Door::Metrics);
        of_chat.for_each(|open| sum += &open.traffic);
        sum
    }

    /// Every registered outbox.
    pub(crate) fn outboxes(&self) -> Vec<Arc<R>> {
        self.table.lock().open.values().map(|open| open.outbox.clone()).collect()
    }

    /// The address of a connection.
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

    /// Blocks until there are no connections, or `deadline`; returns false at the deadline.
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

    /// Whether no more connections are accepted at `door`. Metrics stay available when the chat
    /// is full, and use none of its places.
    fn is_full(&self, door: Door, total: usize) -> bool {
        let asking = self.doors.get(&Door::Metrics).map_or(0, |counts| counts.open);
        match door {
            Door::Metrics => asking >= METRICS_CONNECTIONS,
            _ => self.count - asking >= total,
        }
    }
}

impl<R> Admitted<R> {
    /// Counts the connection under `address`, if it was not counted before.
    ///
    /// # Errors
    ///
    /// What to tell the peer, if its address has too many connections.
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
    /// What to tell the peer, if its address has too many connections.
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

    /// Makes the connection reachable when the server stops.
    pub(crate) fn register(&self, outbox: Arc<R>) {
        let (door, address, traffic) = (self.door, self.address, self.traffic.clone());
        let open = Open { outbox, door, address, traffic };
        let mut table = self.connections.table.lock();
        table.doors.entry(door).or_default().opened += 1;
        table.open.insert(self.number, open);
    }

    /// The address under which it is counted; `None` if it is not limited.
    pub(crate) fn counted(&self) -> Option<IpAddr> {
        self.counted
    }

    /// The connection has logged in, which frees its place among the logins.
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
    /// Counts a connection at this stage, if the limits allow one more.
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

/// The address to count under; `None` for loopback and private addresses, which a whole class
/// may share.
fn counted_as(address: IpAddr) -> Option<IpAddr> {
    let exempt = match unwrapped(address) {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    (!exempt).then(|| owner_of(address))
}

/// The canonical address of an owner: IPv4 in IPv6 (mapped or NAT64) is IPv4, and IPv6 is its
/// /64 network.
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
    fn each_address_has_its_own_limit() {
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
    fn a_client_behind_a_proxy_is_counted_once_known() {
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
    fn requests_take_no_places_of_the_chat() {
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
    fn unfinished_logins_have_their_own_limit() {
        let connections = connections(100);
        let mut first = admitted(&connections, "203.0.113.9");
        let _second = admitted(&connections, "203.0.113.9");
        assert_eq!(refused(&connections, "203.0.113.9"), Some(Goodbye::AddressFull));
        first.logged_in();
        assert_eq!(refused(&connections, "203.0.113.9"), None);
    }

    #[test]
    fn a_full_server_refuses_until_a_place_is_free() {
        let connections = connections(2);
        let first = admitted(&connections, "127.0.0.1");
        let _second = admitted(&connections, "127.0.0.1");
        assert_eq!(refused(&connections, "127.0.0.1"), Some(Goodbye::ServerFull));
        drop(first);
        assert_eq!(refused(&connections, "127.0.0.1"), None);
        assert!(!connections.wait_empty(Instant::now()));
    }
}
