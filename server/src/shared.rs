//! What all threads of a server share: its tables, queues and settings; and the steps that
//! involve several of them: opening a connection, dismissing one, ending a session.

use std::{
    net::{IpAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{name::UserName, notice::Goodbye, text::LineEnd};

use crate::{
    admission::{
        allowance::AddressAllowance,
        bans::Bans,
        bucket_pool::BucketPool,
        connection_table::{self, ConnectionTable},
        spoken::SpokenWords,
    },
    clock,
    close_reason::CloseReason,
    cluster::Cluster,
    commands::{chat::Services, lesson},
    config::{Config, TlsConfig},
    connection::post::Posters,
    delivery::drainer::Drainer,
    delivery::outbox::{Bounds, Outbox},
    delivery::sink::{Sink, TcpSink, tls::TlsSink},
    dialect::{Form, answer::Answer},
    doors::{Door, Doors},
    expiry::Due,
    journal::{Journal, store::Write},
    metrics::Metrics,
    operator::console::Console,
    room::{By, Going, Op, Room, directory::Rooms, recorder::Recorder as _},
    session::{Reading, Session, user_manager::UserManager},
    sync::Mutex,
    timekeeper::Timekeeper,
    transport::{
        input::Input,
        tls::{
            TlsInput,
            certificates::{Certificates, PairError},
        },
    },
};

mod archive;
mod services;
mod clustering;
mod moving;
pub(crate) mod downloads;
pub(crate) mod talk_file;

use self::downloads::Downloads;

/// How long a dismissed peer may take to read the goodbye and close. If the server closed at
/// once, the system would answer anything the peer still sends with a reset, and that may
/// overtake the goodbye.
pub(crate) const DISMISSAL: Duration = Duration::from_millis(300);

/// The live connections and their outboxes.
pub(crate) type Connections = ConnectionTable<Outbox>;

/// An admitted connection.
pub(crate) type Admission = connection_table::Admitted<Outbox>;

/// What every connection's thread works with.
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// The name of this machine.
    pub(crate) own_name: String,
    pub(crate) console: Console,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) drainer: Arc<Drainer>,
    pub(crate) connections: Arc<Connections>,
    /// None without a rate limit.
    pub(crate) buckets: Option<Arc<BucketPool>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) users: UserManager,
    pub(crate) rooms: Rooms,
    /// None without durable history.
    pub(crate) journal: Option<Arc<Journal>>,
    /// None without a cluster.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// How far the operator has read back in the history.
    pub(crate) operators_reading: Mutex<Option<Reading>>,
    pub(crate) room_allowance: AddressAllowance,
    /// How many wrong teacher's codes each address may still send.
    pub(crate) code_allowance: AddressAllowance,
    /// The words that open private rooms.
    pub(crate) spoken: SpokenWords,
    /// Who said something over HTTP last, by address.
    pub(crate) posters: Posters,
    pub(crate) bans: Bans,
    pub(crate) timekeeper: Arc<Timekeeper<Due>>,
    /// Files that can be downloaded once.
    pub(crate) downloads: Downloads,
    /// When teachers were last sent the open poll's progress.
    pub(crate) tallied: Mutex<Option<Instant>>,
    pub(crate) doors: Doors,
    pub(crate) tls: Option<Tls>,
}

/// What every connection over TLS works with.
pub(crate) struct Tls {
    pub(crate) certificates: Arc<Certificates>,
    config: Arc<rustls::ServerConfig>,
    pub(crate) look_interval: Duration,
}

impl Shared {
    /// Both halves of a new connection that arrived at `door`. Its outbox is registered, so that
    /// a stopping server reaches it. It carries lines for people until told otherwise.
    pub(crate) fn open(
        &self,
        door: Door,
        admission: &Admission,
        stream: Arc<TcpStream>,
    ) -> (Input, Arc<Outbox>) {
        let tls = self.tls.as_ref().filter(|_| self.encrypts(door));
        let sink: Box<dyn Sink> = match tls {
            Some(tls) => Box::new(TlsSink::new(stream.clone(), tls.config.clone())),
            None => Box::new(TcpSink::new(stream.clone())),
        };
        let outbox = Outbox::new(
            admission.number,
            Form::text(self.config.lang, LineEnd::Lf),
            sink,
            self.bounds.clone(),
            self.drainer.clone(),
            admission.traffic.clone(),
        );
        admission.register(outbox.clone());
        let input = match tls {
            Some(_) => Input::tls(TlsInput::new(stream, outbox.clone()), admission.traffic.clone()),
            None => Input::plain(stream, admission.traffic.clone()),
        };
        (input, outbox)
    }

    /// The outbox of a member who is sent nothing, at this connection: one that has ended.
    pub(crate) fn ended_outbox(&self, admission: &Admission) -> Arc<Outbox> {
        let (number, traffic) = (admission.number, admission.traffic.clone());
        let (bounds, waker) = (self.bounds.clone(), self.drainer.clone());
        let outbox = Outbox::new(number, Form::JSON, None, bounds, waker, traffic);
        outbox.end(CloseReason::Told(Goodbye::Closed));
        outbox
    }

