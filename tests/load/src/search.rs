//! Searches the server's saved history again and again during a run. The search text was never
//! said, so every search examines every message.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Text that no member says.
const WORDS: &str = "찾을수없는말";

/// How long searches took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SearchReport {
    /// Complete searches, and the answers that they needed: a server that reaches its time
    /// limit answers in parts.
    pub(crate) searches: usize,
    pub(crate) answers: usize,
    /// From the first request to the last answer; `None` if no search was completed.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p95_us: Option<f64>,
    /// The slowest single answer.
    pub(crate) slowest_answer_us: f64,
}

/// A separate connection that searches on its own thread.
pub(crate) struct Searcher {
    has_to_end: Arc<AtomicBool>,
    thread: JoinHandle<Result<SearchReport>>,
}

#[derive(Deserialize)]
struct Answer {
    r#type: String,
    before: Option<u64>,
}

impl Searcher {
    /// Logs in and starts to search.
    ///
    /// # Errors
    ///
    /// If the server can't be reached, or saves nothing.
    pub(crate) fn start(address: SocketAddr, silence_limit: Duration) -> Result<Self> {
        let mut questions = Questions::open(address, silence_limit)?;
        questions.ask(&format!("/search {WORDS}"))?;
        let has_to_end = Arc::new(AtomicBool::new(false));
        let is_over = has_to_end.clone();
        let search = move || questions.search_until(|| is_over.load(Ordering::Relaxed));
        let thread = thread::Builder::new().name("searcher".into()).spawn(search);
        Ok(Self { has_to_end, thread: thread.context("failed to start a thread")? })
    }

    /// Stops after the answer in progress.
    ///
    /// # Errors
    ///
    /// If a search was refused.
    pub(crate) fn end(self) -> Result<SearchReport> {
        self.has_to_end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

struct Questions {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Questions {
    fn open(address: SocketAddr, silence_limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect(address).context("failed to connect to search")?;
        stream.set_read_timeout(Some(silence_limit)).context("failed to set up a socket")?;
        stream.set_nodelay(true).context("failed to set up a socket")?;
        let lines = BufReader::new(stream.try_clone().context("failed to copy a socket")?);
        let mut questions = Self { stream, lines };
        questions.send("/json\n")?;
        questions.answer("hello")?;
        questions.send("{\"type\":\"login\",\"name\":\"searcher\",\"history\":0}\n")?;
        questions.answer("welcome")?;
        Ok(questions)
    }

    fn search_until(mut self, is_over: impl Fn() -> bool) -> Result<SearchReport> {
        let (mut whole, mut answers) = (Vec::new(), 0);
        let mut slowest_answer = Duration::ZERO;
        // The first search was sent before; it is only a warm-up.
        while self.answer("found")?.before.is_some() {
            self.ask("/search")?;
        }
        while !is_over() {
            let began = Instant::now();
            self.ask(&format!("/search {WORDS}"))?;
            loop {
                let asked = Instant::now();
                let is_all = self.answer("found")?.before.is_none();
                slowest_answer = slowest_answer.max(asked.elapsed());
                answers += 1;
                if is_all {
                    whole.push(began.elapsed());
                    break;
                }
                if is_over() {
                    break;
                }
                self.ask("/search")?;
            }
        }
        self.ask("/quit")?;
        whole.sort_unstable();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let at = |percent: usize| whole.get(whole.len().saturating_sub(1) * percent / 100);
        Ok(SearchReport {
            searches: whole.len(),
            answers,
            p50_us: at(50).copied().map(micros),
            p95_us: at(95).copied().map(micros),
            slowest_answer_us: micros(slowest_answer),
        })
    }

    fn ask(&mut self, line: &str) -> Result<()> {
        self.send(&format!("{{\"type\":\"command\",\"line\":\"{line}\"}}\n"))
    }

    fn send(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).context("failed to ask")
    }

    /// The next message of a kind.
    fn answer(&mut self, kind: &str) -> Result<Answer> {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.lines.read_line(&mut line).context("failed to read an answer")?;
            if count == 0 {
                bail!("the server ended the searcher's connection");
            }
            // The greeting before the first message is not JSON.
            let Ok(answer) = serde_json::from_str::<Answer>(&line) else { continue };
            match &*answer.r#type {
                "error" | "bye" => bail!("a search was refused: {}", line.trim()),
                found if found == kind => return Ok(answer),
                _ => {}
            }
        }
    }
}
