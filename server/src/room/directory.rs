//! The rooms of the server: the lobby, public rooms by name, private rooms by key.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::RoomSummary,
    name::{NameKey, UserName},
    room::{Destination, LOBBY, RoomKey, RoomName, private_mark},
};

use super::{
    Beginning, By, Context, Room, RoomStatus,
    ended_kicks::EndedKicks,
    lesson::Lesson,
    log::{SharedRoom, Unreachable},
    refusal::Refusal,
};
use crate::{clock, session::Session, sync::Mutex};

/// How many public rooms are listed: those with the most members.
const LISTED_ROOMS: usize = 200;

/// The maximum size of the list in bytes; rooms with the fewest members are left out.
const LIST_BYTES: usize = 60 * 1_024;

/// What a room takes in the list besides its name and topic, in either dialect.
const ROOM_OVERHEAD: usize = 72;

/// With more rooms than this, the list is cached for further requests.
const FEW_ROOMS: usize = 256;

/// For how long it is cached.
const LIST_KEPT: Duration = Duration::from_millis(100);

/// The rooms of a server.
pub(crate) struct Rooms {
    /// The room where everyone starts; it never ends.
    pub(crate) lobby: Arc<Room>,
    /// The maximum number of rooms, not counting the lobby.
    limit: usize,
    context: Context,
    /// The lesson in the public rooms.
    pub(crate) lesson: Arc<Lesson>,
    /// The cached list, and when it was made. Locked before the table.
    listed: Mutex<Option<(Instant, Arc<[RoomSummary<'static>]>)>>,
    table: Mutex<RoomTable>,
}

#[derive(Default)]
struct RoomTable {
    public: HashMap<NameKey, Arc<Room>>,
    private: HashMap<RoomKey, Arc<Room>>,
    numbers: HashMap<u64, Arc<Room>>,
    /// Kicks of public rooms that have ended, in case they are created again.
    kicks: EndedKicks,
    /// The marks of the private rooms.
    marks: HashSet<Arc<str>>,
    last_number: u64,
    /// Whether no more rooms are created.
    closed: bool,
}

/// Why a room was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// The maximum number of rooms is reached.
    TooMany { limit: usize },
    /// The server is stopping.
    Closed,
    /// The machines that share rooms can't be reached.
    Unreachable,
}

impl From<Unreachable> for NotMade {
    fn from(_: Unreachable) -> NotMade {
        NotMade::Unreachable
    }
}

/// What happened to an empty room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has ended now.
    Ended,
    /// It had ended before.
    Gone,
    /// It has members, or had some a moment ago; it is checked again when they have left.
    Lives,
    /// It has not been empty for long enough yet; when it will have been.
    Waits(Instant),
}

impl Rooms {
    /// Starts with only the lobby.
    pub(crate) fn new(limit: usize, lobby: Beginning, context: Context) -> Rooms {
        let beginning = lobby.with_ids(&context.ids);
        let lobby = Room::new(0, LOBBY, None, beginning, context.clone());
        Rooms {
            lobby,
            limit,
            lesson: context.lesson.clone(),
            context,
            listed: Mutex::new(None),
            table: Mutex::new(RoomTable::default()),
        }
    }

