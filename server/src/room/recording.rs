//! Notes what happens in a round for the room's [`Recorder`], and hands it over at the end. An
//! archive notes only what people are told: a room that several machines share is restored from
//! its log, never from an archive.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::RoomName,
};

use super::{
    fact::{Change, Fact},
    lesson::{
        LessonChange,
        class::{Attended, Class},
    },
    recorder::{OwedAck, Recorded, Recorder, Round},
    state::State,
};

/// A room's notes for its recorder.
pub(super) struct Recording {
    recorder: Arc<dyn Recorder>,
    round: Round,
    /// In an archive, up to which id everything is recorded; otherwise 0, and before a record
    /// begins.
    recorded_to: u64,
    /// The causes of the events that are still in the batch, in their order.
    causes: VecDeque<Cause>,
    /// Whether data that outlasts members has changed.
    lasting_changed: bool,
    /// The names whose attendance has changed.
    attended: BTreeSet<String>,
}

/// The session that caused an event, or 0, and the request's nonce.
#[derive(Default)]
struct Cause {
    session: u64,
    nonce: Option<String>,
}

impl Recording {
    /// Notes for a room that was opened with the id `room`.
    pub(super) fn new(recorder: Arc<dyn Recorder>, room: u64, name: Arc<str>) -> Recording {
        Recording {
            recorded_to: recorder.recorded_to(room).unwrap_or(0),
            recorder,
            round: Round::new(room, name),
            causes: VecDeque::new(),
            lasting_changed: false,
            attended: BTreeSet::new(),
        }
    }

    /// Whether speakers and acks wait until their messages are saved.
    pub(super) fn is_waited_for(&self) -> bool {
        self.recorder.is_waited_for()
    }

