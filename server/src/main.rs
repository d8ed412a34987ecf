//! The program `madang-server`: flags to a configuration, signals, exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use crossbeam_channel::bounded;
use madang_protocol::text::Lang;
use madang_server::{
    cli::{Cli, LogFormat},
    console::{Console, Streams},
    doors,
    server::Server,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("madang-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = cli.config()?;
    let lang = config.lang;
    let (console, console_thread) = Console::start(lang, Streams::standard())
        .context("failed to start the console's thread")?;
    log_to(&console, cli.log_format());

    let (signal_sender, signals) = bounded(1);
    ctrlc::set_handler(move || {
        // The channel holds one signal: a second finds it full, or nobody there.
        if signal_sender.try_send(()).is_err() {
            std::process::exit(130);
        }
    })
    .context("failed to take signals")?;

    let started = Server::start(config, console.clone());
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            console_thread.stop();
            return Err(error.into());
        }
    };
    announce(&server, &console);
    // The sender lives in the handler: this waits until there is a signal.
    let _ = signals.recv();
    drop(signals);
    console.say(match lang {
        Lang::Ko => "--- 채팅 서버를 종료합니다.".into(),
        Lang::En => "--- The chat server stops.".into(),
    });
    server.stop();
    console_thread.stop();
    Ok(())
}

/// Sends diagnostics, and panics with them, through the console's thread.
fn log_to(console: &Console, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(console.clone());
    match format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), "{panic}");
    }));
}

/// Tells the operator that the server runs, how to end it, and where to come in.
fn announce(server: &Server, console: &Console) {
    let lang = console.lang();
    let capacity = server.capacity();
    let (connections, limit) = (capacity.connections, capacity.limit.text(lang));
    let version = env!("CARGO_PKG_VERSION");
    console.say(match lang {
        Lang::Ko => format!(
            "+++ 채팅 서버를 시작합니다. (Madang {version})\n\
             +++ 채팅 서버를 끝내려면 Ctrl-C를 누르세요.\n\
             +++ 동시 연결 {connections}개까지 ({limit})"
        ),
        Lang::En => format!(
            "+++ The chat server runs. (Madang {version})\n\
             +++ Press Ctrl-C to end it.\n\
             +++ Up to {connections} connections at once ({limit})"
        ),
    });
    console.say(doors::invitation(&doors::reachable(&server.addresses()), lang));
}
