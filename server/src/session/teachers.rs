//! Teachers, and how to become one: by the code, by the ticket in a link, or through the
//! operator. A teacher's role lasts until the session ends. Codes and tickets are never logged
//! or announced.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use madang_protocol::name::UserName;

use self::code::TeacherCode;
use crate::{session::Session, sync::Mutex};

pub(crate) mod code;

/// How long a link's ticket is valid.
pub(crate) const TICKET_PATIENCE: Duration = Duration::from_secs(600);

/// The maximum number of unused tickets; beyond it, the oldest are dropped.
const MOST_TICKETS: usize = 100;

/// The prefix of a ticket in the fragment of a link.
const TICKET_PREFIX: &str = "teach-";

/// The teachers of a server, the code and the tickets.
pub(crate) struct Teachers {
    code: TeacherCode,
    /// Whether it was chosen, and may be any word.
    is_code_chosen: bool,
    /// Whether anybody may know the code; only then are messages checked for it.
    is_code_out: AtomicBool,
    tickets: Mutex<Vec<Ticket>>,
    sessions: Mutex<Vec<Weak<Session>>>,
    /// The number of teachers.
    count: AtomicUsize,
    /// The number of teachers of other servers that are one chat with this one.
    count_elsewhere: AtomicUsize,
    /// Their codes, and whether there are any.
    codes_elsewhere: Mutex<Vec<TeacherCode>>,
    has_codes_elsewhere: AtomicBool,
    /// Whether one of them may be any word.
    is_chosen_elsewhere: AtomicBool,
}

struct Ticket {
    text: String,
    drawn: Instant,
}

impl Teachers {
    /// Starts without teachers. Without a chosen code, one is generated.
    pub(crate) fn new(chosen: Option<TeacherCode>) -> Teachers {
        let is_code_chosen = chosen.is_some();
        let is_code_out = AtomicBool::new(is_code_chosen);
        Teachers {
            code: chosen.unwrap_or_else(TeacherCode::draw),
            is_code_chosen,
            is_code_out,
            tickets: Mutex::default(),
            sessions: Mutex::default(),
            count: AtomicUsize::new(0),
            count_elsewhere: AtomicUsize::new(0),
            codes_elsewhere: Mutex::default(),
            has_codes_elsewhere: AtomicBool::new(false),
            is_chosen_elsewhere: AtomicBool::new(false),
        }
    }

    /// Takes in how many teachers other servers have, and their codes.
    pub(crate) fn know_elsewhere(&self, teachers: usize, codes: Vec<TeacherCode>) {
        self.count_elsewhere.store(teachers, Ordering::Relaxed);
        self.has_codes_elsewhere.store(!codes.is_empty(), Ordering::Relaxed);
        let is_chosen = !codes.iter().all(TeacherCode::looks_drawn);
        self.is_chosen_elsewhere.store(is_chosen, Ordering::Relaxed);
        *self.codes_elsewhere.lock() = codes;
    }

    /// The code, for other servers.
    pub(crate) fn own_code(&self) -> &str {
        self.code.as_str()
    }

    /// The code, for the operator.
    pub(crate) fn show_code(&self) -> &str {
        self.is_code_out.store(true, Ordering::Relaxed);
        self.code.as_str()
    }

    /// A new ticket with its prefix. It is valid for one teacher, once.
    pub(crate) fn draw_ticket(&self, now: Instant) -> String {
        let text = format!("{TICKET_PREFIX}{}", code::draw_digits(26));
        let mut tickets = self.tickets.lock();
        tickets.retain(|ticket| ticket.is_good(now));
        if tickets.len() == MOST_TICKETS {
            tickets.remove(0);
        }
        tickets.push(Ticket { text: text.clone(), drawn: now });
        text
    }

    /// Whether the text is a valid ticket, or a link with one; the ticket is used up.
    pub(crate) fn take_ticket(&self, given: &str, now: Instant) -> bool {
        let given = given.rsplit('#').next().unwrap_or(given).trim().to_ascii_lowercase();
        let mut tickets = self.tickets.lock();
        let place = tickets.iter().position(|it| it.is_good(now) && same(&it.text, &given));
        place.map(|place| tickets.remove(place)).is_some()
    }

    /// Whether the text is the code, of this server or another.
    pub(crate) fn knows(&self, given: &str) -> bool {
        self.code.is(given) || self.codes_elsewhere.lock().iter().any(|code| code.is(given))
    }

    /// Whether a text contains the code. Costs only a flag check while nobody knows it.
    pub(crate) fn gives_away(&self, text: &str) -> bool {
        self.find_code(text).is_some()
    }

    /// Where in a text the code begins, if that is in it.
    pub(crate) fn find_code(&self, text: &str) -> Option<usize> {
        let own = self.is_code_out.load(Ordering::Relaxed).then(|| self.code.find_in(text));
        if !self.has_codes_elsewhere.load(Ordering::Relaxed) {
            return own.flatten();
        }
        let codes = self.codes_elsewhere.lock();
        codes.iter().filter_map(|code| code.find_in(text)).chain(own.flatten()).min()
    }

    /// Whether a code was chosen, here or on another server, so that it may look like anything.
    pub(crate) fn has_chosen_code(&self) -> bool {
        self.is_code_chosen || self.is_chosen_elsewhere.load(Ordering::Relaxed)
    }

