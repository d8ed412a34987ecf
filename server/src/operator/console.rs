//! The one thread that writes to the operator's terminal. Everybody else puts
//! lines into a bounded channel and never waits: a terminal that is stopped with
//! Ctrl-S stops nobody. What does not fit is counted, and said.

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use madang_protocol::{name::UserName, sanitize::sanitize_label, text::Lang};
use tracing::{Level, Metadata};

use crate::close_reason::CloseReason;

/// How many lines may wait to be written.
const WAITING_LINES: usize = 4_096;

/// How long the end of the server waits for a terminal that takes nothing.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_millis(600);

/// Where the console's lines are written.
pub struct Streams {
    /// What the operator is told.
    pub out: Box<dyn Write + Send>,
    /// Diagnostics.
    pub err: Box<dyn Write + Send>,
}

impl Streams {
    /// The process's own.
    pub fn standard() -> Streams {
        Streams { out: Box::new(io::stdout()), err: Box::new(io::stderr()) }
    }
}

enum Output {
    Out(String),
    /// About who comes and goes, and from which address if that is told.
    Passage(Option<IpAddr>, String),
    /// A line of diagnostics, and how grave that is.
    Err(Level, Vec<u8>),
    /// Nothing follows: other senders, in tracing, live as long as the process.
    Stop,
}

/// The sending side of the console.
#[derive(Clone)]
pub struct Console {
    lang: Lang,
    sender: Sender<Output>,
    lost_lines: Arc<AtomicU64>,
}

/// Ends the console's thread.
pub struct ConsoleThread {
    done: Receiver<()>,
    sender: Sender<Output>,
}

impl Console {
    /// Starts the thread. It ends at [`ConsoleThread::stop`].
    ///
    /// # Errors
    ///
    /// If the system has no thread left.
    pub fn start(lang: Lang, streams: Streams) -> io::Result<(Console, ConsoleThread)> {
        let (sender, lines) = bounded(WAITING_LINES);
        let (done_sender, done) = bounded(1);
        let lost_lines = Arc::new(AtomicU64::new(0));
        std::thread::Builder::new().name("console".into()).spawn({
            let lost_lines = lost_lines.clone();
            move || {
                write_lines(&lines, streams, &lost_lines, lang);
                let _ = done_sender.send(());
            }
        })?;
        let thread = ConsoleThread { done, sender: sender.clone() };
        Ok((Console { lang, sender, lost_lines }, thread))
    }

    /// The operator's language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Tells the operator something, in one line or several.
    pub fn say(&self, text: String) {
        self.put(Output::Out(text));
    }

    /// Tells the operator of somebody who comes or goes; of many, how many more there are.
    fn say_of(&self, address: Option<IpAddr>, text: String) {
        self.put(Output::Passage(address, text));
    }

    pub(crate) fn connected(&self, address: IpAddr, number: u64) {
        let address = address.to_canonical();
        self.say_of(
            Some(address),
            match self.lang {
                Lang::Ko => format!("[{address}] 연결됨 (#{number})"),
                Lang::En => format!("[{address}] connected (#{number})"),
            },
        );
    }

    pub(crate) fn closed(
        &self,
        address: IpAddr,
        number: u64,
        user: Option<&UserName>,
        reason: CloseReason,
    ) {
        let address = address.to_canonical();
        let who = user.map(|user| format!(" {user}")).unwrap_or_default();
        let reason = reason.text(self.lang);
        self.say_of(
            Some(address),
            match self.lang {
                Lang::Ko => format!("[{address}] 접속종료 (#{number}{who}: {reason})"),
                Lang::En => format!("[{address}] disconnected (#{number}{who}: {reason})"),
            },
        );
    }

    pub(crate) fn refused(&self, address: IpAddr, reason: CloseReason) {
        let address = address.to_canonical();
        let reason = reason.text(self.lang);
        self.say_of(
            Some(address),
            match self.lang {
                Lang::Ko => format!("[{address}] 연결을 거절함 ({reason})"),
                Lang::En => format!("[{address}] refused ({reason})"),
            },
        );
    }

    pub(crate) fn joined(&self, user: &UserName, present: usize) {
        self.say_of(
            None,
            match self.lang {
                Lang::Ko => format!("+++ 대화 참여자 수 [{present}] · [{user}] 입장"),
                Lang::En => format!("+++ members [{present}] · [{user}] joined"),
            },
        );
    }