    /// Notes, for an archive, what a room that several machines share remembers: the events that
    /// are not recorded yet, and as a hole those before them. Ids need not be consecutive, but all
    /// that is remembered follows its oldest event.
    pub(super) fn catch_up<'a>(
        &mut self,
        remembered: impl Iterator<Item = &'a Event> + Clone,
        next_id: u64,
    ) {
        let recorded_to = self.recorded_to;
        let oldest = remembered.clone().next().map_or(next_id, Event::id);
        if recorded_to > 0 && oldest > recorded_to + 1 {
            self.round.holes.push((recorded_to + 1, oldest - 1));
        }
        let events = remembered.filter(|event| event.id() > recorded_to).cloned();
        let recorded = events.map(|event| Recorded { event, session: 0, nonce: None });
        self.round.events.extend(recorded);
        self.note_recorded_to(next_id);
    }

    fn note_recorded_to(&mut self, next_id: u64) {
        if next_id > self.recorded_to + 1 {
            self.recorded_to = next_id - 1;
            self.round.recorded_to = Some(self.recorded_to);
        }
    }

    /// Notes a change of the state. A room that only stops with its server has not ended.
    pub(super) fn note_change(&mut self, fact: &Fact, is_stopping: bool) {
        self.lasting_changed |= fact.change.lasts() && self.is_waited_for();
        if matches!(fact.change, Change::Ended { .. }) && !is_stopping {
            self.round.ended = Some(fact.time);
        }
    }

    /// Notes whose attendance has changed by a fact that was applied.
    pub(super) fn note_attended(&mut self, change: &Change, class: &Class) {
        if !class.is_running() || !self.is_waited_for() {
            return;
        }
        match change {
            Change::Joined { user, .. }
            | Change::Left { user, .. }
            | Change::Kicked { user, .. }
            | Change::Said { user, .. } => self.note_one_attended(user),
            Change::Renamed { user, to, .. } => {
                [user, to].into_iter().for_each(|user| self.note_one_attended(user));
            }
            Change::Lesson(fact) if matches!(fact.change, LessonChange::Begun { .. }) => {
                self.attended = class.attendance().into_keys().collect();
            }
            Change::Restarted => self.attended = class.attendance().into_keys().collect(),
            _ => {}
        }
    }

    fn note_one_attended(&mut self, user: &UserName) {
        if !self.attended.contains(user.as_str()) {
            self.attended.insert(user.to_string());
        }
    }

    /// Notes the session that caused the event which goes into the batch now, and the request's
    /// nonce.
    pub(super) fn note_cause(&mut self, session: u64, nonce: Option<String>) {
        self.causes.push_back(Cause { session, nonce });
    }

    /// Notes an event from the batch, unless it is recorded; its cause was noted before.
    pub(super) fn note(&mut self, event: Event) {
        // An event is recorded whatever is known of its cause.
        let Cause { session, nonce } = self.causes.pop_front().unwrap_or_default();
        if event.id() > self.recorded_to {
            self.round.events.push(Recorded { event, session, nonce });
        }
    }

    /// The earliest time that members may read.
    pub(super) fn members_reach(&self, now: Time) -> Time {
        self.recorder.members_reach(now)
    }

    /// Notes an ack that is owed once everything noted is safe.
    pub(super) fn owe(&mut self, ack: OwedAck) {
        self.round.owed.push(ack);
    }

    /// Hands over the notes, if there are any.
    pub(super) fn hand_over(&mut self, state: &State) {
        let lasting_changed = std::mem::take(&mut self.lasting_changed);
        self.round.lasting = lasting_changed.then(|| state.lasting());
        self.round.attended = self.take_attended(state.class());
        if !self.is_waited_for() {
            self.note_recorded_to(state.next_id());
        }
        if !self.round.is_empty() {
            self.recorder.record(&mut self.round);
        }
    }

    /// Hands over the notes, and has the archive forget what was said here until now, or what one
    /// person said.
    pub(super) fn forget(&mut self, state: &State, name: Option<&UserName>) {
        self.hand_over(state);
        if let Ok(room) = RoomName::parse(&self.round.name) {
            self.recorder.forget_recorded(room, name.cloned());
        }
    }

    /// The attendance records that have changed, and when the lesson began.
    fn take_attended(&mut self, class: &Class) -> Option<(Time, Vec<(String, Attended)>)> {
        if self.attended.is_empty() {
            return None;
        }
        let names = std::mem::take(&mut self.attended).into_iter();
        let attended = names.filter_map(|name| {
            let attended = class.attended(&name)?.clone();
            Some((name, attended))
        });
        Some((class.since()?, attended.collect()))
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::event::Stamp;

    use super::*;
    use crate::sync::Mutex;

    /// An archive that has recorded a room so far; what it is handed next is kept as text.
    struct Archive {
        recorded_to: Option<u64>,
        handed: Mutex<String>,
    }

    impl Recorder for Archive {
        fn is_waited_for(&self) -> bool {
            false
        }

        fn wait_for_space(&self) {}

        fn recorded_to(&self, _room: u64) -> Option<u64> {
            self.recorded_to
        }

        fn record(&self, round: &mut Round) {
            let ids: Vec<_> = round.events.drain(..).map(|it| it.event.id().to_string()).collect();
            let holes = round.holes.drain(..).map(|(first, last)| format!(" hole {first}-{last}"));
            let to = round.recorded_to.take().map(|id| format!(" to {id}")).unwrap_or_default();
            *self.handed.lock() = format!("{}{}{to}", ids.join(","), holes.collect::<String>());
        }

        fn members_reach(&self, now: Time) -> Time {
            now
        }

        fn forget_recorded(&self, _room: RoomName, _name: Option<UserName>) {}

        fn owe(&self, _ack: OwedAck) {
            unreachable!("an archive owes nothing")
        }

        fn record_lesson(&self, _fact: &crate::room::lesson::LessonFact) {}
    }

    /// What is handed over of the room 100, which remembers these events, and hears these next.
    #[track_caller]
    fn check(recorded_to: Option<u64>, remembered: &[u64], heard: &[u64], wanted: &str) {
        let archive = Arc::new(Archive { recorded_to, handed: Mutex::default() });
        let mut recording = Recording::new(archive.clone(), 100, "lobby".into());
        let event = |id: &u64| {
            let stamp = Stamp { id: *id, time: Time::from_millis(0), room: "lobby".into() };
            Event::Announced { stamp, text: "x".into() }
        };
        let remembered: Vec<Event> = remembered.iter().map(event).collect();
        let next_id = remembered.last().map_or(100, |last| last.id() + 1);
        recording.catch_up(remembered.iter(), next_id);
        for id in heard {
            recording.note_cause(7, Some("n".into()));
            recording.note(event(id));
        }
        let next_id = heard.last().map_or(next_id, |last| last + 1);
        let beginning = crate::room::Beginning { first_id: next_id, ..Default::default() };
        recording.hand_over(&State::new(beginning, Time::from_millis(0)));
        assert_eq!(*archive.handed.lock(), wanted);
    }

    #[test]
    fn an_archive_takes_what_it_lacks_once_and_notes_what_nobody_remembers() {
        // A room that was made just now, or before the archive began.
        check(None, &[], &[], " to 99");
        check(None, &[], &[100, 101], "100,101 to 101");
        check(None, &[150, 151], &[152], "150,151,152 to 152");
        // One that was made while it was away.
        check(Some(99), &[], &[100], "100 to 100");
        check(Some(99), &[150, 151], &[152], "150,151,152 hole 100-149 to 152");
        // It has nothing, a part, or all of what is remembered, and of what is heard again.
        check(Some(149), &[150, 151], &[152], "150,151,152 to 152");
        check(Some(150), &[150, 151], &[152], "151,152 to 152");
        check(Some(151), &[150, 151], &[152], "152 to 152");
        check(Some(153), &[150, 151], &[152, 153, 154], "154 to 154");
        check(Some(160), &[150, 151], &[152], "");
        check(Some(120), &[150, 151], &[], "150,151 hole 121-149 to 151");
        // Ids were raised after what it has: nothing is missing.
        check(Some(150), &[149, 150, 9_000], &[9_001], "9000,9001 to 9001");
        check(Some(151), &[150, 151], &[9_000], "9000 to 9000");
    }
}