    /// Makes somebody a teacher; false if they are one already.
    pub(crate) fn make(&self, session: &Arc<Session>) -> bool {
        let mut sessions = self.sessions.lock();
        if !session.become_teacher() {
            return false;
        }
        self.is_code_out.store(true, Ordering::Relaxed);
        sessions.push(Arc::downgrade(session));
        self.count.store(sessions.len(), Ordering::Relaxed);
        true
    }

    /// A session has ended.
    pub(crate) fn end(&self, session: &Session) {
        if !session.is_teacher() {
            return;
        }
        let mut sessions = self.sessions.lock();
        sessions.retain(|it| it.upgrade().is_some_and(|it| !std::ptr::eq(&*it, session)));
        self.count.store(sessions.len(), Ordering::Relaxed);
    }

    /// Whether there is a teacher.
    pub(crate) fn is_any(&self) -> bool {
        [&self.count, &self.count_elsewhere].iter().any(|it| it.load(Ordering::Relaxed) > 0)
    }

    /// Whether a name is reserved for teachers: it claims to be one, and there is one.
    pub(crate) fn reserve(&self, name: &UserName) -> bool {
        self.is_any() && name.calls_itself_teacher()
    }

    /// The teachers.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl Session {
    /// Whether they are a teacher.
    pub(crate) fn is_teacher(&self) -> bool {
        self.is_teacher.load(Ordering::Relaxed)
    }

    /// Makes them a teacher; false if they were one already.
    fn become_teacher(&self) -> bool {
        !self.is_teacher.swap(true, Ordering::Relaxed)
    }

    /// Whether this is a projector, which shows only what everyone may see.
    pub(crate) fn is_watching(&self) -> bool {
        self.is_watching.load(Ordering::Relaxed)
    }

    /// Sets whether this session is a projector.
    pub(crate) fn watch(&self, is_watching: bool) {
        self.is_watching.store(is_watching, Ordering::Relaxed);
    }
}

impl Ticket {
    fn is_good(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.drawn) < TICKET_PATIENCE
    }
}

/// Compares two texts in constant time.
fn same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    one.len() == other.len() && pairs.fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::event::Time;

    use super::*;

    fn session(number: u64, name: &str) -> Arc<Session> {
        let name = UserName::parse(name).expect("a name");
        Arc::new(Session::new(number, name, None, Time::from_millis(0)))
    }

    #[test]
    fn a_ticket_is_good_once_and_for_ten_minutes() {
        let teachers = Teachers::new(None);
        let (now, ticket) = (Instant::now(), teachers.draw_ticket(Instant::now()));
        assert!(ticket.starts_with("teach-") && ticket.len() == 32, "{ticket}");
        assert!(!teachers.take_ticket("teach-", now) && !teachers.take_ticket("", now));
        assert!(!teachers.take_ticket(&ticket, now + TICKET_PATIENCE + TICKET_PATIENCE));
        let link = format!("http://192.0.2.2:9998/#{}", ticket.to_uppercase());
        assert!(teachers.take_ticket(&link, now));
        assert!(!teachers.take_ticket(&link, now), "it is used up");
    }

    #[test]
    fn tickets_do_not_pile_up() {
        let teachers = Teachers::new(None);
        let now = Instant::now();
        let first = teachers.draw_ticket(now);
        let others: Vec<_> = (0..MOST_TICKETS).map(|_| teachers.draw_ticket(now)).collect();
        assert!(!teachers.take_ticket(&first, now));
        assert!(others.iter().all(|ticket| teachers.take_ticket(ticket, now)));
    }

    #[test]
    fn teachers_names_are_reserved_while_there_is_one() {
        let teachers = Teachers::new(None);
        let kim = session(1, "kim");
        let name = |text: &str| UserName::parse(text).expect("a name");
        assert!(!teachers.reserve(&name("teacher")));
        assert!(teachers.make(&kim) && !teachers.make(&kim));
        for taken in ["teacher", "TEACHER", "t3acher", "선생님", "쌤", "선생님."] {
            assert!(teachers.reserve(&name(taken)), "{taken}");
        }
        for free in ["teachers-pet", "김선생", "쌤통", "teach"] {
            assert!(!teachers.reserve(&name(free)), "{free}");
        }
        teachers.end(&kim);
        assert!(!teachers.is_any() && teachers.all().is_empty());
        assert!(!teachers.reserve(&name("teacher")));
    }

    #[test]
    fn messages_are_not_checked_for_a_code_that_nobody_knows() {
        let teachers = Teachers::new(None);
        let said = |teachers: &Teachers| format!("it is {}!", teachers.code.as_str());
        assert!(!teachers.gives_away(&said(&teachers)));
        teachers.show_code();
        assert!(teachers.gives_away(&said(&teachers)));
        let chosen = || TeacherCode::parse("spring-2026").expect("a code");
        let teachers = Teachers::new(Some(chosen()));
        assert!(teachers.gives_away(&said(&teachers)));
        assert!(teachers.has_chosen_code());
    }

    #[test]
    fn the_codes_of_other_servers_are_found_and_may_have_been_chosen() {
        let teachers = Teachers::new(None);
        let drawn = TeacherCode::draw();
        teachers.know_elsewhere(0, vec![drawn.clone()]);
        assert!(teachers.gives_away(drawn.as_str()) && !teachers.has_chosen_code());
        let chosen = TeacherCode::parse("spring-2026").expect("a code");
        teachers.know_elsewhere(0, vec![drawn, chosen]);
        assert!(teachers.gives_away("spring 2026") && teachers.has_chosen_code());
        teachers.know_elsewhere(0, Vec::new());
        assert!(!teachers.gives_away("spring 2026") && !teachers.has_chosen_code());
    }
}
