//! `madang-server` as an operator starts it.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
    process::{Command, Stdio},
};

use crate::program::Program;

/// The binary that cargo built for these tests.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_madang-server");

/// A server on a port of its own.
pub(crate) struct ServerProcess {
    program: Program,
    pub(crate) address: SocketAddr,
    /// Its address for lines over TLS, if it has one.
    pub(crate) tls_address: Option<SocketAddr>,
    pub(crate) web_address: SocketAddr,
}

/// The binary, without the variables that the test's environment may set.
pub(crate) fn command() -> Command {
    isolated(Command::new(BINARY))
}

/// The binary, started by a shell that first runs `setup`.
pub(crate) fn command_after(setup: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup} && exec \"$0\" \"$@\""), BINARY]);
    isolated(command)
}

/// The binary, started by another program.
#[cfg(target_os = "linux")]
pub(crate) fn command_under(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).arg(BINARY);
    isolated(command)
}

fn isolated(mut command: Command) -> Command {
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("MADANG_") || name == "RUST_LOG" {
            command.env_remove(variable);
        }
    }
    // Many tests run at once.
    command.env("MADANG_WEB", "127.0.0.1:0");
    command.stdin(Stdio::null());
    command
}

impl ServerProcess {
    /// Starts it with `flags`, on a free port of the loopback address.
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> ServerProcess {
        ServerProcess::start_as(command().args(flags))
    }

    /// Starts `command` on a free port of the loopback address, and waits until its banner shows
    /// the address.
    #[track_caller]
    pub(crate) fn start_as(command: &mut Command) -> ServerProcess {
        let mut program = Program::start(command.args(["--listen", "127.0.0.1:0"]));
        let before = program.out().expect("nc 127.0.0.1 ");
        let port = program.out().expect("\n");
        program.out().expect("curl -NT. telnet://");
        program.out().expect("\n");
        let address = format!("127.0.0.1:{port}").parse().expect("nc is told a port");
        let told = |behind: &str| {
            let told = before.split(behind).nth(1)?;
            let told = told.split(['/', '\n']).next().unwrap_or_default();
            Some(told.parse().expect("it is told an address"))
        };
        let web_address = told("://").expect("a browser is told a link");
        let tls_address = told("madang --tls ");
        ServerProcess { program, address, tls_address, web_address }
    }
}

impl Deref for ServerProcess {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for ServerProcess {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}
