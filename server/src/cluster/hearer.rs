//! The thread that receives what is appended to the rooms' logs and hands it to the rooms in
//! order. An entry is published when it is appended; if a number is missing, the entry is read
//! from the log.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use madang_protocol::event::Time;
use redis::{Connection, ErrorKind, Msg, PubSub, RedisResult};

use super::{
    answering::{Answerer, SlowQuestion},
    archivist::Bell,
    connection::{PATIENCE, Redis},
    control::{ControlAnswer, question_in},
    guard::guarded,
    keys::{CONTROL, MADE, ORDERS, published, wake_channel},
    link::Link,
    orders::OrderBook,
    place::LogPlace,
    restoring,
    scripts::{self, KeptState},
    sealed::Sealed,
    server::{Given, OwnServer},
    sessions,
    uplink::Sending,
};
use crate::{
    clock,
    metrics::Metrics,
    room::{
        Room,
        log::{Follower, LogEntry},
        mailbox::Ended,
    },
};

/// How long the channel may be silent before a ping checks the connection.
const QUIET: Duration = Duration::from_secs(25);

/// How long to wait after a connection has failed.
const PAUSE: Duration = Duration::from_millis(200);

/// How often it looks whether a run of Redis has been offered what rooms have.
const LOOK: Duration = Duration::from_millis(5);

/// A request to the thread.
pub(super) enum Hearing {
    /// To follow a room; the sender is dropped once the room has received the existing entries.
    Begin(Follow, Sender<()>),
    /// To forget a room that has ended.
    End(Arc<LogPlace>, Weak<Room>),
    /// To forget a room that goes on without this server.
    LetGo(Arc<LogPlace>, Weak<Room>),
}

/// What needs the entries of a place from `next` on: a room.
pub(super) struct Follow {
    pub(super) place: Arc<LogPlace>,
    pub(super) room: Weak<dyn Follower>,
    pub(super) next: u64,
}

/// Starts the thread; it ends when the sender of `stop` is dropped and it is woken.
pub(super) fn start_hearer(
    redis: Redis,
    origin: u64,
    server: OwnServer,
    control: ControlLine,
    (requests, stop): (Receiver<Hearing>, Receiver<()>),
    (link, metrics): (Arc<Link>, Arc<Metrics>),
) -> std::io::Result<JoinHandle<()>> {
    let own = wake_channel(origin);
    let hearer = Hearer {
        redis,
        origin,
        own,
        link,
        server,
        control,
        requests,
        stop,
        followed: HashMap::new(),
        lag: Lag { metrics, ahead: 0, compared: Instant::now() },
        is_away: false,
    };
    std::thread::Builder::new().name("hearer".to_owned()).spawn(move || hearer.run())
}

/// Where questions of other servers go, answers to this one's, and the news of another room.
pub(super) struct ControlLine {
    pub(super) answerer: Answerer,
    /// Where questions go that it answers on a thread of its own.
    pub(super) slow: Sender<SlowQuestion>,
    /// The operator's orders, as this server knows them.
    pub(super) orders: Arc<OrderBook>,
    /// Of the archivist, if this server archives.
    pub(super) bell: Option<Bell>,
}

struct Hearer {
    redis: Redis,
    origin: u64,
    /// The channel on which this thread is woken.
    own: String,
    link: Arc<Link>,
    server: OwnServer,
    control: ControlLine,
    requests: Receiver<Hearing>,
    stop: Receiver<()>,
    /// The rooms, by channel.
    followed: HashMap<String, Follow>,
    lag: Lag,
    /// Whether Redis could not be reached the last time.
    is_away: bool,
}

/// Measures how late entries are heard, by Redis's clock.
struct Lag {
    metrics: Arc<Metrics>,
    /// By how many milliseconds that clock is ahead of this machine's.
    ahead: i64,
    /// When the clocks were compared last.
    compared: Instant,
}