    /// The same with the shared lobby, if several machines share rooms. Blocks while it is
    /// opened.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    pub(crate) fn sharing_lobby(self) -> Result<Rooms, Unreachable> {
        let Some(logs) = &self.context.logs else { return Ok(self) };
        let name = RoomName::parse(LOBBY).expect("the lobby's name is one");
        let SharedRoom { open, .. } = logs.open(&name)?;
        let beginning = Beginning::shared(open.clone());
        let lobby = Room::new(0, LOBBY, None, beginning, self.context.clone());
        open.log.follow(&lobby, open.snapshot.entry + 1);
        self.tell_lesson(&lobby);
        Ok(Rooms { lobby, ..self })
    }

    /// Has a public room know the lesson: one that was opened here, before anybody joins it.
    pub(crate) fn tell_lesson(&self, room: &Room) {
        if let Some(so_far) = self.lesson.so_far() {
            // One that has ended has no members.
            let _ = room.act_now(By::Time, so_far);
        }
    }

    /// The highest id that any room has given here.
    pub(crate) fn highest_id(&self) -> u64 {
        self.context.ids.highest()
    }

    /// The room at a destination, if it exists.
    pub(crate) fn find(&self, destination: &Destination) -> Option<Arc<Room>> {
        match destination {
            Destination::Public(name) if name.is_lobby() => Some(self.lobby.clone()),
            Destination::Public(name) => self.table.lock().public.get(&name.key()).cloned(),
            Destination::Private(key) => self.table.lock().private.get(key).cloned(),
            // Words lead to a key only through `SpokenWords`, which counts the attempts.
            Destination::Words(_) => None,
        }
    }

    /// The room with this number, if it exists.
    pub(crate) fn numbered(&self, number: u64) -> Option<Arc<Room>> {
        if number == self.lobby.number {
            return Some(self.lobby.clone());
        }
        self.table.lock().numbers.get(&number).cloned()
    }

    /// The room that a session is in, unless it has ended.
    pub(crate) fn room_of(&self, session: &Session) -> Option<Arc<Room>> {
        self.numbered(session.room()?)
    }

    /// Creates a public room, unless another thread just has.
    ///
    /// # Errors
    ///
    /// [`NotMade`].
    pub(crate) fn make_public(&self, name: &RoomName) -> Result<Arc<Room>, NotMade> {
        if let Some(logs) = &self.context.logs {
            return self.insert_public(name, logs.open(name)?);
        }
        let key = name.key();
        let mut table = self.table.lock();
        if let Some(room) = table.public.get(&key) {
            return Ok(room.clone());
        }
        table.check(self.limit)?;
        let kicks = table.kicks.take(&key);
        // The table is locked, so a later change of the lesson reaches all rooms in it.
        let class = self.lesson.class();
        let beginning = Beginning { kicks, class, ..Beginning::default() };
        let room = self.make(&mut table, name.as_str(), None, beginning);
        table.public.insert(key, room.clone());
        Ok(room)
    }

    /// Adds a public room from its log, unless another thread just has.
    fn insert_public(&self, name: &RoomName, shared: SharedRoom) -> Result<Arc<Room>, NotMade> {
        let SharedRoom { name: written, open } = shared;
        let (log, from) = (open.log.clone(), open.snapshot.entry + 1);
        let mut table = self.table.lock();
        if let Some(room) = table.public.get(&name.key()) {
            return Ok(room.clone());
        }
        table.check(self.limit)?;
        let beginning = Beginning::shared(open);
        let room = self.make(&mut table, &written, None, beginning);
        table.public.insert(name.key(), room.clone());
        drop(table);
        log.follow(&room, from);
        self.tell_lesson(&room);
        Ok(room)
    }

    /// Opens a public room again that existed before a restart.
    ///
    /// # Errors
    ///
    /// [`NotMade`].
    pub(crate) fn restore(
        &self,
        name: &RoomName,
        beginning: Beginning,
    ) -> Result<Arc<Room>, NotMade> {
        let mut table = self.table.lock();
        table.check(self.limit)?;
        let room = self.make(&mut table, name.as_str(), None, beginning);
        table.public.insert(name.key(), room.clone());
        Ok(room)
    }

    /// Creates a private room owned by the session `owner`. Blocks while its log is made, if
    /// several machines share rooms.
    ///
    /// # Errors
    ///
    /// [`NotMade`].
    pub(crate) fn make_private(
        &self,
        owner: u64,
        topic: Option<Arc<str>>,
    ) -> Result<Arc<Room>, NotMade> {
        let key = RoomKey::from_bits(u128::from_ne_bytes(random()));
        let beginning = Beginning { owner: Some(owner), topic, ..Beginning::default() };
        let mark = self.reserve_mark()?;
        let made = match &self.context.logs {
            None => self.insert_private(key, &mark, beginning),
            Some(logs) => match logs.make_private(key, &mark, beginning) {
                Ok(shared) => self.insert_shared(key, shared),
                Err(unreachable) => Err(unreachable.into()),
            },
        };
        if made.is_err() {
            self.table.lock().marks.remove(&mark);
        }
        made
    }

    /// A mark that no private room of this server has, for one that is about to be made.
    fn reserve_mark(&self) -> Result<Arc<str>, NotMade> {
        let mut table = self.table.lock();
        table.check(self.limit)?;
        loop {
            let mark: Arc<str> = private_mark(u32::from_ne_bytes(random())).into();
            if table.marks.insert(mark.clone()) {
                return Ok(mark);
            }
        }
    }

    /// The private room with this key, from its log.
    fn insert_shared(&self, key: RoomKey, shared: SharedRoom) -> Result<Arc<Room>, NotMade> {
        let beginning = Beginning::shared(shared.open);
        self.insert_private(key, &shared.name, beginning)
    }

    fn insert_private(
        &self,
        key: RoomKey,
        mark: &str,
        beginning: Beginning,
    ) -> Result<Arc<Room>, NotMade> {
        let shared = beginning.shared.as_ref();
        let follows = shared.map(|shared| (shared.log.clone(), shared.snapshot.entry + 1));
        let mut table = self.table.lock();
        if let Some(room) = table.private.get(&key) {
            return Ok(room.clone());
        }
        table.check(self.limit)?;
        let room = self.make(&mut table, mark, Some(key), beginning);
        table.marks.insert(room.name.clone());
        table.private.insert(key, room.clone());
        drop(table);
        if let Some((log, from)) = follows {
            log.follow(&room, from);
        }
        Ok(room)
    }

    /// The room at a destination, if it exists on any machine that shares rooms. Blocks while it
    /// is opened.
    ///
    /// # Errors
    ///
    /// [`NotMade`], if it exists but can't be opened here.
    pub(crate) fn reach(&self, destination: &Destination) -> Result<Option<Arc<Room>>, NotMade> {
        let here = self.find(destination);
        let Some(logs) = self.context.logs.as_ref().filter(|_| here.is_none()) else {
            return Ok(here);
        };
        let opened = match destination {
            Destination::Public(name) => {
                logs.find(name)?.map(|shared| self.insert_public(name, shared))
            }
            Destination::Private(key) => {
                logs.open_private(*key)?.map(|shared| self.insert_shared(*key, shared))
            }
            Destination::Words(_) => None,
        };
        opened.transpose()
    }

    fn make(
        &self,
        table: &mut RoomTable,
        name: &str,
        key: Option<RoomKey>,
        beginning: Beginning,
    ) -> Arc<Room> {
        table.last_number += 1;
        let number = table.last_number;
        let beginning = beginning.with_ids(&self.context.ids);
        let room = Room::new(number, name, key, beginning, self.context.clone());
        table.numbers.insert(number, room.clone());
        room
    }

    /// Ends a room that has been empty for `window`. The lobby is never ended.
    pub(crate) fn end_if_empty(&self, room: &Arc<Room>, window: Duration) -> Fate {
        if Arc::ptr_eq(room, &self.lobby) {
            return Fate::Lives;
        }
        let Some(since) = room.status().empty_since else { return Fate::Lives };
        // Even if the clock was set back, it is checked again after a window.
        let left = window.saturating_sub(clock::now().since(since));
        if !left.is_zero() {
            return Fate::Waits(Instant::now() + left);
        }
        match room.end_if_empty(since) {
            Ok(()) | Err(Refusal::Ended) if self.remove(room) => Fate::Ended,
            Ok(()) | Err(Refusal::Ended) => Fate::Gone,
            Err(_) => Fate::Lives,
        }
    }

    /// Lets a room go that has members on other machines, and has had none on this one for
    /// `window`; whether it did.
    pub(crate) fn let_go_if_deserted(&self, room: &Arc<Room>, window: Duration) -> bool {
        let status = room.status();
        let is_deserted = status.deserted_since.is_some_and(|since| since.elapsed() >= window);
        // One without any members is ended instead.
        let is_elsewhere = is_deserted && status.empty_since.is_none();
        is_elsewhere
            && !Arc::ptr_eq(room, &self.lobby)
            && room.let_go().is_ok()
            && self.remove(room)
    }

    /// Whether [`unkick`](Self::unkick) may miss a room that has just ended.
    pub(crate) fn is_ending(&self) -> bool {
        self.context.logs.as_ref().is_some_and(|logs| logs.is_ending())
    }

    /// Lifts kicks of rooms that have ended, for this name and for the session that has it now;
    /// returns whether there were any. Blocks while the machines that share rooms are asked.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    pub(crate) fn unkick(
        &self,
        name: &UserName,
        session: Option<u64>,
    ) -> Result<bool, Unreachable> {
        if let Some(logs) = &self.context.logs {
            return logs.unkick(name, session);
        }
        Ok(self.table.lock().kicks.lift(name, session, clock::now()))
    }

    /// Removes a room that has ended; false if it was removed before.
    pub(crate) fn remove(&self, room: &Room) -> bool {
        let mut table = self.table.lock();
        let is_removed = table.remove(room);
        // Its log has them, if several machines share it.
        if is_removed && room.key.is_none() && self.context.logs.is_none() {
            table.kicks.keep(room, clock::now());
        }
        is_removed
    }

    /// The public rooms: the lobby first, the others by name.
    pub(crate) fn public(&self) -> Vec<Arc<Room>> {
        let mut rooms: Vec<_> = self.table.lock().public.values().cloned().collect();
        rooms.sort_by(|one, other| one.name.cmp(&other.name));
        rooms.insert(0, self.lobby.clone());
        rooms
    }

    /// The public rooms for `/rooms`: the lobby first, then those with the most members. With
    /// many rooms, the list may be a moment old: examining each of them for every request would
    /// cost far more than the request.
    pub(crate) fn listed(&self) -> Arc<[RoomSummary<'static>]> {
        let mut listed = self.listed.lock();
        if let Some((_, list)) = listed.as_ref().filter(|(made, _)| made.elapsed() < LIST_KEPT) {
            return list.clone();
        }
        let rooms = self.public();
        let mut rooms: Vec<_> = rooms.iter().map(|room| (room, room.status())).collect();
        // The lobby first, however many are there.
        rooms[1..].sort_by_key(|(_, status)| Reverse(status.members));
        let summary = |(room, status): &(&Arc<Room>, RoomStatus)| RoomSummary {
            room: room.name.to_string().into(),
            members: status.members,
            topic: status.topic.as_ref().map(|topic| topic.to_string().into()),
            last: room.last_said(),
        };
        let first = rooms.iter().take(LISTED_ROOMS).map(summary).collect();
        let list: Arc<[_]> = list_of(first).into();
        *listed = (rooms.len() > FEW_ROOMS).then(|| (Instant::now(), list.clone()));
        list
    }

    /// The private rooms, by mark.
    pub(crate) fn private(&self) -> Vec<Arc<Room>> {
        let mut rooms: Vec<_> = self.table.lock().private.values().cloned().collect();
        rooms.sort_by(|one, other| one.name.cmp(&other.name));
        rooms
    }

    /// Creates no more rooms from now on; returns all that exist.
    pub(crate) fn close(&self) -> Vec<Arc<Room>> {
        self.table.lock().closed = true;
        self.all()
    }

    /// All rooms.
    pub(crate) fn all(&self) -> Vec<Arc<Room>> {
        [self.public(), self.private()].concat()
    }
}

