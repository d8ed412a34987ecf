//! The services that commands use: timers, closing connections, and messages to the operator.

use std::{net::IpAddr, sync::Arc, time::Instant};

use madang_protocol::{
    command::Banned,
    event::{Time, TimerState},
    name::UserName,
    notice::Goodbye,
};

use super::{Shared, downloads::Download, talk_file::Talk};
use crate::{
    clock,
    commands::{
        archive::Archive,
        chat::{Chat, Services, TalkOffer},
        elsewhere::Elsewhere,
        lesson::TALLY_PAUSE,
    },
    expiry::Due,
    journal::transcript::Heading,
    room::{Muter, Room},
    session::Session,
};

impl Shared {
    /// The chat as commands see it.
    pub(crate) fn chat(&self) -> Chat<'_> {
        Chat {
            users: &self.users,
            rooms: &self.rooms,
            bans: &self.bans,
            room_allowance: &self.room_allowance,
            code_allowance: &self.code_allowance,
            spoken: &self.spoken,
            doors: &self.doors,
            metrics: &self.metrics,
            roster: &self.config.roster,
            kick_window: self.config.kick_window,
            archive: self.journal.as_ref().map(|_| self as &dyn Archive),
            elsewhere: self.cluster.as_ref().map(|_| self as &dyn Elsewhere),
            services: self,
        }
    }
}

impl Services for Shared {
    fn end_when_empty(&self, room: &Arc<Room>) {
        let at = Instant::now() + self.config.empty_room_window;
        self.timekeeper.schedule(at, Due::Room(Arc::downgrade(room)));
    }

    fn end_mute_at(&self, at: Instant, until: Time, room: &Arc<Room>, muted: (u64, Muter)) {
        let due = Due::Mute(Arc::downgrade(room), muted, until);
        self.timekeeper.schedule(at, due);
    }

    fn end_operators_mute_at(&self, at: Instant, until: Time, session: &Arc<Session>) {
        self.timekeeper.schedule(at, Due::OperatorsMute(Arc::downgrade(session), until));
    }

    fn end_mute_of_all_at(&self, at: Instant, until: Time) {
        self.timekeeper.schedule(at, Due::MuteOfAll(until));
    }

    fn address_of(&self, session: &Session) -> Option<IpAddr> {
        let holder = self.users.holder(session)?;
        self.connections.address_of(holder)
    }

    fn close_connection_of(&self, session: &Session, goodbye: Goodbye) {
        let holder = self.users.holder(session);
        if let Some(outbox) = holder.and_then(|holder| self.connections.outbox_of(holder)) {
            self.dismiss(&outbox, goodbye);
        }
    }

    fn close_banned(&self, banned: &Banned) -> Vec<(UserName, IpAddr)> {
        let connections = &self.connections;
        let mut held = match banned {
            Banned::Name(name) => self.users.held_as(name),
            Banned::Address(_) => self.users.held(),
        };
        if let Banned::Address(range) = banned {
            let is_meant =
                |number| connections.address_of(number).is_some_and(|it| range.contains(it));
            held.retain(|(_, connection)| is_meant(*connection));
        }
        let mut closed = Vec::new();
        for (session, connection) in held {
            let Some(outbox) = connections.outbox_of(connection) else { continue };
            self.dismiss(&outbox, Goodbye::Banned);
            closed.extend(connections.address_of(connection).map(|from| (session.name(), from)));
        }
        if let Banned::Address(range) = banned {
            // Those without a name, too.
            let nameless = connections.outboxes_from(range);
            nameless.iter().for_each(|outbox| self.dismiss(outbox, Goodbye::Banned));
        }
        closed
    }

    fn note_renamed(&self, old: &UserName, new: &UserName) {
        if let Some(session) = self.users.find(new) {
            self.note_session(&session, self.rooms.room_of(&session).as_deref());
        }
        self.console.renamed(old, new);
    }

    fn tally(&self) {
        let (now, tallied) = (Instant::now(), *self.tallied.lock());
        let at = tallied.map_or(now, |tallied| now.max(tallied + TALLY_PAUSE));
        self.timekeeper.schedule(at, Due::Tally);
    }

    fn tell_timer_at(&self, at: Instant, until: Time, state: TimerState) {
        self.timekeeper.schedule(at, Due::Timer(until, state));
    }

    fn offer_table(&self, by: Option<u64>, table: Vec<u8>) -> String {
        self.downloads.offer(by, Download::Attendance(table.into()), Instant::now())
    }

    fn offer_talk(&self, by: Option<u64>, talk: TalkOffer<'_>) -> String {
        let TalkOffer { name, room, saved, format, lang } = talk;
        let zone = clock::zone().clone();
        let today = jiff::Timestamp::now().to_zoned(zone.clone()).date();
        let talk = Talk {
            saved,
            room: room.map(Arc::downgrade),
            heading: Heading { room: name.into(), lang, zone },
            format,
            file_name: format!("{name}-{today}.{}", format.name()),
        };
        self.downloads.offer(by, Download::Talk(talk.into()), Instant::now())
    }

    fn note_teacher(&self, user: &UserName) {
        self.console.became_teacher(user);
    }

    fn keep_standing(&self, session: &Session) {
        self.note_session(session, self.rooms.room_of(session).as_deref());
    }

    fn note_whispered(&self, session: &Session) {
        if let Some((cluster, token)) = self.cluster.as_ref().zip(session.token.as_ref()) {
            cluster.sessions.note_private(token, session.last_private());
        }
    }

    fn note_hidden(&self, session: &Session) {
        self.keep_session(session, self.rooms.room_of(session).as_deref());
    }

    fn note_room_ended(&self, room: &str) {
        self.console.room_ended(room);
    }
}