impl Hearer {
    fn run(mut self) {
        while !self.is_stopped() {
            if let Some(Err(error)) = guarded("listening to Redis", || self.hear())
                && !std::mem::replace(&mut self.is_away, true)
            {
                tracing::warn!(%error, "failed to hear from Redis; trying again");
            }
            if !matches!(self.stop.recv_timeout(PAUSE), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Listens until the connection fails or the server stops.
    fn hear(&mut self) -> RedisResult<()> {
        let (mut connection, (mut reading, run)) =
            (self.redis.connect()?, self.redis.connect_to_run()?);
        self.link.hear_run(&run);
        if !self.wait_until_offered(&run)? {
            return Ok(());
        }
        self.lag.compare_clocks(&mut reading)?;
        let mut channels = connection.as_pubsub();
        channels.subscribe(&self.own)?;
        channels.subscribe(&[CONTROL, ORDERS])?;
        for channel in self.followed.keys() {
            channels.subscribe(channel)?;
        }
        if let Some(bell) = &self.control.bell {
            channels.subscribe(MADE)?;
            ring(bell);
        }
        // What was appended while nobody listened. In a run that has not begun, orders may be missing
        // yet; the keeper reads them when it does.
        if restoring::has_begun(&mut reading, &run)? {
            if self.control.orders.hand_over(&mut reading)? {
                announce_orders(&mut reading, self.origin)?;
            }
            self.take_orders(&mut reading)?;
        }
        let known: Vec<String> = self.followed.keys().cloned().collect();
        known.iter().try_for_each(|channel| self.refill(channel, &mut reading))?;
        self.is_away = false;
        while !self.is_stopped() && !self.link.is_left_behind() {
            if self.lag.compared.elapsed() >= QUIET {
                self.lag.compare_clocks(&mut reading)?;
            }
            self.take_requests(&mut channels, &mut reading)?;
            if let Some(message) = next_message(&mut channels)? {
                self.take(&message, &mut channels, &mut reading)?;
            }
        }
        Ok(())
    }

    /// Waits until the keeper has offered this run what rooms have: they hear nothing of it before.
    /// False if the server stops.
    fn wait_until_offered(&self, run: &str) -> RedisResult<bool> {
        let deadline = Instant::now() + PATIENCE;
        while !self.link.has_offered(run) {
            if Instant::now() >= deadline {
                return Err((ErrorKind::Io, "nothing is offered after a restart").into());
            }
            if !matches!(self.stop.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take_requests(
        &mut self,
        channels: &mut PubSub<'_>,
        reading: &mut Connection,
    ) -> RedisResult<()> {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Hearing::Begin(follow, _until_heard) => {
                    let channel = follow.place.keys.channel.clone();
                    // Registered first: if subscribing fails, the next connection does it.
                    self.followed.insert(channel.clone(), follow);
                    channels.set_read_timeout(Some(PATIENCE))?;
                    channels.subscribe(&channel)?;
                    self.catch_up(&channel, reading)?;
                }
                Hearing::End(place, room) => {
                    if let Some((room, server)) = room.upgrade().zip(self.server.get()) {
                        guarded("a room ended", || server.room_ended(&room));
                    }
                    self.forget(&place, &room, channels)?;
                }
                Hearing::LetGo(place, room) => self.forget(&place, &room, channels)?,
            }
        }
        Ok(())
    }

    fn forget(
        &mut self,
        place: &LogPlace,
        room: &Weak<Room>,
        channels: &mut PubSub<'_>,
    ) -> RedisResult<()> {
        let channel = &place.keys.channel;
        // It may be followed again by now, or another one of its name.
        let is_it = |follow: &Follow| follow.room.as_ptr().addr() == room.as_ptr().addr();
        if self.followed.get(channel).is_some_and(is_it) {
            self.followed.remove(channel);
            channels.set_read_timeout(Some(PATIENCE))?;
            channels.unsubscribe(channel)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        message: &Msg,
        channels: &mut PubSub<'_>,
        reading: &mut Connection,
    ) -> RedisResult<()> {
        let channel = message.get_channel_name();
        if channel == self.own && message.get_payload_bytes().starts_with(sessions::QUESTION) {
            self.control.give_session(message.get_payload_bytes(), &self.server);
            return Ok(());
        }
        if channel == self.own {
            self.control.answerer.control.take_answer(message.get_payload_bytes());
            return Ok(());
        }
        if channel == CONTROL {
            self.control.answer(message.get_payload_bytes(), &self.server);
            return Ok(());
        }
        if let Some(bell) = self.control.bell.as_ref().filter(|_| channel == MADE) {
            ring(bell);
            return Ok(());
        }
        if channel == ORDERS {
            let is_own = message.get_payload_bytes() == self.origin.to_string().as_bytes();
            // In a run that has not begun, the keeper reads them when it does.
            if is_own || !restoring::goes_on(reading)? {
                return Ok(());
            }
            return self.take_orders(reading);
        }
        let Some(entry) = published(message.get_payload_bytes()) else { return Ok(()) };
        let Some(follow) = self.followed.get_mut(channel) else { return Ok(()) };
        let time = entry.time;
        let heard = match entry.number.cmp(&follow.next) {
            std::cmp::Ordering::Less => return Ok(()),
            std::cmp::Ordering::Equal => follow.hand_over(entry),
            std::cmp::Ordering::Greater => return self.refill(channel, reading),
        };
        self.lag.note(time);
        if heard.is_err() {
            self.followed.remove(channel);
            channels.unsubscribe(channel)?;
        }
        Ok(())
    }

    /// Has the server take over the orders that hold.
    fn take_orders(&self, reading: &mut Connection) -> RedisResult<()> {
        let Some(server) = self.server.get() else { return Ok(()) };
        let take = |orders: Vec<_>| {
            guarded("taking over orders", || server.take_orders(&orders));
        };
        self.control.orders.read(reading, clock::now(), take)
    }

    /// Reads the entries from a room's log whose announcement was missed.
    fn refill(&mut self, channel: &str, reading: &mut Connection) -> RedisResult<()> {
        let next = |hearer: &Hearer| hearer.followed.get(channel).map_or(0, |follow| follow.next);
        let before = next(self);
        let last = self.catch_up(channel, reading)?;
        self.lag.metrics.cluster.count_refills(next(self).saturating_sub(before));
        last.into_iter().for_each(|appended| self.lag.note(appended));
        Ok(())
    }

    /// Reads the entries from a room's log that the room has not heard; returns when the last of
    /// them was appended.
    fn catch_up(&mut self, channel: &str, reading: &mut Connection) -> RedisResult<Option<Time>> {
        let Some(follow) = self.followed.get_mut(channel) else { return Ok(None) };
        let mut last = None;
        loop {
            let entries = scripts::read_entries(reading, &follow.place.keys, follow.next)?;
            let Some(first) = entries.first() else { return Ok(last) };
            let handed_over = match first.number > follow.next {
                true => follow.reload(reading, self.origin, self.control.bell.is_some())?,
                false => {
                    last = entries.last().map(|entry| entry.time);
                    entries.into_iter().try_for_each(|entry| follow.hand_over(entry))
                }
            };
            if handed_over.is_err() {
                self.followed.remove(channel);
                return Ok(last);
            }
        }
    }
}

impl Lag {
    fn compare_clocks(&mut self, reading: &mut Connection) -> RedisResult<()> {
        let time = scripts::time(reading)?;
        self.ahead = time.as_millis() - clock::now().as_millis();
        self.compared = Instant::now();
        Ok(())
    }

    fn note(&self, appended: Time) {
        let age = clock::now().as_millis() + self.ahead - appended.as_millis();
        // What was appended after the clocks were compared may seem a little younger than nothing.
        self.metrics.cluster.set_lag(Duration::from_millis(age.try_into().unwrap_or(0)));
    }
}

impl ControlLine {
    fn give_session(&self, question: &[u8], server: &OwnServer) {
        let asked = server.get().zip(sessions::asked_for(question));
        let Some((server, (token, taker))) = asked else { return };
        let answer = match guarded("handing over a session", || server.give_session(&token, taker))
        {
            Some(Given::HandedOver) => return,
            // Then the other server takes it.
            Some(Given::Unknown) | None => Vec::new(),
            Some(Given::Ended(number)) => sessions::has_ended(number),
        };
        let (channel, message) = (wake_channel(taker.origin), sessions::answer(taker, &answer));
        // After the end of the threads nothing is sent.
        let _ = self.answerer.jobs.send(Sending::Answer(ControlAnswer { channel, message }));
    }

    fn answer(&self, message: &[u8], server: &OwnServer) {
        let Some(server) = server.get() else { return };
        let question = question_in(message);
        let waits = || question.is_some_and(|question| server.must_wait(question));
        match guarded("reading a question", waits).unwrap_or_default() {
            // After the end of its thread nothing is answered.
            true => _ = self.slow.send((Instant::now(), message.to_vec())),
            false => self.answerer.answer(message, &*server),
        }
    }
}

impl Follow {
    /// Hands an entry to the room. One that panics, where that was not expected, loses its log:
    /// nobody knows what it has become.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room has ended.
    fn hand_over(&mut self, entry: LogEntry) -> Result<(), Ended> {
        self.next = entry.number + 1;
        let (room, entry) = (self.room.upgrade().ok_or(Ended(()))?, self.place.read_entry(entry));
        guarded("hearing an entry", || room.hear(entry)).unwrap_or_else(|| {
            guarded("losing a log", || room.lose_log(false));
            Err(Ended(()))
        })
    }

    /// Has the room go on from the state that is kept, because entries that it has not heard are
    /// gone from its log.
    fn reload(
        &mut self,
        reading: &mut Connection,
        origin: u64,
        is_archive: bool,
    ) -> RedisResult<Result<(), Ended>> {
        let Some(room) = self.room.upgrade() else { return Ok(Err(Ended(()))) };
        let mut kept = None;
        for wanted in [KeptState::First, KeptState::Last] {
            if kept.is_none() && (is_archive || wanted == KeptState::Last) {
                let stored = scripts::open_room(reading, &self.place, None, origin, (wanted, ""))?;
                let stored = stored.filter(|stored| stored.first == self.place.first);
                kept = stored.and_then(|stored| stored.snapshot);
            }
        }
        let kept = kept.and_then(|kept| self.place.read(Sealed::State, kept).ok());
        match kept.and_then(|kept| room.reload(&kept, self.next)) {
            Some(entry) => {
                self.next = entry + 1;
                Ok(Ok(()))
            }
            // The room has ended, or nobody can tell how it went on.
            None => {
                // One that has ended meanwhile has no members.
                let _ = room.lose_log(false);
                Ok(Err(Ended(())))
            }
        }
    }
}

/// Has the archivist look, unless it was told to before.
fn ring(bell: &Bell) {
    let _ = bell.try_send(());
}

/// Has the other servers read the operator's orders again.
pub(super) fn announce_orders(connection: &mut Connection, origin: u64) -> RedisResult<()> {
    redis::cmd("PUBLISH").arg(ORDERS).arg(origin).query(connection)
}

/// Waits for a message; returns none if the channel was silent but the connection is alive.
fn next_message(channels: &mut PubSub<'_>) -> RedisResult<Option<Msg>> {
    channels.set_read_timeout(Some(QUIET))?;
    match channels.get_message() {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.is_timeout() => {
            channels.set_read_timeout(Some(PATIENCE))?;
            channels.ping::<redis::Value>().map(|_| None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use madang_protocol::room::RoomName;

    use super::*;

    /// A room that panics whatever it is to do.
    #[derive(Default)]
    struct Panicking {
        asked: AtomicUsize,
    }

    impl Panicking {
        fn panic(&self) -> ! {
            self.asked.fetch_add(1, Ordering::Relaxed);
            panic!("as the test asked");
        }
    }

    impl Follower for Panicking {
        fn hear(&self, _: LogEntry) -> Result<(), Ended> {
            self.panic()
        }

        fn reload(&self, _: &[u8], _: u64) -> Option<u64> {
            self.panic()
        }

        fn miss_log(&self) -> Result<(), Ended> {
            self.panic()
        }

        fn lose_log(&self, _is_dead: bool) -> Result<(), Ended> {
            self.panic()
        }
    }

    #[test]
    fn a_room_that_panics_is_forgotten_and_the_thread_goes_on() {
        let room = Arc::new(Panicking::default());
        let name = RoomName::parse("math").expect("a name");
        let place = Arc::new(LogPlace::public(&name));
        let weak: Weak<Panicking> = Arc::downgrade(&room);
        let mut follow = Follow { place, room: weak, next: 1 };
        let body = b"1".as_slice().into();
        let time = Time::from_millis(0);
        let entry = LogEntry { number: 1, origin: 1, seq: 1, time, ids_above: 0, body };
        assert!(follow.hand_over(entry).is_err());
        // It has heard the entry, and has been told that its log is lost.
        assert_eq!((room.asked.load(Ordering::Relaxed), follow.next), (2, 2));
    }
}