impl RoomTable {
    fn check(&self, limit: usize) -> Result<(), NotMade> {
        match self.public.len() + self.private.len() {
            _ if self.closed => Err(NotMade::Closed),
            count if count >= limit => Err(NotMade::TooMany { limit }),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, room: &Room) -> bool {
        // Its name or mark may have been reused by another room.
        let is_it = |found: &Arc<Room>| found.number == room.number;
        match room.key {
            Some(key) => {
                let is_there = self.private.get(&key).is_some_and(is_it);
                if is_there {
                    self.numbers.remove(&room.number);
                    self.private.remove(&key);
                    self.marks.remove(&room.name);
                }
                is_there
            }
            None => {
                let key = RoomName::parse(&room.name).map(|name| name.key());
                let key = key.ok().filter(|key| self.public.get(key).is_some_and(is_it));
                let Some(key) = key else { return false };
                self.numbers.remove(&room.number);
                self.public.remove(&key);
                true
            }
        }
    }
}

/// The rooms for a list: the first one, then those with the most members, as many as fit.
pub(crate) fn list_of(mut rooms: Vec<RoomSummary<'static>>) -> Vec<RoomSummary<'static>> {
    if let Some(others) = rooms.get_mut(1..) {
        others.sort_by_key(|room| Reverse(room.members));
    }
    let mut bytes = 0;
    let fits = |room: &RoomSummary<'_>| {
        let topic = room.topic.as_ref().map_or(0, |topic| 2 * topic.len());
        bytes += room.room.len() + topic + ROOM_OVERHEAD;
        bytes <= LIST_BYTES
    };
    rooms.into_iter().take(LISTED_ROOMS).take_while(fits).collect()
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bits = [0; BYTES];
    getrandom::fill(&mut bits).expect("a system that has started has random bits");
    bits
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::event::Time;

    use super::*;
    use crate::{
        delivery::sink::fake::connect,
        dialect::Form,
        patience,
        room::{
            By, Coming, Greeting, Op,
            lesson::{Asker, LessonOp},
        },
    };

    fn public(name: &str) -> Destination {
        Destination::parse(name).expect("a destination")
    }

    #[test]
    fn a_list_of_many_rooms_is_cached_for_a_moment() {
        let rooms = Rooms::new(1_000, Beginning::default(), Context::default());
        let make = |at: usize| {
            let name = RoomName::parse(&format!("room{at}")).expect("a name");
            rooms.make_public(&name).expect("space");
        };
        for at in 0..3 {
            make(at);
            assert_eq!(rooms.listed().len(), at + 2, "the lobby is one");
        }
        (3..FEW_ROOMS).for_each(make);
        let list = rooms.listed();
        assert_eq!((&*list[0].room, list.len()), (LOBBY, LISTED_ROOMS));
        // However slow this machine is.
        let kept_until = |at: Instant| {
            let made = at.checked_sub(LIST_KEPT).expect("the machine is up");
            *rooms.listed.lock() = Some((made, list.clone()));
            Arc::ptr_eq(&rooms.listed(), &list)
        };
        let now = Instant::now();
        assert!(kept_until(now + Duration::from_secs(60)) && !kept_until(now));
    }

    #[test]
    fn rooms_are_found_by_name_in_any_case_and_by_key() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        assert!(rooms.find(&public("로비")).is_some_and(|room| Arc::ptr_eq(&room, &rooms.lobby)));
        assert!(rooms.find(&public("Math")).is_none());
        let math = rooms.make_public(&RoomName::parse("Math").expect("a name")).expect("space");
        assert!(rooms.find(&public("MATH")).is_some_and(|room| Arc::ptr_eq(&room, &math)));
        let private = rooms.make_private(1, None).expect("space");
        let key = private.key.expect("it is private");
        let found = rooms.find(&Destination::Private(key));
        assert!(found.is_some_and(|room| Arc::ptr_eq(&room, &private)));
        assert!(rooms.find(&Destination::Private(RoomKey::from_bits(1))).is_none());
        for room in [&rooms.lobby, &math, &private] {
            assert!(rooms.numbered(room.number).is_some_and(|found| Arc::ptr_eq(&found, room)));
        }
        assert!(rooms.remove(&private) && rooms.numbered(private.number).is_none());
        let names = rooms.public().iter().map(|room| room.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names, ["lobby", "Math"]);
    }

