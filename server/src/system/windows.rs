//! Windows: a process is ended by Ctrl-C, Ctrl-Break, closing its window or logging off, and
//! its console is switched to UTF-8 and colours.

use std::{
    io::{self, IsTerminal as _, Read as _, Stdin, Write as _},
    path::Path,
};

use parking_lot::{Condvar, Mutex};
use windows_sys::{
    Win32::System::Console::{
        CONSOLE_MODE, CTRL_BREAK_EVENT, CTRL_C_EVENT, ENABLE_VIRTUAL_TERMINAL_PROCESSING,
        GetConsoleMode, GetConsoleOutputCP, GetConsoleProcessList, GetStdHandle, STD_HANDLE,
        STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetConsoleMode,
        SetConsoleOutputCP,
    },
    core::BOOL,
};

use super::StopRequest;

#[path = "windows/log_off.rs"]
mod log_off;

/// The code page of UTF-8.
const UTF_8: u32 = 65_001;

/// Requests that were not waited for yet.
static ASKED: Mutex<Vec<StopRequest>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();

/// Events that end the process: Ctrl-C, Ctrl-Break, closing the window, logging off.
pub struct StopRequests(());

impl StopRequests {
    /// Registers for the events.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    #[allow(unsafe_code)]
    pub fn take() -> io::Result<StopRequests> {
        // SAFETY: the handler is a function, which lives as long as the process.
        match unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } {
            0 => Err(io::Error::last_os_error()),
            _ => log_off::watch_log_off().map(|()| StopRequests(())),
        }
    }

    /// Blocks until the process is asked to end.
    pub fn wait(&mut self) -> StopRequest {
        let mut asked = ASKED.lock();
        loop {
            if let Some(request) = asked.pop() {
                return request;
            }
            CHANGED.wait(&mut asked);
        }
    }
}

/// The system calls it on its own thread.
#[allow(unsafe_code)]
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let is_key = matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT);
    tell(if is_key { StopRequest::Asked } else { StopRequest::Hurried });
    if !is_key {
        // The system ends the process when this returns, or after a few seconds.
        loop {
            std::thread::park();
        }
    }
    1
}

fn tell(request: StopRequest) {
    ASKED.lock().push(request);
    CHANGED.notify_all();
}

pub(super) fn end() {
    tell(StopRequest::Asked);
}

/// The console's previous code page and modes, restored on drop.
pub struct ConsoleMode {
    code_page: u32,
    output: Option<u32>,
    /// The input mode; a line editor that is interrupted leaves its own behind.
    input: Option<u32>,
}

impl ConsoleMode {
    /// Switches the console to UTF-8 and colours, if there is one.
    #[allow(unsafe_code)]
    pub fn set() -> ConsoleMode {
        // SAFETY: the call fails if there is no console, and a code page is a number.
        let code_page = unsafe {
            let code_page = GetConsoleOutputCP();
            SetConsoleOutputCP(UTF_8);
            code_page
        };
        let output = console_mode(STD_OUTPUT_HANDLE);
        if let Some(mode) = output {
            set_console_mode(STD_OUTPUT_HANDLE, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
        }
        ConsoleMode { code_page, output, input: console_mode(STD_INPUT_HANDLE) }
    }
}

impl Drop for ConsoleMode {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        for (stream, mode) in [(STD_OUTPUT_HANDLE, self.output), (STD_INPUT_HANDLE, self.input)] {
            if let Some(mode) = mode {
                set_console_mode(stream, mode);
            }
        }
        if self.code_page != 0 {
            // SAFETY: as above.
            unsafe { SetConsoleOutputCP(self.code_page) };
        }
    }
}

/// The mode of a standard stream, if it is a console.
#[allow(unsafe_code)]
fn console_mode(stream: STD_HANDLE) -> Option<CONSOLE_MODE> {
    let mut mode = 0;
    // SAFETY: it writes a number that we own, and fails if there is no console.
    let is_console = unsafe { GetConsoleMode(GetStdHandle(stream), &mut mode) != 0 };
    is_console.then_some(mode)
}

#[allow(unsafe_code)]
fn set_console_mode(stream: STD_HANDLE, mode: CONSOLE_MODE) {
    // SAFETY: a mode is a number, and the call fails if there is no console.
    unsafe { SetConsoleMode(GetStdHandle(stream), mode) };
}

/// Windows keeps stack pages once they were used.
pub(super) fn give_back_stack() {}

/// A window opened by a double click belongs only to this process and closes with it.
pub(super) fn hold_window(request: &str) {
    if is_alone() && io::stdin().is_terminal() {
        let _ = writeln!(io::stderr(), "{request}");
        let _ = io::stdin().read(&mut [0]);
    }
}

#[allow(unsafe_code)]
fn is_alone() -> bool {
    let mut processes = [0; 2];
    // SAFETY: it writes at most as many numbers as there is space for.
    unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) == 1 }
}

pub(super) fn own_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Named pipes are not files on Windows.
pub(super) fn is_pipe(_path: &Path) -> bool {
    false
}

pub(super) fn read_terminal(stdin: &Stdin, space: &mut [u8]) -> io::Result<usize> {
    stdin.lock().read(space)
}

pub(super) fn firewall_rule(ports: &[u16]) -> Option<String> {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    Some(format!(
        "netsh advfirewall firewall add rule name=Madang dir=in action=allow protocol=TCP \
         profile=private localport={}",
        ports.join(",")
    ))
}
