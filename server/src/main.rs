//! The binary `madang-server`: reads flags, handles signals, returns exit codes.

use std::{
    io::Write,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use madang_protocol::text::Lang;
use madang_server::{
    admission::capacity::save_address_space,
    cli::{Cli, LogFormat, in_one_line},
    doors::reachable,
    manual::Manual,
    operator::banner::{banner, room_for},
    operator::console::{Console, Streams},
    operator::{self, Outcome, terminal::Terminal},
    server::Server,
    system::{self, ConsoleMode, StopRequest, StopRequests},
    task::Task,
};
use madang_terminal::tty_mode::restore_terminal;
use tracing_subscriber::EnvFilter;

/// How long outboxes are drained after the window was closed: Windows soon ends the process.
const HURRIED_DRAIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    save_address_space();
    let _console = ConsoleMode::set();
    if let Some(manual) = Manual::asked(std::env::args_os()) {
        return manual.map_or_else(|text| print_or_complain(&text), |manual| print(&manual));
    }
    if let Some(task) = Task::asked(std::env::args_os()) {
        return match task {
            Ok(task) => ended(task.run()),
            Err(text) => print_or_complain(&text),
        };
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(text) => return print_or_complain(&text),
    };
    let code = ended(run(&cli));
    if code != ExitCode::SUCCESS {
        hold_window_open(cli.lang());
    }
    code
}

/// The exit code of a result; an error is printed.
fn ended(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    if cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe) {
        // The reader of a pipe has left because it has read enough.
        return ExitCode::SUCCESS;
    }
    complain(&format!("{error:#}"));
    ExitCode::FAILURE
}

/// Keeps a console window open that would close with the process, and says how to close it.
fn hold_window_open(lang: Lang) {
    system::hold_window(match lang {
        Lang::Ko => "창을 닫으려면 Enter를 누르세요.",
        Lang::En => "Press Enter to close this window.",
    });
}

/// Prints help or version, or reports an error in the command line.
fn print_or_complain(text: &clap::Error) -> ExitCode {
    if text.use_stderr() {
        complain(&in_one_line(text));
        return ExitCode::from(2);
    }
    // The reader of a pipe has left because it has read enough.
    let _ = text.print();
    ExitCode::SUCCESS
}

/// Prints a part of the manual.
fn print(manual: &Manual) -> ExitCode {
    match std::io::stdout().write_all(&manual.text()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("failed to write to stdout: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Writes to stderr why the program ends.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "madang-server: {text}");
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = cli.config()?;
    let lang = config.lang;
    let terminal = Terminal::find();
    let streams = terminal.as_ref().map_or_else(Streams::standard, Terminal::streams);
    let (console, console_thread) =
        Console::start(lang, streams).context("failed to start the console's thread")?;
    log_to(&console, cli.log_format());
    let mut stop_requests = StopRequests::take().context("failed to take signals")?;

    let started = Server::start(config, console.clone());
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            console_thread.stop();
            return Err(error.into());
        }
    };
    show_start(&server, &console);
    listen_to_operator(&server, terminal);
    let was_fenced = Arc::new(AtomicBool::new(false));
    watch_fence(&server, was_fenced.clone())?;
    let request = stop_requests.wait();
    // Without this thread, a second signal has no effect.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(move || {
        stop_requests.wait();
        restore_terminal();
        std::process::exit(130);
    });
    console.say(match lang {
        Lang::Ko => "--- 채팅 서버를 종료합니다.".into(),
        Lang::En => "--- Chat server stopping.".into(),
    });
    match request {
        StopRequest::Asked => server.stop(),
        StopRequest::Hurried => server.stop_within(HURRIED_DRAIN),
    };
    console_thread.stop();
    // In case the editor could not do so because the terminal is blocked.
    restore_terminal();
    anyhow::ensure!(
        !was_fenced.load(Ordering::Relaxed),
        "--cluster: this server was silent for too long, or Redis has lost its data"
    );
    Ok(())
}

/// Stops the server, as a signal would, when the other servers of its cluster take it for dead.
fn watch_fence(server: &Server, was_fenced: Arc<AtomicBool>) -> anyhow::Result<()> {
    let Some(wait) = server.fence() else { return Ok(()) };
    let watch = move || {
        if wait() {
            was_fenced.store(true, Ordering::Relaxed);
            system::end();
        }
    };
    let thread = std::thread::Builder::new().name("fence".into()).spawn(watch);
    thread.map(|_| ()).context("failed to start the thread that watches the cluster")
}

/// Starts the thread that reads the operator's commands. Without it, or without a terminal,
/// there is no operator.
fn listen_to_operator(server: &Server, terminal: Option<Terminal>) {
    let operator = server.operator();
    let _ = std::thread::Builder::new().name("operator".into()).spawn(move || {
        let outcome = match terminal {
            Some(terminal) => terminal.read(&operator),
            None => operator::read_lines(&std::io::stdin(), &operator),
        };
        match outcome {
            // Like a signal from outside.
            Ok(Outcome::Stops) => system::end(),
            Ok(Outcome::GoesOn) => {}
            Err(error) => tracing::debug!(%error, "the operator's terminal is gone"),
        }
    });
}

/// Sends diagnostics, including panics, through the console's thread.
fn log_to(console: &Console, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(console.clone());
    match format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let panic = panic.to_string().replace('\n', " ");
        tracing::error!(thread = thread.name(), "{panic}");
    }));
}

/// Tells the operator that the server has started, how to stop it, and how to join, with a QR
/// code if the terminal can show it.
fn show_start(server: &Server, console: &Console) {
    let lang = console.lang();
    let capacity = server.capacity();
    // Only on request: everyone else reads it in words.
    if std::env::var_os("RUST_LOG").is_some() {
        let limit = capacity.limit.text(Lang::En);
        tracing::info!(connections = capacity.connections, %limit, "capacity");
    }
    let room = room_for(capacity.connections, lang);
    let version = env!("CARGO_PKG_VERSION");
    console.say(match lang {
        Lang::Ko => format!(
            "+++ 채팅 서버를 시작합니다. (Madang {version})\n\
             +++ 채팅 서버를 끝내려면 Ctrl-C를 누르세요.\n\
             +++ {room}"
        ),
        Lang::En => format!(
            "+++ Chat server started. (Madang {version})\n\
             +++ Press Ctrl-C to stop it.\n\
             +++ {room}"
        ),
    });
    let banner = banner(server.doors(), lang);
    let hint = server.operator().draw_link(&banner);
    let metrics = server.metrics_address().and_then(|at| reachable(&[at]).first().copied());
    // When the banner is visible, the server has opened all descriptors it needs for itself.
    console.say(banner);
    hint.into_iter().for_each(|hint| console.say(format!("+++ {}", hint.text(lang))));
    if let Some((address, servers)) = server.cluster() {
        console.say(match lang {
            Lang::Ko => format!("+++ 클러스터: {address}, 서버 {servers}대"),
            Lang::En if servers == 1 => format!("+++ Cluster: {address}, 1 server"),
            Lang::En => format!("+++ Cluster: {address}, {servers} servers"),
        });
    }
    if let Some(address) = metrics {
        console.say(match lang {
            Lang::Ko => format!("+++ 메트릭: http://{address}/metrics"),
            Lang::En => format!("+++ Metrics: http://{address}/metrics"),
        });
    }
}
