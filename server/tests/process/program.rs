//! A child process that does not outlive its test.

use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use madang_tests::spawn_program;
use rustix::process::{Pid, Signal};

use crate::incoming::{Incoming, PATIENCE};

/// A running program. It is killed when dropped, and prints its output if the test fails.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    /// `None` once it is closed.
    out: Option<Incoming>,
    err: Incoming,
}

impl Program {
    /// Starts `command`, which has set its own standard input.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Program {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let started = spawn_program(command);
        let mut child = started.unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        let out = child.stdout.take().expect("it is piped");
        let err = child.stderr.take().expect("it is piped");
        Program {
            input: child.stdin.take(),
            out: Some(Incoming::new(format!("{name}'s stdout"), out)),
            err: Incoming::new(format!("{name}'s stderr"), err),
            child,
        }
    }

    pub(crate) fn out(&mut self) -> &mut Incoming {
        self.out.as_mut().expect("a test that has closed it does not ask")
    }

    pub(crate) fn err(&mut self) -> &mut Incoming {
        &mut self.err
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn close_out(&mut self) {
        self.out = None;
    }

    /// Types into its standard input, which is piped.
    #[track_caller]
    pub(crate) fn type_in(&mut self, text: &str) {
        let input = self.input.as_mut().expect("standard input is piped and open");
        input.write_all(text.as_bytes()).expect("the program reads its input");
    }

    /// Closes its standard input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Waits for its end, and returns its exit code.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child of ours") {
                return status.code().unwrap_or_else(|| panic!("it ended by itself: {status}"));
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for stream in self.out.as_mut().into_iter().chain([&mut self.err]) {
                let _ = stream.read_to_end(Instant::now() + Duration::from_secs(1));
                eprintln!("{stream}");
            }
        }
    }
}
