//! Buckets of closed connections, by address: a client that reconnects continues with the
//! bucket of its last connection. [`rate_limit`] defines how buckets fill.
//!
//! [`rate_limit`]: crate::admission::rate_limit

use std::{
    collections::HashMap,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    admission::connection_table::owner_of,
    admission::rate_limit::{Bucket, RateLimit},
    sync::Mutex,
};

/// The maximum number of addresses remembered.
const ADDRESSES: usize = 65_536;

/// The maximum number of buckets kept for one address; the emptiest are kept.
const BUCKETS: usize = 64;

/// How long a bucket is kept that does not fill up.
const KEPT: Duration = Duration::from_secs(60);

/// How many full buckets one address gets at once, and per second in the long run. Further
/// connections start with an empty one: they log in a tenth of a second later, so reconnecting
/// gains nothing.
const FULL_BUCKETS: f64 = 20.0;
const FULL_BUCKETS_PER_SECOND: f64 = 5.0;

/// Above this many addresses, those with nothing to remember are removed.
const FEW: usize = 1_024;

/// The minimum time between two such sweeps, which visit every address.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Buckets waiting for their address to connect again.
pub(crate) struct BucketPool {
    limit: RateLimit,
    table: Mutex<BucketTable>,
}

struct BucketTable {
    addresses: HashMap<IpAddr, Pool>,
    /// The number of addresses at which the next sweep takes place.
    many: usize,
    swept_at: Instant,
}

/// What is remembered about one address.
struct Pool {
    buckets: Vec<Pooled>,
    /// How many full buckets it may still get, as of `filled_at`.
    full_buckets: f64,
    filled_at: Instant,
}

struct Pooled {
    bucket: Bucket,
    since: Instant,
}

/// The bucket of a live connection. When dropped, it returns to the pool of its address.
pub(crate) struct PooledBucket {
    bucket: Bucket,
    address: IpAddr,
    pool: Arc<BucketPool>,
}

impl BucketPool {
    pub(crate) fn new(limit: RateLimit, now: Instant) -> Arc<BucketPool> {
        let table = BucketTable { addresses: HashMap::new(), many: FEW, swept_at: now };
        Arc::new(BucketPool { limit, table: Mutex::new(table) })
    }

    /// A bucket for a new connection from `address`: the emptiest one left by a closed
    /// connection, or a new one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, now: Instant) -> PooledBucket {
        let bucket = self.table.lock().take(owner_of(address), self.limit, now);
        PooledBucket { bucket, address, pool: self.clone() }
    }
}

impl BucketTable {
    fn take(&mut self, address: IpAddr, limit: RateLimit, now: Instant) -> Bucket {
        self.sweep(now);
        if self.addresses.len() >= ADDRESSES && !self.addresses.contains_key(&address) {
            // An address that is not remembered could get full buckets again and again.
            return Bucket::empty(limit, now);
        }
        let pool = self.addresses.entry(address).or_insert_with(|| Pool {
            buckets: Vec::new(),
            full_buckets: FULL_BUCKETS,
            filled_at: now,
        });
        pool.forget(now);
        let fullness = |pooled: &Pooled| pooled.bucket.fullness(now);
        let emptiest = (0..pool.buckets.len())
            .min_by(|a, b| fullness(&pool.buckets[*a]).total_cmp(&fullness(&pool.buckets[*b])));
        match emptiest {
            Some(at) => pool.buckets.swap_remove(at).bucket,
            None if pool.full_buckets >= 1.0 => {
                pool.full_buckets -= 1.0;
                Bucket::new(limit, now)
            }
            None => Bucket::empty(limit, now),
        }
    }

    fn give_back(&mut self, address: IpAddr, bucket: Bucket, now: Instant) {
        // An address is forgotten only if that does not favour it.
        let Some(pool) = self.addresses.get_mut(&address) else { return };
        pool.buckets.push(Pooled { bucket, since: now });
        pool.forget(now);
        if pool.buckets.len() > BUCKETS {
            let fullness = |pooled: &Pooled| pooled.bucket.fullness(now);
            let fullest = (0..pool.buckets.len())
                .max_by(|a, b| fullness(&pool.buckets[*a]).total_cmp(&fullness(&pool.buckets[*b])));
            fullest.map(|at| pool.buckets.swap_remove(at));
        }
    }

    /// Forgets addresses with nothing to remember, from time to time.
    fn sweep(&mut self, now: Instant) {
        let is_time = now.saturating_duration_since(self.swept_at) >= SWEEP_PAUSE;
        if self.addresses.len() < self.many || !is_time {
            return;
        }
        self.addresses.retain(|_, pool| {
            pool.forget(now);
            !pool.buckets.is_empty() || pool.full_buckets < FULL_BUCKETS
        });
        self.many = (self.addresses.len() * 2).clamp(FEW, ADDRESSES);
        self.swept_at = now;
    }
}