    pub(crate) fn left(&self, user: &UserName, present: usize) {
        self.say_of(
            None,
            match self.lang {
                Lang::Ko => format!("--- 대화 참여자 수 [{present}] · [{user}] 퇴장"),
                Lang::En => format!("--- members [{present}] · [{user}] left"),
            },
        );
    }

    pub(crate) fn resumed(&self, user: &UserName, number: u64) {
        self.say_of(
            None,
            match self.lang {
                Lang::Ko => format!("=== [{user}] 다시 이어짐 (#{number})"),
                Lang::En => format!("=== [{user}] came back (#{number})"),
            },
        );
    }

    pub(crate) fn renamed(&self, user: &UserName, to: &UserName) {
        self.say_of(
            None,
            match self.lang {
                Lang::Ko => format!("=== [{user}] 이름을 [{to}](으)로 바꿈"),
                Lang::En => format!("=== [{user}] is now [{to}]"),
            },
        );
    }

    pub(crate) fn room_ended(&self, room: &str) {
        self.say_of(
            None,
            match self.lang {
                Lang::Ko => format!("=== {room} 방이 끝남"),
                Lang::En => format!("=== the room {room} has ended"),
            },
        );
    }

    /// The certificate has changed, and new connections are shown the new one.
    pub(crate) fn certificate_taken(&self) {
        self.say(match self.lang {
            Lang::Ko => "+++ 새 인증서를 씁니다.".into(),
            Lang::En => "+++ The new certificate is in use.".into(),
        });
    }

    /// The certificate has changed and can't be used.
    pub(crate) fn certificate_kept(&self, error: &dyn Error) {
        self.say(match self.lang {
            Lang::Ko => format!("--- 새 인증서를 쓸 수 없어 전의 것을 그대로 씁니다: {error}"),
            Lang::En => {
                format!("--- The new certificate can't be used; the old one stays: {error}")
            }
        });
    }

    fn put(&self, output: Output) {
        match self.sender.try_send(output) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.lost_lines.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl ConsoleThread {
    /// Has the thread write what waits and end; gives up on a terminal that takes
    /// nothing for a while.
    pub fn stop(self) {
        let ConsoleThread { done, sender } = self;
        let deadline = Instant::now() + STOP_PATIENCE;
        if sender.send_deadline(Output::Stop, deadline).is_ok() {
            let _ = done.recv_deadline(deadline);
        }
    }
}

/// One line of diagnostics goes through here; made by tracing for each.
pub struct Diagnostics {
    console: Console,
    level: Level,
    line: Vec<u8>,
}

impl Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.console.put(Output::Err(self.level, std::mem::take(&mut self.line)));
        }
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Console {
    type Writer = Diagnostics;

    fn make_writer(&self) -> Diagnostics {
        Diagnostics { console: self.clone(), level: Level::ERROR, line: Vec::new() }
    }

    fn make_writer_for(&self, of: &Metadata<'_>) -> Diagnostics {
        Diagnostics { console: self.clone(), level: *of.level(), line: Vec::new() }
    }
}

fn write_lines(lines: &Receiver<Output>, streams: Streams, lost_lines: &AtomicU64, lang: Lang) {
    let Streams { mut out, mut err } = streams;
    let mut passages = Passages::new(Instant::now());
    let mut diagnoses = Diagnoses::new(Instant::now());
    loop {
        let output = match passages.summary_at().into_iter().chain(diagnoses.summary_at()).min() {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => lines.recv_deadline(at),
        };
        let now = Instant::now();
        let summaries = [passages.summary(now, lang), diagnoses.summary(now, lang)];
        for summary in summaries.into_iter().flatten() {
            let _ = write_text(&mut *out, &summary);
        }
        let output = match output {
            Ok(output) => output,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // A stream that was closed is nobody's loss but its reader's.
        let _ = match output {
            Output::Out(text) => write_text(&mut *out, &text),
            Output::Passage(address, text) => match passages.may_show(address, Instant::now()) {
                true => write_text(&mut *out, &text),
                false => Ok(()),
            },
            Output::Stop => return,
            Output::Err(level, _) if !diagnoses.may_show(level, Instant::now()) => Ok(()),
            Output::Err(_, line) => {
                let text = String::from_utf8_lossy(&line);
                // One event, one line, whatever stands in it.
                write_text(&mut *err, &text.trim_end_matches('\n').replace('\n', " "))
            }
        };
        if lines.is_empty() {
            let lost = lost_lines.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let _ = write_text(
                    &mut *out,
                    &match lang {
                        Lang::Ko => format!("-- {lost}줄을 표시하지 못함 --"),
                        Lang::En => format!("-- {lost} lines could not be shown --"),
                    },
                );
            }
        }
    }
}

/// How many lines of a kind are shown: whoever causes them all day long must not fill the
/// operator's disk.
struct Allowance {
    /// Lines that may be shown now.
    left: f64,
    filled_at: Instant,
    hidden: u64,
    /// When it is told how many are hidden, if any are.
    summary_at: Option<Instant>,
}

impl Allowance {
    /// A large class may come all at once.
    const AT_ONCE: f64 = 2_000.0;
    const PER_SECOND: f64 = 10.0;
    const SUMMARY_PAUSE: Duration = Duration::from_secs(10);

