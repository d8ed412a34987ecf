//! A room: members, the order of what happens among them, and the pump that
//! tells each of it. Knows neither sockets nor names' uniqueness.
//!
//! # Guarantees
//!
//! 1. Whatever is posted to a room happens in one order, which every member sees:
//!    from its own joining to its own leaving, without a hole, nothing twice.
//! 2. The ids of a room's events rise by one, from the microsecond of its making.
//! 3. One round is one batch: a member is offered once what happened in it.
//! 4. A listener is never waited for; a speaker may wait for its own room.
//! 5. A round posts to no other room and takes no lock but outboxes' own.
//! 6. A panic in a post costs that post; a panic in an offer costs that member.
//! 7. A member's leave carries its goodbye: it is the last that the member gets,
//!    after all that was posted before.

use std::{
    collections::HashMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Sender, bounded};
use madang_protocol::{
    event::{Event, ServerMessage, Time, write_json_line},
    text::{Goodbye, Notice},
};

use crate::{
    answer::Answer,
    batch::{Batch, Form},
    close_reason::CloseReason,
    mailbox::{Ended, Mailbox, Pump, Urgency},
    outbox::Outbox,
    sync::Mutex,
};

/// How long a thread pumps before it would rather hand over.
const PUMP_PATIENCE: Duration = Duration::from_millis(20);

/// What a post counts in the mailbox beside what it carries, and what each line of
/// a message counts at least: short ones are longer once they are rendered.
const POST_BYTES: usize = 64;

/// What a question for the members counts in the mailbox: its answer takes the
/// pump as long as a round of many lines does, where there are many.
const WHO_BYTES: usize = 4 * 1_024;

/// How many names one line of an answer to `/who` holds.
const NAMES_PER_LINE: usize = 50;

/// A room.
pub(crate) struct Room {
    mailbox: Mailbox<Post>,
    /// Locked by the pump alone, for as long as it pumps.
    floor: Mutex<Floor>,
}

/// Something that a member says.
#[derive(Debug)]
pub(crate) struct Speech {
    /// One line, or several; sanitized.
    pub(crate) text: String,
    /// What its `ack` returns.
    pub(crate) nonce: Option<String>,
}

impl Speech {
    /// What it counts in the mailbox.
    pub(crate) fn bytes(&self) -> usize {
        self.text.split('\n').map(|line| line.len().max(POST_BYTES)).sum()
    }
}

/// What is asked of the pump. Members are known by their connection's number.
enum Post {
    Join {
        member: Member,
        token: Option<String>,
    },
    Leave {
        number: u64,
        reason: CloseReason,
        goodbye: Vec<u8>,
    },
    Say {
        number: u64,
        speeches: Vec<Speech>,
    },
    Who {
        number: u64,
        nonce: Option<String>,
    },
    /// The sender is kept until everyone was told.
    Stop {
        done: Sender<()>,
    },
    #[cfg(test)]
    Panic,
}

struct Member {
    outbox: Arc<Outbox>,
    user: Arc<str>,
    /// The id of its joining.
    joined: u64,
    /// The first event of the batch that it is told of.
    from: u32,
    /// What it alone is told in this round, before the event of that number.
    answers: Vec<(u32, Vec<u8>)>,
}

/// A member who left in this round.
struct Leaver {
    member: Member,
    /// The first event of the batch that it is not told of.
    to: u32,
    reason: CloseReason,
    goodbye: Vec<u8>,
}

/// What the pump works on.
struct Floor {
    name: Arc<str>,
    next_id: u64,
    members: Vec<Member>,
    /// Where in `members` the member of a connection's number is.
    places: HashMap<u64, usize>,
    batch: Batch,
    posts: Vec<Post>,
    /// Who has answers or joined in this round.
    touched: Vec<u64>,
    leavers: Vec<Leaver>,
    /// Who waits for the room's end, when it has come.
    stopped: Option<Sender<()>>,
}

impl Room {
    /// An empty room, made at `now`.
    pub(crate) fn new(name: &str, now: SystemTime) -> Room {
        let name: Arc<str> = name.into();
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Room {
            mailbox: Mailbox::new(),
            floor: Mutex::new(Floor {
                name: name.clone(),
                // Below 2^53, which JSON numbers hold exactly, until the year 2255.
                next_id: since_1970.as_micros() as u64,
                members: Vec::new(),
                places: HashMap::new(),
                batch: Batch::new(name),
                posts: Vec::new(),
                touched: Vec::new(),
                leavers: Vec::new(),
                stopped: None,
            }),
        }
    }

    /// Brings a member in; a JSON client's `welcome` carries `token`. May wait for
    /// a round, and may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room takes nobody any more; likewise below.
    pub(crate) fn join(
        &self,
        outbox: Arc<Outbox>,
        user: &str,
        token: Option<String>,
    ) -> Result<(), Ended> {
        let user = user.into();
        let member = Member { outbox, user, joined: 0, from: 0, answers: Vec::new() };
        self.post(Post::Join { member, token }, POST_BYTES, Urgency::Waits)
    }

