//! The client as a child process with pipes.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use crate::spawn_program;

use crate::{DEADLINE, fake_server::FakeServer};

pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Output,
    stderr: Output,
}

/// The outcome of a client.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Client {
    /// With pipes, in English unless `args` choose another language.
    pub(crate) fn start(server: &FakeServer, args: &[&str]) -> Client {
        Client::start_at(&server.address, args)
    }

    /// The same with any address.
    pub(crate) fn start_at(address: &str, args: &[&str]) -> Client {
        Client::start_with(address, args, Output::collect)
    }

    /// With pipes, and with stdout closed.
    pub(crate) fn start_unread(server: &FakeServer, args: &[&str]) -> Client {
        Client::start_with(&server.address, args, |_closed| Output::collect(std::io::empty()))
    }

    fn start_with(
        address: &str,
        args: &[&str],
        take: impl FnOnce(ChildStdout) -> Output,
    ) -> Client {
        Client::spawn(command(address, args), take)
    }

    /// Starts any command with pipes.
    #[cfg(unix)]
    pub(crate) fn start_command(command: Command) -> Client {
        Client::spawn(command, Output::collect)
    }

    fn spawn(mut command: Command, take: impl FnOnce(ChildStdout) -> Output) -> Client {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn_program(&mut command).expect("the binary is built");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = take(child.stdout.take().expect("it is piped"));
        let stderr = Output::collect(child.stderr.take().expect("it is piped"));
        Client { child, stdin: Some(stdin), stdout, stderr }
    }

    /// Writes exactly `text` to stdin.
    #[track_caller]
    pub(crate) fn write(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("the input has not ended");
        stdin.write_all(text.as_ref()).expect("the client is there");
    }

    /// Closes stdin.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until stdout shows `text`, after the text that was waited for before.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.stdout.text()[self.stdout.seen..].contains(text) {
            let wait = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.stdout.chunks.recv_timeout(wait) else {
                panic!("no {text:?} in {:#?}", self.stdout.text());
            };
            self.stdout.bytes.extend(bytes);
        }
        let shown = self.stdout.text();
        let at = shown[self.stdout.seen..].find(text).expect("the loop has ended");
        self.stdout.seen += at + text.len();
    }

    /// Everything on stdout up to the last awaited text.
    pub(crate) fn shown(&self) -> String {
        self.stdout.text()
    }

    /// Interrupts it, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        use nix::{sys::signal, unistd::Pid};

        let id = i32::try_from(self.child.id()).map(Pid::from_raw);
        let id = id.expect("a process has a number above zero");
        signal::kill(id, signal::Signal::SIGINT).expect("it is our child");
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        for output in [&mut self.stdout, &mut self.stderr] {
            loop {
                let wait = deadline.saturating_duration_since(Instant::now());
                match output.chunks.recv_timeout(wait) {
                    Ok(bytes) => output.bytes.extend(bytes),
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        let _ = self.child.kill();
                        panic!("the client has not ended: {:#?}", output.text());
                    }
                }
            }
        }
        let status = self.child.wait().expect("it is waited for once");
        Ended { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The process is still running only after a failed test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary.
pub(crate) const MADANG: &str = env!("CARGO_BIN_EXE_madang");

pub(crate) fn command(address: &str, args: &[&str]) -> Command {
    let mut command = isolated(MADANG);
    command.arg(address).args(args);
    command
}

/// A program without the environment variables that `madang` reads.
pub(crate) fn isolated(program: &str) -> Command {
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("MADANG_") {
            command.env_remove(variable);
        }
    }
    // An empty name: the tests keep no history.
    command.env("MADANG_HISTORY", "").env("LC_ALL", "C").env_remove("NO_COLOR");
    // If the resolver has no answer, it does not wait long.
    command.env("RES_OPTIONS", "timeout:1 attempts:1");
    command
}

struct Output {
    chunks: mpsc::Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    seen: usize,
}

impl Output {
    fn collect(mut from: impl Read + Send + 'static) -> Output {
        let (sender, chunks) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // A terminal whose other side is gone ends with an error.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Output { chunks, bytes: Vec::new(), seen: 0 }
    }

    /// As text. An incomplete character is left out; an invalid one fails the test.
    #[track_caller]
    fn text(&self) -> String {
        match str::from_utf8(&self.bytes) {
            Ok(text) => text.to_owned(),
            Err(error) if error.error_len().is_none() => {
                String::from_utf8_lossy(&self.bytes[..error.valid_up_to()]).into_owned()
            }
            Err(error) => panic!("the client has shown {:?}: {error}", self.bytes.utf8_chunks()),
        }
    }
}
