//! The binary: flags in, exit code out. Everything else is in the library.

use std::{
    io::{self, Write as _},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Receiver, bounded, never};
use madang::{
    Server, cli::Options, exit_code::ExitCode, failure::Failure, is_own_interrupt, restore_terminal,
};

fn main() -> process::ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(code) => return code.into(),
    };
    let code = match run(&options) {
        Ok(()) => ExitCode::Done,
        Err(failure) => {
            if let Some(text) = failure.text(options.lang()) {
                // If stderr is closed, there is nobody to tell.
                let _ = writeln!(io::stderr(), "madang: {text}");
            }
            failure.exit_code()
        }
    };
    code.into()
}

fn run(options: &Options) -> Result<(), Failure> {
    // Until the client is connected, an interrupt ends the process in the default way.
    let server = Server::connect(options)?;
    server.talk(options, interrupts())
}

/// The first Ctrl-C (or SIGTERM, SIGHUP) arrives as a message on this channel; the second ends
/// the process at once.
fn interrupts() -> Receiver<()> {
    let (sender, receiver) = bounded(1);
    let interrupted = AtomicBool::new(false);
    let on_interrupt = move || {
        if is_own_interrupt() {
            return;
        }
        if interrupted.swap(true, Ordering::Relaxed) {
            restore_terminal();
            process::exit(ExitCode::Interrupted as i32);
        }
        // The receiver is gone: the process is about to end anyway.
        let _ = sender.send(());
    };
    match ctrlc::set_handler(on_interrupt) {
        Ok(()) => receiver,
        // Without a handler, an interrupt ends the process without a goodbye.
        Err(_) => never(),
    }
}
