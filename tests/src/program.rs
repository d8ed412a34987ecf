//! Other programs that a test runs. Their output is shown when they fail.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Starting a program at a terminal waits for the end of a pipe that the new program closes. Any
/// other program started at that moment inherits the pipe, and keeps it open as long as it runs.
/// So programs at terminals are started one at a time, with no others meanwhile.
static STARTING: RwLock<()> = RwLock::new(());

/// Starts a program, like [`Command::spawn`]. Tests that also start programs at terminals start
/// all programs in this way.
///
/// # Errors
///
/// The system's error.
pub fn spawn_program(command: &mut Command) -> io::Result<Child> {
    let _others = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Starts a program at a terminal, while no other is being started.
#[cfg(unix)]
pub(crate) fn spawn_alone<T>(spawn: impl FnOnce() -> T) -> T {
    let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    spawn()
}

/// A running program, killed when it is dropped.
pub struct Program {
    child: Option<Child>,
    command: String,
}

impl Program {
    /// Starts it, and keeps its output.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Program {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = spawn_program(command)
            .unwrap_or_else(|error| panic!("failed to start {shown}: {error}"));
        Program { child: Some(child), command: shown }
    }

    /// Waits for its successful end, for at most `patience`, and returns its stdout.
    ///
    /// # Panics
    ///
    /// If it fails, or does not end.
    #[track_caller]
    pub fn expect_success(mut self, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        let mut child = self.child.take().expect("it is taken once");
        let ended = loop {
            match child.try_wait().expect("it is a child") {
                Some(_) => break true,
                None if Instant::now() >= deadline => break false,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if !ended {
            let _ = child.kill();
        }
        let Output { status, stdout, stderr } = child.wait_with_output().expect("it has ended");
        let [stdout, stderr] =
            [stdout, stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
        let shown = &self.command;
        assert!(ended, "{shown} does not end\nstdout: {stdout}\nstderr: {stderr}");
        assert!(status.success(), "{shown}: {status}\nstdout: {stdout}\nstderr: {stderr}");
        stdout
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            if let (true, Ok(output)) = (std::thread::panicking(), child.wait_with_output()) {
                eprintln!("-- {} --\n{}", self.command, String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

/// A temporary folder, which is removed when it is dropped.
pub struct TestFolder(PathBuf);

impl TestFolder {
    /// An empty folder.
    ///
    /// # Panics
    ///
    /// If it can't be made.
    #[track_caller]
    pub fn new() -> TestFolder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("madang-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("there is room for a folder");
        TestFolder(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it, and returns its path.
    ///
    /// # Panics
    ///
    /// If it can't be written.
    #[track_caller]
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("the folder is there");
        path
    }
}

impl Default for TestFolder {
    fn default() -> TestFolder {
        TestFolder::new()
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