impl Pool {
    /// Forgets buckets that are full by now or too old.
    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.full_buckets = FULL_BUCKETS.min(self.full_buckets + passed * FULL_BUCKETS_PER_SECOND);
        self.buckets.retain(|pooled| {
            pooled.bucket.fullness(now) < 1.0 && now.saturating_duration_since(pooled.since) < KEPT
        });
    }
}

impl Drop for PooledBucket {
    fn drop(&mut self) {
        let (address, now) = (owner_of(self.address), Instant::now());
        self.pool.table.lock().give_back(address, self.bucket.clone(), now);
    }
}

impl Deref for PooledBucket {
    type Target = Bucket;

    fn deref(&self) -> &Bucket {
        &self.bucket
    }
}

impl DerefMut for PooledBucket {
    fn deref_mut(&mut self) -> &mut Bucket {
        &mut self.bucket
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    fn limit() -> RateLimit {
        RateLimit::per_second(10)
    }

    fn table(now: Instant) -> BucketTable {
        BucketTable { addresses: HashMap::new(), many: FEW, swept_at: now }
    }

    /// Sends as many lines as pass at once.
    fn spend(bucket: &mut Bucket, now: Instant) -> usize {
        std::iter::repeat_with(|| bucket.charge(10, now)).take_while(Result::is_ok).count()
    }

    #[test]
    fn reconnecting_continues_with_the_old_bucket() {
        let now = Instant::now();
        let mut table = table(now);
        let [one, other] = [[127, 0, 0, 1], [192, 0, 2, 1]].map(IpAddr::from);
        let mut bucket = table.take(one, limit(), now);
        assert_eq!(spend(&mut bucket, now), 20);
        table.give_back(one, bucket, now);
        assert_eq!(spend(&mut table.take(other, limit(), now), now), 20);
        let later = now + Duration::from_millis(500);
        let mut bucket = table.take(one, limit(), later);
        assert_eq!(spend(&mut bucket, later), 5);
        // While a connection lives, nobody else gets its bucket.
        assert_eq!(spend(&mut table.take(one, limit(), later), later), 20);
        table.give_back(one, bucket, later);
        let full = later + Duration::from_secs(3);
        assert_eq!(spend(&mut table.take(one, limit(), full), full), 20);
        assert!(table.addresses[&one].buckets.is_empty(), "a full one is forgotten");
    }

    #[test]
    fn the_emptiest_comes_first_and_the_fullest_are_forgotten() {
        let now = Instant::now();
        let mut table = table(now);
        let one = IpAddr::from([192, 0, 2, 1]);
        let mut live: Vec<Bucket> = (0..70).map(|_| table.take(one, limit(), now)).collect();
        for (at, bucket) in live.iter_mut().enumerate() {
            bucket.owe(1_000 * at);
        }
        live.into_iter().for_each(|bucket| table.give_back(one, bucket, now));
        assert_eq!(table.addresses[&one].buckets.len(), BUCKETS);
        let [first, second] = [(), ()].map(|()| table.take(one, limit(), now).fullness(now));
        assert!(first < second, "{first} {second}");
        // Whatever is owed is forgotten after a minute.
        let mut deep = table.take(one, limit(), now);
        deep.owe(100 << 20);
        table.give_back(one, deep, now);
        let later = now + KEPT;
        assert_eq!(spend(&mut table.take(one, limit(), later), later), 20);
    }

    #[test]
    fn full_buckets_are_limited_at_once_and_per_second() {
        let mut now = Instant::now();
        let mut table = table(now);
        let one = IpAddr::from([192, 0, 2, 1]);
        let full = |table: &mut BucketTable, now| {
            (0..100).filter(|_| spend(&mut table.take(one, limit(), now), now) == 20).count()
        };
        assert_eq!(full(&mut table, now), 20);
        assert_eq!(full(&mut table, now), 0);
        now += Duration::from_secs(1);
        assert_eq!(full(&mut table, now), 5);
    }

    #[test]
    fn a_class_of_sixty_behind_one_address_logs_in_within_a_tenth_of_a_second() {
        let now = Instant::now();
        let mut table = table(now);
        let one = IpAddr::from([192, 0, 2, 1]);
        let mut waits = (0..60).map(|_| {
            let mut bucket = table.take(one, limit(), now);
            bucket.charge(10, now).err().unwrap_or_default()
        });
        assert_eq!(waits.by_ref().take(20).max(), Some(Duration::ZERO));
        let last = waits.max().expect("forty are left");
        assert!(!last.is_zero() && last <= Duration::from_millis(101), "{last:?}");
    }

    #[test]
    fn the_table_is_bounded_and_forgets_old_addresses() {
        let now = Instant::now();
        let mut table = table(now);
        for number in 0..ADDRESSES as u32 + 10_000 {
            let address = IpAddr::from(number.to_be_bytes());
            let bucket = table.take(address, limit(), now);
            table.give_back(address, bucket, now);
        }
        assert_eq!(table.addresses.len(), ADDRESSES);
        let later = now + KEPT;
        assert_eq!(spend(&mut table.take([9, 9, 9, 9].into(), limit(), later), later), 20);
        assert_eq!(table.addresses.len(), 1);
    }
}
