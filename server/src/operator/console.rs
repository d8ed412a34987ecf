//! The only thread that writes to the operator's terminal. All others put lines into a bounded
//! channel and never wait, so a terminal stopped with Ctrl-S stops nobody. Lines that exceed
//! the channel are counted and reported.

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use madang_protocol::{sanitize::sanitize_label, text::Lang};
use tracing::{Level, Metadata};

use self::allowance::{Diagnoses, Passages};

mod lines;
mod allowance;

/// How many lines may wait to be written.
const WAITING_LINES: usize = 4_096;

/// How long the server, when it stops, waits for a blocked terminal.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_millis(600);

/// Where the console's lines are written.
pub struct Streams {
    /// Messages to the operator.
    pub out: Box<dyn Write + Send>,
    /// Diagnostics.
    pub err: Box<dyn Write + Send>,
}

impl Streams {
    /// The process's standard streams.
    pub fn standard() -> Streams {
        Streams { out: Box::new(io::stdout()), err: Box::new(io::stderr()) }
    }
}

enum Output {
    Out(String),
    /// A drawing by the server itself, with colours.
    Drawing(String),
    /// A line about somebody who joins or leaves, with the address if it is known.
    Passage(Option<IpAddr>, String),
    /// A line of diagnostics, and its level.
    Err(Level, Vec<u8>),
    /// The end. Needed because other senders, in tracing, live as long as the process.
    Stop,
}

/// The sending side of the console.
#[derive(Clone)]
pub struct Console {
    language: Arc<Language>,
    sender: Sender<Output>,
    lost_lines: Arc<AtomicU64>,
}

/// The operator's language.
struct Language {
    is_korean: AtomicBool,
}

impl Language {
    fn get(&self) -> Lang {
        if self.is_korean.load(Ordering::Relaxed) { Lang::Ko } else { Lang::En }
    }
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
    /// If the system cannot create a thread.
    pub fn start(lang: Lang, streams: Streams) -> io::Result<(Console, ConsoleThread)> {
        let (sender, lines) = bounded(WAITING_LINES);
        let (done_sender, done) = bounded(1);
        let lost_lines = Arc::new(AtomicU64::new(0));
        let is_korean = AtomicBool::new(lang == Lang::Ko);
        let language = Arc::new(Language { is_korean });
        std::thread::Builder::new().name("console".into()).spawn({
            let (lost_lines, language) = (lost_lines.clone(), language.clone());
            move || {
                print_lines(&lines, streams, &lost_lines, &language);
                let _ = done_sender.send(());
            }
        })?;
        let thread = ConsoleThread { done, sender: sender.clone() };
        Ok((Console { language, sender, lost_lines }, thread))
    }

    /// The operator's language.
    pub fn lang(&self) -> Lang {
        self.language.get()
    }

    /// Changes the operator's language.
    pub(crate) fn change_lang(&self, lang: Lang) {
        self.language.is_korean.store(lang == Lang::Ko, Ordering::Relaxed);
    }

    /// Shows one or more lines to the operator.
    pub fn say(&self, text: String) {
        self.put(Output::Out(text));
    }

    /// Shows a drawing, which must be safe for a terminal.
    pub(crate) fn draw(&self, drawing: String) {
        self.put(Output::Drawing(drawing));
    }

    /// Shows a line about somebody who joins or leaves; if there are too many, only their
    /// number.
    fn say_of(&self, address: Option<IpAddr>, text: String) {
        self.put(Output::Passage(address, text));
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
    /// Writes the remaining lines, and ends the thread. Gives up on a blocked terminal after a
    /// while.
    pub fn stop(self) {
        let ConsoleThread { done, sender } = self;
        let deadline = Instant::now() + STOP_PATIENCE;
        if sender.send_deadline(Output::Stop, deadline).is_ok() {
            let _ = done.recv_deadline(deadline);
        }
    }
}

/// The writer of one line of diagnostics; tracing makes one for each.
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

fn print_lines(
    lines: &Receiver<Output>,
    streams: Streams,
    lost_lines: &AtomicU64,
    language: &Language,
) {
    let Streams { mut out, mut err } = streams;
    let mut passages = Passages::new(Instant::now());
    let mut diagnoses = Diagnoses::new(Instant::now());
    loop {
        let output = match passages.summary_at().into_iter().chain(diagnoses.summary_at()).min() {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => lines.recv_deadline(at),
        };
        let (now, lang) = (Instant::now(), language.get());
        let summaries = [passages.summary(now, lang), diagnoses.summary(now, lang)];
        for summary in summaries.into_iter().flatten() {
            let _ = print_text(&mut *out, &summary);
        }
        let output = match output {
            Ok(output) => output,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // If a stream is closed, only its own reader misses the line.
        let _ = match output {
            Output::Out(text) => print_text(&mut *out, &text),
            Output::Drawing(drawing) => {
                out.write_all(drawing.as_bytes()).and_then(|()| out.flush())
            }
            Output::Passage(address, text) => match passages.may_show(address, Instant::now()) {
                true => print_text(&mut *out, &text),
                false => Ok(()),
            },
            Output::Stop => return,
            Output::Err(level, _) if !diagnoses.may_show(level, Instant::now()) => Ok(()),
            Output::Err(_, line) => {
                let text = String::from_utf8_lossy(&line);
                // One event is one line, whatever its text.
                print_text(&mut *err, &text.trim_end_matches('\n').replace('\n', " "))
            }
        };
        if lines.is_empty() {
            let lost = lost_lines.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let _ = print_text(
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

/// Writes whole lines without control characters.
fn print_text(stream: &mut dyn Write, text: &str) -> io::Result<()> {
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
    use crate::{close_reason::CloseReason, patience::wait_until};

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
    fn neither_stream_can_fill_the_disk() {
        let counts: [Arc<AtomicU64>; 2] = Default::default();
        let [out, err] = counts.clone().map(|count| Box::new(Lines(count)));
        let (console, thread) = Console::start(Lang::En, Streams { out, err }).expect("a thread");
        let started = Instant::now();
        for at in 0..2_000 {
            console.room_ended(&format!("room-{at}"));
            console.put(Output::Err(Level::INFO, b"refused a page".to_vec()));
            console.put(Output::Err(Level::WARN, b"refused a connection".to_vec()));
            console.refused(IpAddr::from([10, 0, 0, 5]), CloseReason::Stalled);
            // Gives the console time, so that nothing is dropped on the way.
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
}