    fn new(now: Instant) -> Allowance {
        Allowance { left: Allowance::AT_ONCE, filled_at: now, hidden: 0, summary_at: None }
    }

    fn may_show(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.left = Allowance::AT_ONCE.min(self.left + passed * Allowance::PER_SECOND);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return true;
        }
        self.hidden += 1;
        self.summary_at.get_or_insert(now + Allowance::SUMMARY_PAUSE);
        false
    }

    /// How many were hidden, when it is time to tell.
    fn summary(&mut self, now: Instant) -> Option<u64> {
        self.summary_at.take_if(|at| *at <= now)?;
        Some(std::mem::take(&mut self.hidden))
    }
}

/// The lines about who comes and goes.
struct Passages {
    allowance: Allowance,
    hidden_by_address: HashMap<IpAddr, u64>,
}

impl Passages {
    /// Addresses that are counted apart.
    const ADDRESSES: usize = 1_024;

    fn new(now: Instant) -> Passages {
        Passages { allowance: Allowance::new(now), hidden_by_address: HashMap::new() }
    }

    fn summary_at(&self) -> Option<Instant> {
        self.allowance.summary_at
    }

    fn may_show(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        if self.allowance.may_show(now) {
            return true;
        }
        let is_counted = |address: &IpAddr| {
            self.hidden_by_address.len() < Passages::ADDRESSES
                || self.hidden_by_address.contains_key(address)
        };
        if let Some(address) = address.filter(is_counted) {
            *self.hidden_by_address.entry(address).or_default() += 1;
        }
        false
    }

    fn summary(&mut self, now: Instant, lang: Lang) -> Option<String> {
        let hidden = self.allowance.summary(now)?;
        let most = self.hidden_by_address.drain().max_by_key(|(_, count)| *count);
        let (text, most) = match lang {
            Lang::Ko => (
                format!("… 지난 10초 동안 접속 기록 {hidden}줄 생략"),
                most.map(|(address, count)| format!(" ({address}의 연결이 가장 많음: {count}줄)")),
            ),
            Lang::En => (
                format!("… and {hidden} more lines about connections in the last 10 s"),
                most.map(|(address, count)| format!(", {count} of them from {address}")),
            ),
        };
        // None of them may be of a connection: rooms end, and members are renamed.
        Some(text + &most.unwrap_or_default())
    }
}

/// The lines of diagnostics. Errors have an allowance of their own, and what the operator
/// has asked for in detail has none.
struct Diagnoses {
    errors: Allowance,
    others: Allowance,
}

impl Diagnoses {
    fn new(now: Instant) -> Diagnoses {
        Diagnoses { errors: Allowance::new(now), others: Allowance::new(now) }
    }

    fn summary_at(&self) -> Option<Instant> {
        self.errors.summary_at.into_iter().chain(self.others.summary_at).min()
    }

    fn may_show(&mut self, level: Level, now: Instant) -> bool {
        match level {
            Level::ERROR => self.errors.may_show(now),
            Level::WARN | Level::INFO => self.others.may_show(now),
            _ => true,
        }
    }