    /// Tells the journal and the other servers of a session that may come back: its room and its
    /// name.
    pub(crate) fn note_session(&self, session: &Session, room: Option<&Room>) {
        self.keep_session(session, room);
        let (Some(journal), Some(token)) = (self.restart_journal(), &session.token) else { return };
        let room = room.and_then(Room::kept_as).unwrap_or_default();
        journal.write(Write::Session {
            session: session.number,
            token: token.hash.0,
            name: session.name().into(),
            room,
            quiet: session.quiet().is_some(),
            teacher: session.is_teacher(),
            watching: session.is_watching(),
            muted: session.muted(),
        });
    }

    /// The journal, if the server restores itself from it after a restart: an archive saves only
    /// messages.
    fn restart_journal(&self) -> Option<&Journal> {
        self.journal.as_deref().filter(|journal| journal.is_waited_for())
    }

    /// Whether connections at `door` are encrypted.
    pub(crate) fn encrypts(&self, door: Door) -> bool {
        match door {
            Door::Lines | Door::Metrics => false,
            Door::TlsLines => true,
            Door::Web => self.tls.is_some(),
        }
    }

    /// Ends a connection from another thread: the peer is told why, and has a moment to close it.
    pub(crate) fn dismiss(&self, outbox: &Arc<Outbox>, goodbye: Goodbye) {
        outbox.dismiss(CloseReason::Told(goodbye), &Answer::goodbye(outbox.form(), goodbye));
        let due = Due::Dismissal(Arc::downgrade(outbox));
        self.timekeeper.schedule(Instant::now() + DISMISSAL, due);
    }

    /// Ends the session of this token, whose name is `name` or one like it, if it has no
    /// connection; returns whether it did. It leaves like any session whose time is over.
    pub(crate) fn end_away(&self, token: &str, name: &UserName) -> bool {
        let Some(session) = self.users.expire_away(token, name) else { return false };
        let room = self.rooms.room_of(&session);
        self.end_session(&session, room, Going::Expires, None);
        true
    }

    /// Ends a session that nobody resumed: it leaves `room`, its rooms get other owners, its name
    /// becomes free. The operator is told, with the address and close reason if it had a
    /// connection until now. Returns whether a room has taken the leaving, and with it the end of
    /// its connection.
    pub(crate) fn end_session(
        &self,
        session: &Session,
        room: Option<Arc<Room>>,
        going: Going,
        how: Option<(IpAddr, CloseReason)>,
    ) -> bool {
        // One that ends with the server may be resumed on the next. Members of private rooms get
        // their goodbye before the journal is closed.
        let stops = matches!(how, Some((_, CloseReason::Told(Goodbye::Shutdown))));
        if session.has_moved() || (stops && self.cluster.is_some() && session.token.is_some()) {
            // It goes on, on another server.
            self.console.left(&session.name(), self.users.end_here(session), how);
            return false;
        }
        if let Some((cluster, token)) = self.cluster.as_ref().zip(session.token.as_ref()) {
            let kicked_for = match how {
                // The lobby may not have heard of it yet.
                Some((_, CloseReason::Told(Goodbye::Kicked { seconds }))) => {
                    Some(Duration::from_secs(seconds))
                }
                _ => {
                    let kicks = self.rooms.lobby.status().access.kicks;
                    kicks.left_for_session(session.number, clock::now())
                }
            };
            cluster.sessions.forget(token, session.number, kicked_for);
        }
        let taken = room.as_ref().is_some_and(|room| room.leave(session.number, going).is_ok());
        let owned = session.take_owned().into_iter();
        let owned = owned.filter_map(|number| self.rooms.numbered(number));
        for room in room.into_iter().chain(owned) {
            // A room that has ended needs no owner.
            let _ = room.act_now(By::Time, Op::OwnerGone(session.number));
            self.end_when_empty(&room);
            // On another server, its name is somebody else's as soon as it is free here. Only a
            // connection's own thread may wait.
            if how.is_some() {
                room.settle_log();
            }
        }
        if let (Some(journal), Some(_), false) = (self.restart_journal(), &session.token, stops) {
            journal.write(Write::SessionEnded { session: session.number });
        }
        // Those of a server that stops are waited for on the others.
        if !(stops && self.rooms.lesson.is_shared()) {
            lesson::leave_lesson(&self.chat(), session);
            lesson::end_teaching(&self.chat(), session);
        }
        let name = session.name();
        self.console.left(&name, self.users.end(session), how);
        taken
    }
}

impl Shared {
    /// Warns the operator of a certificate that has expired or will soon.
    pub(crate) fn warn_of_expiry(&self) {
        let expires_at = self.tls.as_ref().and_then(|tls| tls.certificates.expires_at());
        if let Some(expires_at) = expires_at {
            self.console.certificate_expires(expires_at, crate::clock::now().as_millis() / 1_000);
        }
    }
}

impl Tls {
    /// Loads the certificate and its key.
    ///
    /// # Errors
    ///
    /// If they can't be used.
    pub(crate) fn load(config: &TlsConfig) -> Result<Tls, PairError> {
        let certificates = Certificates::load(config.pair.clone())?;
        let look_interval = config.look_interval;
        Ok(Tls { config: certificates.server_config(), certificates, look_interval })
    }
}