    #[test]
    fn the_number_of_rooms_is_limited() {
        let rooms = Rooms::new(2, Beginning::default(), Context::default());
        let name = |text| RoomName::parse(text).expect("a name");
        let made = rooms.make_public(&name("a")).expect("space");
        rooms.make_private(1, None).expect("space");
        let too_many = Some(NotMade::TooMany { limit: 2 });
        assert_eq!(rooms.make_public(&name("b")).err(), too_many);
        assert_eq!(rooms.make_private(1, None).err(), too_many);
        assert!(rooms.make_public(&name("A")).is_ok(), "it is there already");
        assert_eq!(rooms.end_if_empty(&made, Duration::ZERO), Fate::Ended);
        assert!(rooms.make_public(&name("b")).is_ok());
    }

    #[test]
    fn no_room_is_created_after_closing() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        let name = |text| RoomName::parse(text).expect("a name");
        rooms.make_public(&name("a")).expect("space");
        rooms.make_private(1, None).expect("space");
        assert_eq!(rooms.close().len(), 3);
        assert!(rooms.make_public(&name("a")).is_ok(), "it is there already");
        assert_eq!(rooms.make_public(&name("b")).err(), Some(NotMade::Closed));
        assert_eq!(rooms.make_private(1, None).err(), Some(NotMade::Closed));
    }

    #[test]
    fn a_room_ends_once() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        let public = rooms.make_public(&RoomName::parse("a").expect("a name")).expect("space");
        let private = rooms.make_private(1, None).expect("space");
        assert_eq!(rooms.end_if_empty(&public, Duration::ZERO), Fate::Ended);
        assert_eq!(rooms.end_if_empty(&public, Duration::ZERO), Fate::Gone);
        assert!(rooms.remove(&private) && !rooms.remove(&private));
        // By now, another room has the same mark.
        rooms.table.lock().marks.insert(private.name.clone());
        assert_eq!(rooms.end_if_empty(&private, Duration::ZERO), Fate::Gone);
        assert!(rooms.table.lock().marks.contains(&private.name));
    }

    #[test]
    fn a_new_room_starts_above_every_id_given_so_far() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        // As if the clock had been ahead until now.
        let ahead =
            rooms.context.ids.first(std::time::SystemTime::now() + Duration::from_secs(3_600));
        rooms.context.ids.note(ahead);
        let public = rooms.make_public(&RoomName::parse("a").expect("a name")).expect("space");
        let private = rooms.make_private(1, None).expect("space");
        for room in [public, private] {
            assert!(room.next_id() > ahead);
        }
    }

    #[test]
    fn a_round_takes_no_lock_of_the_directory_and_posts_to_no_other_room() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        let [here, elsewhere] = ["a", "b"]
            .map(|name| rooms.make_public(&RoomName::parse(name).expect("a name")).expect("space"));
        let user = |name| UserName::parse(name).expect("a name");
        let rounds = |number, name| {
            let session = Arc::new(Session::new(number, user(name), None, Time::from_millis(0)));
            let room = here.clone();
            patience::spawn(move || {
                let (outbox, greeting) = (connect(number, Form::JSON).1, Greeting::Welcome);
                room.enter(Coming { session, outbox, greeting, shown: 20 }).expect("it is open");
                room.act(By::Operator, Op::Topic(name.into())).expect("the operator may");
                let kick = Op::Kick { session: number, seconds: 60 };
                room.act(By::Operator, kick).expect("they are here");
            })
        };
        let before = elsewhere.next_id();
        let locks = (rooms.listed.lock(), rooms.table.lock());
        // Without a lesson, not its lock either.
        rooms.lesson.read(|_| rounds(2, "bob").join());
        drop(locks);
        assert_eq!(elsewhere.next_id(), before);

        let teacher = Asker::new(By::Teacher(9), Some(user("kim")));
        let begin = LessonOp::Begin { title: None };
        rooms.lesson.act(&teacher, begin, || rooms.public()).expect("it begins");
        let before = elsewhere.next_id();
        let locks = (rooms.listed.lock(), rooms.table.lock());
        rounds(3, "carol").join();
        drop(locks);
        assert_eq!(elsewhere.next_id(), before);
    }

    #[test]
    fn kicks_outlast_a_room_for_the_next_one_of_its_name() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        let bob = UserName::parse("bob").expect("a name");
        let session = Arc::new(Session::new(2, bob.clone(), None, Time::from_millis(0)));
        let math =
            |name| rooms.make_public(&RoomName::parse(name).expect("a name")).expect("space");
        let kicked = |room: &Room| room.status().admits(2, Some(&bob)).is_err();
        let kick = |room: &Room, seconds| {
            let (session, outbox) = (session.clone(), connect(2, Form::JSON).1);
            let greeting = Greeting::Welcome;
            room.enter(Coming { session, outbox, greeting, shown: 0 }).expect("it is open");
            room.act(By::Operator, Op::Kick { session: 2, seconds }).expect("he is here");
        };
        let end = |room: &Arc<Room>| {
            assert_eq!(rooms.end_if_empty(room, Duration::ZERO), Fate::Ended);
        };
        let first = math("Math");
        kick(&first, 600);
        assert!(kicked(&first));
        end(&first);
        let second = math("math");
        assert!(kicked(&second) && !kicked(&math("physics")));
        end(&second);
        assert_eq!(rooms.unkick(&UserName::parse("carol").expect("a name"), Some(3)), Ok(false));
        assert_eq!(rooms.unkick(&bob, None), Ok(true));
        let third = math("MATH");
        assert!(!kicked(&third));
        // Expired kicks are forgotten.
        kick(&third, 0);
        end(&third);
        assert!(rooms.table.lock().kicks.is_empty());
    }

    #[test]
    fn a_room_ends_when_it_has_been_empty_for_a_while() {
        let rooms = Rooms::new(10, Beginning::default(), Context::default());
        let room = rooms.make_private(1, None).expect("space");
        let hour = Duration::from_secs(3_600);
        assert!(matches!(rooms.end_if_empty(&room, hour), Fate::Waits(_)));
        assert_eq!(rooms.end_if_empty(&room, Duration::ZERO), Fate::Ended);
        let key = room.key.expect("it is private");
        assert!(rooms.find(&Destination::Private(key)).is_none());
        assert_eq!(rooms.end_if_empty(&rooms.lobby, Duration::ZERO), Fate::Lives);
    }
}