    /// Takes a member out and closes its outbox with `goodbye`. Never waits for
    /// space; may pump.
    pub(crate) fn leave(
        &self,
        number: u64,
        reason: CloseReason,
        goodbye: Vec<u8>,
    ) -> Result<(), Ended> {
        self.post(Post::Leave { number, reason, goodbye }, POST_BYTES, Urgency::Now)
    }

    /// Says something. May wait for a round, and may pump.
    pub(crate) fn say(&self, number: u64, speeches: Vec<Speech>) -> Result<(), Ended> {
        let bytes = POST_BYTES + speeches.iter().map(Speech::bytes).sum::<usize>();
        self.post(Post::Say { number, speeches }, bytes, Urgency::Waits)
    }

    /// Answers a member who is here, after all that it posted before. May wait
    /// for a round, and may pump.
    pub(crate) fn who(&self, number: u64, nonce: Option<String>) -> Result<(), Ended> {
        self.post(Post::Who { number, nonce }, WHO_BYTES, Urgency::Waits)
    }

    /// Ends the room: everyone is told goodbye, nobody that the others leave.
    /// What was posted before is delivered; nothing is accepted afterwards. Blocks
    /// until that is done, whoever pumps, or `deadline`.
    pub(crate) fn stop(&self, deadline: Instant) {
        let (done, is_done) = bounded(1);
        if let Some(pump) = self.mailbox.close(Post::Stop { done }) {
            self.pump(pump);
        }
        if is_done.recv_deadline(deadline).is_err() {
            tracing::error!("a room did not end in time");
        }
    }

    fn post(&self, post: Post, bytes: usize, urgency: Urgency) -> Result<(), Ended> {
        if let Some(pump) = self.mailbox.post(post, bytes, urgency)? {
            self.pump(pump);
        }
        Ok(())
    }

    fn pump(&self, mut pump: Pump<'_, Post>) {
        let mut floor = self.floor.lock();
        let started = Instant::now();
        let mut now = started;
        while let Some(duty) = pump.next_round(now - started > PUMP_PATIENCE, &mut floor.posts) {
            pump = duty;
            floor.round(Instant::now());
            now = Instant::now();
        }
    }
}

impl Floor {
    /// Walks the posts in their order, then tells everyone once.
    fn round(&mut self, now: Instant) {
        let time = wall_clock();
        let mut posts = std::mem::take(&mut self.posts);
        for post in posts.drain(..) {
            if catch_unwind(AssertUnwindSafe(|| self.apply(post, time))).is_err() {
                tracing::error!(room = %self.name, "a post panicked and was dropped");
            }
        }
        self.posts = posts;
        self.tell(now);
    }

    // Whoever posts pumps, on its own small stack: what is over leaves its frame.
    #[inline(never)]
    fn apply(&mut self, post: Post, time: Time) {
        match post {
            Post::Join { member, token } => self.join(member, token, time),
            Post::Leave { number, reason, goodbye } => self.leave(number, reason, goodbye, time),
            Post::Say { number, speeches } => self.say(number, speeches, time),
            Post::Who { number, nonce } => self.who(number, nonce.as_deref()),
            Post::Stop { done } => self.stop(done),
            #[cfg(test)]
            Post::Panic => panic!("as the test asked"),
        }
    }

    #[inline(never)]
    fn join(&mut self, mut member: Member, token: Option<String>, time: Time) {
        let (id, user) = (self.take_id(), member.user.clone());
        member.joined = id;
        member.from = self.batch_len();
        let number = member.outbox.number();
        self.places.insert(number, self.members.len());
        self.members.push(member);
        self.touched.push(number);
        if let Some(token) = token {
            let mut welcome = Vec::new();
            let message = ServerMessage::Welcome {
                user: (&*user).into(),
                room: (&*self.name).into(),
                session: token.into(),
                id,
                members: self.members.len(),
                resumed: false,
            };
            write_json_line(&message, &mut welcome);
            self.answer(number, self.batch_len(), &welcome);
        }
        self.batch.push(Event::Joined { id, time, room: self.name.clone(), user });
    }

    #[inline(never)]
    fn leave(&mut self, number: u64, reason: CloseReason, goodbye: Vec<u8>, time: Time) {
        let Some(place) = self.places.remove(&number) else { return };
        let member = self.members.swap_remove(place);
        if let Some(moved) = self.members.get(place) {
            self.places.insert(moved.outbox.number(), place);
        }
        let user = member.user.clone();
        self.leavers.push(Leaver { member, to: self.batch_len(), reason, goodbye });
        let id = self.take_id();
        self.batch.push(Event::Left { id, time, room: self.name.clone(), user });
    }

