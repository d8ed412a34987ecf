//! The members of a room, by session, with what each is still to be sent.

use std::{
    collections::HashMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_protocol::notice::Goodbye;

use crate::{
    close_reason::CloseReason,
    delivery::batch::{Batch, Rendered},
    delivery::carrier::Carrier,
    delivery::outbox::Outbox,
    dialect::Form,
    session::{Hidden, Session},
};

use super::envelope::Closing;

/// A member.
pub(super) struct Member {
    pub(super) session: Arc<Session>,
    pub(super) outbox: Arc<Outbox>,
    /// The people on its ignore list.
    pub(super) hidden: Arc<[Hidden]>,
    /// The first event of the batch that it gets.
    pub(super) from: u32,
    /// What it is sent before the batch, in this order.
    pub(super) earlier: Vec<Earlier>,
    /// Private answers in this round, each with the number of the event it precedes.
    pub(super) answers: Vec<(u32, Told)>,
}

/// Something from before the batch.
pub(super) enum Earlier {
    /// A part of the room's history.
    Events(Arc<Rendered>, Range<u32>),
    /// Lines that say what is missing there.
    Gap(Vec<u8>),
}

/// An answer for one member, which may be shared with others.
pub(super) enum Told {
    /// Its own lines.
    Own(Vec<u8>),
    /// A rendering shared with others.
    Shared(Arc<Rendered>),
}

/// A member who left in this round.
pub(super) struct Leaver {
    pub(super) member: Member,
    /// The first event of the batch that it does not get.
    pub(super) to: u32,
    /// What it is sent after that.
    pub(super) after: Vec<u8>,
    /// How its connection ends, if it does.
    pub(super) ending: Option<Closing>,
    /// Whether somebody else ends its connection, whose thread has to be woken.
    pub(super) is_dismissed: bool,
}

/// The members of a room.
#[derive(Default)]
pub(super) struct Members {
    members: Vec<Member>,
    /// The index in `members` by session number.
    places: HashMap<u64, usize>,
    /// The list of the first members rendered in this round; cleared when somebody joins or
    /// leaves.
    listed: [Option<Arc<Rendered>>; Form::COUNT],
    /// Members with answers, or new in this round.
    touched: Vec<u64>,
}

impl Members {
    pub(super) fn of(&self, session: u64) -> Option<&Member> {
        self.places.get(&session).map(|place| &self.members[*place])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All members, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// A member that has something of its own in this round.
    pub(super) fn touch(&mut self, session: u64) -> Option<&mut Member> {
        let place = *self.places.get(&session)?;
        self.touched.push(session);
        Some(&mut self.members[place])
    }

    pub(super) fn insert(&mut self, member: Member) {
        let session = member.session.number;
        self.places.insert(session, self.members.len());
        self.listed = Default::default();
        self.touched.push(session);
        self.members.push(member);
    }

    pub(super) fn remove(&mut self, session: u64) -> Option<Member> {
        let place = self.places.remove(&session)?;
        let member = self.members.swap_remove(place);
        self.listed = Default::default();
        if let Some(moved) = self.members.get(place) {
            self.places.insert(moved.session.number, place);
        }
        Some(member)
    }

    pub(super) fn remove_all(&mut self) -> Vec<Member> {
        self.places.clear();
        self.listed = Default::default();
        std::mem::take(&mut self.members)
    }

    /// Drops the cached list of the first members, because a name has changed.
    pub(super) fn forget_listed(&mut self) {
        self.listed = Default::default();
    }

    /// The cached list of the first members in this form, if it is current.
    pub(super) fn listed(&self, form: Form, carrier: Carrier) -> Option<&Arc<Rendered>> {
        self.listed[form.index(carrier)].as_ref()
    }

    /// Caches the list of the first members in this form.
    pub(super) fn list(
        &mut self,
        form: Form,
        carrier: Carrier,
        rendered: Arc<Rendered>,
    ) -> Arc<Rendered> {
        self.listed[form.index(carrier)] = Some(rendered.clone());
        rendered
    }

    /// Sends a member an answer in this round, before the event with that number.
    pub(super) fn answer(&mut self, session: u64, at: u32, bytes: &[u8]) {
        let Some(member) = self.touch(session) else { return };
        let answers = &mut member.answers;
        let after = answers.partition_point(|(other, _)| *other <= at);
        match after.checked_sub(1).map(|last| &mut answers[last]) {
            Some((last, Told::Own(answer))) if *last == at => answer.extend_from_slice(bytes),
            _ => answers.insert(after, (at, Told::Own(bytes.to_vec()))),
        }
    }

    /// The same for an answer shared with others.
    pub(super) fn answer_shared(&mut self, session: u64, at: u32, rendered: Arc<Rendered>) {
        let Some(member) = self.touch(session) else { return };
        let after = member.answers.partition_point(|(other, _)| *other <= at);
        member.answers.insert(after, (at, Told::Shared(rendered)));
    }

    /// Offers each member its part of the batch, which has `to` events.
    pub(super) fn tell(&mut self, batch: &mut Batch, to: u32, now: Instant) {
        batch.set_members(self.members.len());
        for member in self.members.iter().filter(|_| to > 0) {
            member.tell(batch, to, now);
        }
        self.listed = Default::default();
        for session in self.touched.drain(..) {
            if let Some(&place) = self.places.get(&session) {
                let member = &mut self.members[place];
                if to == 0 {
                    // Nothing special for the others, who may be many.
                    member.tell(batch, to, now);
                }
                (member.from, member.earlier, member.answers) = (0, Vec::new(), Vec::new());
            }
        }
    }
}

impl Member {
    /// Offers it its part of the batch up to the event `to`, with its answers in their places.
    pub(super) fn tell(&self, batch: &mut Batch, to: u32, now: Instant) {
        self.guarded(|| {
            let mut answers = self.answers.iter().peekable();
            while let Some((_, answer)) = answers.next_if(|(at, _)| *at <= self.from) {
                self.hear(answer);
            }
            for earlier in &self.earlier {
                match earlier {
                    Earlier::Events(rendered, part) => {
                        self.outbox.offer_rendered(rendered, part.clone(), now);
                    }
                    Earlier::Gap(lines) => self.outbox.push(lines),
                }
            }
            let mut from = self.from;
            for (at, answer) in answers {
                self.offer(batch, from..*at, now);
                self.hear(answer);
                from = *at;
            }
            self.offer(batch, from..to, now);
        });
    }

    fn hear(&self, answer: &Told) {
        match answer {
            Told::Own(lines) => self.outbox.push(lines),
            Told::Shared(rendered) => self.outbox.push_rendered(rendered),
        }
    }

    fn offer(&self, batch: &mut Batch, events: Range<u32>, now: Instant) {
        if events.is_empty() {
            return;
        }
        if self.hidden.is_empty() || self.session.token.is_some() {
            // Programs apply the ignore list themselves.
            return self.outbox.offer(batch, events, now);
        }
        let hides = |speaker, event: &_| Hidden::hides_event(&self.hidden, speaker, event);
        self.outbox.offer_without(batch, events, hides, now);
    }

    /// Does something to its outbox; a panic affects only this member.
    pub(super) fn guarded(&self, action: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(action)).is_err() {
            tracing::error!(
                user = self.session.name().as_str(),
                "an outbox panicked; its connection is ended"
            );
            self.outbox.end(CloseReason::Told(Goodbye::Internal));
        }
    }
}

impl Leaver {
    /// A former member that gets the events before `to`.
    pub(super) fn new(member: Member, to: u32) -> Leaver {
        Leaver { member, to, after: Vec::new(), ending: None, is_dismissed: false }
    }

    /// Sends it everything it is still to get.
    pub(super) fn tell(&self, batch: &mut Batch, now: Instant) {
        let Leaver { member, to, after, ending, is_dismissed } = self;
        member.tell(batch, *to, now);
        member.guarded(|| {
            if !after.is_empty() {
                member.outbox.push(after);
            }
            match ending {
                Some(Closing { outbox, reason, goodbye, .. }) if *is_dismissed => {
                    outbox.dismiss(*reason, goodbye);
                }
                Some(Closing { outbox, reason, goodbye, .. }) => outbox.close(*reason, goodbye),
                None => {}
            }
        });
    }
}
