//! The client on a pseudo-terminal.

use std::{
    ops::{Deref, DerefMut},
    process::Command,
};

use madang_tests::terminal::Terminal as Screen;
pub(crate) use madang_tests::terminal::{
    BACKSPACE, CTRL_C, CTRL_D, CTRL_L, CTRL_R, CTRL_Z, END, ENTER, LEFT, TAB, UP,
};

use crate::{
    client::{command, isolated},
    fake_server::FakeServer,
};

pub(crate) struct Terminal(Screen);

impl Terminal {
    /// Starts the client on a terminal of 80 by 24, without times and colours.
    #[track_caller]
    pub(crate) fn start(server: &FakeServer, args: &[&str]) -> Terminal {
        let args = [&["--time", "never", "--color", "never"], args].concat();
        Terminal::start_sized(&server.address, &args, 80, 24, &[])
    }

    /// Starts the client with exactly these arguments and additional variables.
    #[track_caller]
    pub(crate) fn start_sized(
        address: &str,
        args: &[&str],
        columns: u16,
        rows: u16,
        variables: &[(&str, &str)],
    ) -> Terminal {
        let mut command = on_terminal(command(address, args));
        command.envs(variables.iter().copied());
        Terminal(Screen::start(command, columns, rows))
    }

    /// Starts a shell with the prompt `$`, from which the client can be started.
    #[track_caller]
    pub(crate) fn start_shell() -> Terminal {
        let mut shell = on_terminal(isolated("sh"));
        shell.arg("-i").env("PS1", "$ ").env_remove("ENV");
        Terminal(Screen::start(shell, 80, 24))
    }

    /// Enters a line while there is no connection, and waits until it is kept: a line that the
    /// client reads later may find another room.
    #[track_caller]
    pub(crate) fn enter_offline(&mut self, line: &str) {
        self.enter(line);
        self.expect_row(&format!("-- will be sent once connected: {line} --"));
    }
}

impl Deref for Terminal {
    type Target = Screen;

    fn deref(&self) -> &Screen {
        &self.0
    }
}

impl DerefMut for Terminal {
    fn deref_mut(&mut self) -> &mut Screen {
        &mut self.0
    }
}

/// The environment variables about the terminal.
fn on_terminal(mut command: Command) -> Command {
    command.env("LC_ALL", "C.UTF-8").env("LANGUAGE", "").env("TERM", "xterm-256color");
    // The tests' terminal does not rewrap rows when it is resized.
    for variable in ["TERM_PROGRAM", "COLORTERM", "TMUX", "VTE_VERSION", "KITTY_WINDOW_ID"] {
        command.env_remove(variable);
    }
    command
}