    fn summary(&mut self, now: Instant, lang: Lang) -> Option<String> {
        let counts = [self.errors.summary(now), self.others.summary(now)];
        let hidden = counts.into_iter().flatten().reduce(|one, other| one + other)?;
        Some(match lang {
            Lang::Ko => format!("… 지난 10초 동안 진단 기록 {hidden}줄 생략"),
            Lang::En => format!("… and {hidden} more lines of diagnostics in the last 10 s"),
        })
    }
}

/// Writes whole lines with nothing in them that a terminal would obey.
fn write_text(stream: &mut dyn Write, text: &str) -> io::Result<()> {
    let mut line = String::with_capacity(text.len() + 1);
    for part in text.split('\n') {
        line.push_str(&sanitize_label(part));
        line.push('\n');
    }
    stream.write_all(line.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::wait_until;

    #[test]
    fn of_many_who_come_and_go_it_is_told_how_many_and_from_where() {
        let start = Instant::now();
        let mut passages = Passages::new(start);
        let [one, other] = [[10, 0, 0, 5], [10, 0, 0, 6]].map(IpAddr::from);
        let shown = (0..3_000).filter(|_| passages.may_show(Some(one), start)).count();
        assert_eq!(shown, 2_000);
        assert!(!passages.may_show(Some(other), start) && !passages.may_show(None, start));
        assert_eq!(passages.summary(start, Lang::En), None);
        let later = start + Duration::from_secs(10);
        assert_eq!(
            passages.summary(later, Lang::En).as_deref(),
            Some(
                "… and 1002 more lines about connections in the last 10 s, 1000 of them from 10.0.0.5"
            )
        );
        assert_eq!(passages.summary(later + Duration::from_secs(60), Lang::En), None);
        assert_eq!((0..500).filter(|_| passages.may_show(None, later)).count(), 100);
        // Of rooms that end, none comes from anywhere.
        assert_eq!(
            passages.summary(later + Duration::from_secs(10), Lang::En).as_deref(),
            Some("… and 400 more lines about connections in the last 10 s")
        );
    }

    /// Counts the lines that are written.
    struct Lines(Arc<AtomicU64>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.fetch_add(memchr::memchr_iter(b'\n', bytes).count() as u64, Ordering::Relaxed);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn neither_stream_fills_a_disk() {
        let counts: [Arc<AtomicU64>; 2] = Default::default();
        let [out, err] = counts.clone().map(|count| Box::new(Lines(count)));
        let (console, thread) = Console::start(Lang::En, Streams { out, err }).expect("a thread");
        let started = Instant::now();
        for at in 0..2_000 {
            console.room_ended(&format!("room-{at}"));
            console.put(Output::Err(Level::INFO, b"refused a page".to_vec()));
            console.put(Output::Err(Level::WARN, b"refused a connection".to_vec()));
            console.connected(IpAddr::from([10, 0, 0, 5]), at);
            // Nothing is lost on the way.
            if console.sender.len() > WAITING_LINES / 2 {
                wait_until(|| console.sender.is_empty());
            }
        }
        wait_until(|| console.sender.is_empty());
        thread.stop();
        let most = 2_000 + 10 * (started.elapsed().as_secs() + 1);
        for count in counts {
            let count = count.load(Ordering::Relaxed);
            assert!((2_000..=most).contains(&count), "{count} lines of 4000, at most {most}");
        }
    }

    #[test]
    fn diagnostics_are_bounded_unless_they_were_asked_for() {
        let start = Instant::now();
        let mut diagnoses = Diagnoses::new(start);
        let mut shown = |level, at| (0..3_000).filter(|_| diagnoses.may_show(level, at)).count();
        assert_eq!(shown(Level::INFO, start), 2_000);
        assert_eq!(shown(Level::WARN, start), 0);
        assert_eq!(shown(Level::ERROR, start), 2_000);
        assert_eq!(shown(Level::DEBUG, start), 3_000);
        let later = start + Duration::from_secs(10);
        assert_eq!(
            diagnoses.summary(later, Lang::En).as_deref(),
            Some("… and 5000 more lines of diagnostics in the last 10 s")
        );
        assert_eq!(diagnoses.summary(later, Lang::En), None);
    }
}
