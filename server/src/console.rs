//! The one thread that writes to the operator's terminal. Everybody else puts
//! lines into a bounded channel and never waits: a terminal that is stopped with
//! Ctrl-S stops nobody. What does not fit is counted, and said.

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
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

    pub(crate) fn connected(&self, address: IpAddr, number: u64) {
        let address = address.to_canonical();
        self.say(match self.lang {
            Lang::Ko => format!("[{address}] 연결됨 (#{number})"),
            Lang::En => format!("[{address}] connected (#{number})"),
        });
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
        self.say(match self.lang {
            Lang::Ko => format!("[{address}] 접속종료 (#{number}{who}: {reason})"),
            Lang::En => format!("[{address}] disconnected (#{number}{who}: {reason})"),
        });
    }

    pub(crate) fn refused(&self, address: IpAddr, reason: CloseReason) {
        let address = address.to_canonical();
        let reason = reason.text(self.lang);
        self.say(match self.lang {
            Lang::Ko => format!("[{address}] 연결을 거절함 ({reason})"),
            Lang::En => format!("[{address}] refused ({reason})"),
        });
    }

    pub(crate) fn joined(&self, user: &UserName, present: usize) {
        self.say(match self.lang {
            Lang::Ko => format!("+++ 대화 참여자 수 [{present}] · [{user}] 입장"),
            Lang::En => format!("+++ members [{present}] · [{user}] joined"),
        });
    }

    pub(crate) fn left(&self, user: &UserName, present: usize) {
        self.say(match self.lang {
            Lang::Ko => format!("--- 대화 참여자 수 [{present}] · [{user}] 퇴장"),
            Lang::En => format!("--- members [{present}] · [{user}] left"),
        });
    }

    pub(crate) fn resumed(&self, user: &UserName, number: u64) {
        self.say(match self.lang {
            Lang::Ko => format!("=== [{user}] 다시 이어짐 (#{number})"),
            Lang::En => format!("=== [{user}] came back (#{number})"),
        });
    }

    pub(crate) fn renamed(&self, user: &UserName, to: &UserName) {
        self.say(match self.lang {
            Lang::Ko => format!("=== [{user}] 이름을 [{to}](으)로 바꿈"),
            Lang::En => format!("=== [{user}] is now [{to}]"),
        });
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
    for output in lines {
        // A stream that was closed is nobody's loss but its reader's.
        let _ = match output {
            Output::Out(text) => write_text(&mut *out, &text),
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
