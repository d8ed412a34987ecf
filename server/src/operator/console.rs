//! The one thread that writes to the operator's terminal. Everybody else puts
//! lines into a bounded channel and never waits: a terminal that is stopped with
//! Ctrl-S stops nobody. What does not fit is counted, and said.

use std::{
    collections::HashMap,
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

use crate::{close_reason::CloseReason, transport::tls::certificates::PairError};

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
    Err(Vec<u8>),
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
        self.say(match self.lang {
            Lang::Ko => format!("=== {room} 방이 끝남"),
            Lang::En => format!("=== the room {room} has ended"),
        });
    }

    /// The certificate has changed, and new connections are shown the new one.
    pub(crate) fn certificate_taken(&self) {
        self.say(match self.lang {
            Lang::Ko => "+++ 새 인증서를 씁니다.".into(),
            Lang::En => "+++ The new certificate is in use.".into(),
        });
    }

    /// The certificate has changed and can't be used.
    pub(crate) fn certificate_kept(&self, error: &PairError) {
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
            self.console.put(Output::Err(std::mem::take(&mut self.line)));
        }
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Console {
    type Writer = Diagnostics;

    fn make_writer(&self) -> Diagnostics {
        Diagnostics { console: self.clone(), line: Vec::new() }
    }
}

fn write_lines(lines: &Receiver<Output>, streams: Streams, lost_lines: &AtomicU64, lang: Lang) {
    let Streams { mut out, mut err } = streams;
    let mut passages = Passages::new(Instant::now());
    loop {
        let output = match passages.summary_at {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => lines.recv_deadline(at),
        };
        if let Some(summary) = passages.summary(Instant::now(), lang) {
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
            Output::Err(line) => {
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

/// How many lines about who comes and goes are shown: whoever reconnects all day long must
/// not fill the operator's disk.
struct Passages {
    /// Lines that may be shown now.
    left: f64,
    filled_at: Instant,
    hidden: u64,
    hidden_by_address: HashMap<IpAddr, u64>,
    /// When it is told how many are hidden, if any are.
    summary_at: Option<Instant>,
}

impl Passages {
    /// A large class may come all at once.
    const AT_ONCE: f64 = 2_000.0;
    const PER_SECOND: f64 = 10.0;
    const SUMMARY_PAUSE: Duration = Duration::from_secs(10);
    /// Addresses that are counted apart.
    const ADDRESSES: usize = 1_024;

    fn new(now: Instant) -> Passages {
        Passages {
            left: Passages::AT_ONCE,
            filled_at: now,
            hidden: 0,
            hidden_by_address: HashMap::new(),
            summary_at: None,
        }
    }

    fn may_show(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.left = Passages::AT_ONCE.min(self.left + passed * Passages::PER_SECOND);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return true;
        }
        self.hidden += 1;
        self.summary_at.get_or_insert(now + Passages::SUMMARY_PAUSE);
        let is_counted = |address: &IpAddr| {
            self.hidden_by_address.len() < Passages::ADDRESSES
                || self.hidden_by_address.contains_key(address)
        };
        if let Some(address) = address.filter(is_counted) {
            *self.hidden_by_address.entry(address).or_default() += 1;
        }
        false
    }

    /// How many were hidden, when it is time to tell.
    fn summary(&mut self, now: Instant, lang: Lang) -> Option<String> {
        self.summary_at.take_if(|at| *at <= now)?;
        let hidden = std::mem::take(&mut self.hidden);
        let most = self.hidden_by_address.drain().max_by_key(|(_, count)| *count);
        let (address, count) = most.unwrap_or((IpAddr::from([0, 0, 0, 0]), 0));
        let address = address.to_canonical();
        Some(match lang {
            Lang::Ko => format!(
                "… 지난 10초 동안 접속 기록 {hidden}줄 생략 ({address}의 연결이 가장 많음: {count}줄)"
            ),
            Lang::En => format!(
                "… and {hidden} more lines about connections in the last 10 s, \
                 {count} of them from {address}"
            ),
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
    }
}