    #[inline(never)]
    fn say(&mut self, number: u64, speeches: Vec<Speech>, time: Time) {
        let Some(&place) = self.places.get(&number) else { return };
        let user = self.members[place].user.clone();
        let mut acks = Vec::new();
        for Speech { text, nonce } in speeches {
            let id = self.take_id();
            if let Some(nonce) = nonce {
                write_json_line(
                    &ServerMessage::Ack { nonce: nonce.into(), id: Some(id) },
                    &mut acks,
                );
            }
            let (room, user) = (self.name.clone(), user.clone());
            self.batch.push(Event::Said { id, time, room, user, text });
        }
        if !acks.is_empty() {
            // All acks of a round go before its batch: two sends, not one for each.
            self.answer(number, self.members[place].from, &acks);
        }
    }

    #[inline(never)]
    fn who(&mut self, number: u64, nonce: Option<&str>) {
        let Some(&place) = self.places.get(&number) else { return };
        let mut members: Vec<(u64, &str)> =
            self.members.iter().map(|member| (member.joined, &*member.user)).collect();
        members.sort_unstable();
        let names: Vec<&str> = members.into_iter().map(|(_, user)| user).collect();

        let form = self.members[place].outbox.form();
        let count = names.len();
        let mut answer = Answer::new(form);
        for (at, names) in names.chunks(NAMES_PER_LINE).enumerate() {
            match form {
                Form::Text(..) => answer.notice(&Notice::Who { count, names }),
                Form::Json => answer.message(&ServerMessage::Who {
                    room: (&*self.name).into(),
                    count,
                    members: names.iter().map(|name| (*name).into()).collect(),
                    more: (at + 1) * NAMES_PER_LINE < count,
                    nonce: nonce.map(Into::into),
                }),
            }
        }
        answer.ack(nonce);
        let bytes = answer.into_bytes();
        self.answer(number, self.batch_len(), &bytes);
    }

    #[inline(never)]
    fn stop(&mut self, done: Sender<()>) {
        self.stopped = Some(done);
        let reason = CloseReason::Told(Goodbye::Shutdown);
        let to = self.batch_len();
        self.places.clear();
        for member in std::mem::take(&mut self.members) {
            let goodbye = Answer::goodbye(member.outbox.form(), Goodbye::Shutdown);
            self.leavers.push(Leaver { member, to, reason, goodbye });
        }
    }

    /// Has a member told something in this round, before the event of that number.
    fn answer(&mut self, number: u64, at: u32, bytes: &[u8]) {
        let Some(&place) = self.places.get(&number) else { return };
        let answers = &mut self.members[place].answers;
        let after = answers.partition_point(|(other, _)| *other <= at);
        match after.checked_sub(1).map(|last| &mut answers[last]) {
            Some((last, answer)) if *last == at => answer.extend_from_slice(bytes),
            _ => answers.insert(after, (at, bytes.to_vec())),
        }
        self.touched.push(number);
    }

    /// Offers the batch to everyone.
    #[inline(never)]
    fn tell(&mut self, now: Instant) {
        let Floor { members, leavers, batch, .. } = self;
        let to = u32::try_from(batch.len()).expect("a round is far below 2^32 events");
        for member in members.iter() {
            if !batch.is_empty() || !member.answers.is_empty() {
                offer(member, batch, to, now);
            }
        }
        for Leaver { member, to, reason, goodbye } in leavers.drain(..) {
            offer(&member, batch, to, now);
            guarded(&member, || member.outbox.close(reason, &goodbye));
        }
        batch.clear();
        for number in self.touched.drain(..) {
            if let Some(&place) = self.places.get(&number) {
                self.members[place].from = 0;
                self.members[place].answers = Vec::new();
            }
        }
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.send(());
        }
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn batch_len(&self) -> u32 {
        u32::try_from(self.batch.len()).expect("a round is far below 2^32 events")
    }
}

/// Offers a member its part of the batch, and its answers at their places.
fn offer(member: &Member, batch: &mut Batch, to: u32, now: Instant) {
    guarded(member, || {
        let mut from = member.from;
        for (at, answer) in &member.answers {
            offer_events(&member.outbox, batch, from..*at, now);
            member.outbox.push(answer);
            from = *at;
        }
        offer_events(&member.outbox, batch, from..to, now);
    });
}

/// Does something to a member's outbox; a panic costs that member.
fn guarded(member: &Member, action: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(action)).is_err() {
        tracing::error!(user = %member.user, "an outbox panicked; its connection is ended");
        member.outbox.end(CloseReason::Told(Goodbye::Internal));
    }
}

fn offer_events(outbox: &Arc<Outbox>, batch: &mut Batch, events: Range<u32>, now: Instant) {
    if !events.is_empty() {
        outbox.offer(batch, events, now);
    }
}

fn wall_clock() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(since_1970.as_millis() as i64)
}

#[cfg(test)]
mod tests;
