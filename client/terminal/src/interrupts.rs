//! Ctrl-C and similar signals, and the one signal that this crate sends itself.
//!
//! While a line is typed, Ctrl-C is an ordinary key, and SIGINT belongs to the editor: it ends
//! the line. This is also the only way for another thread to end the line.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this crate has sent SIGINT to the editor.
static OWN_INTERRUPT: AtomicBool = AtomicBool::new(false);

/// The editor's thread, for signals.
#[cfg(unix)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct EditorThread(nix::sys::pthread::Pthread);

/// Windows has no such signal: there, a key ends the line.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct EditorThread;

impl EditorThread {
    /// The calling thread, which must not end before this is dropped.
    #[cfg(unix)]
    pub(crate) fn current() -> EditorThread {
        EditorThread(nix::sys::pthread::pthread_self())
    }

    /// As on Unix.
    #[cfg(not(unix))]
    pub(crate) fn current() -> EditorThread {
        EditorThread
    }

    /// Ends the line being typed. SIGINT is sent to the thread, not to the process: only then
    /// does it end a read of the keyboard, and only then has it arrived before the thread
    /// continues, if the thread itself calls this.
    pub(crate) fn interrupt(self) {
        #[cfg(unix)]
        {
            OWN_INTERRUPT.store(true, Ordering::SeqCst);
            // It can't fail for an existing thread and a valid signal.
            let _ = nix::sys::pthread::pthread_kill(self.0, nix::sys::signal::Signal::SIGINT);
        }
        #[cfg(windows)]
        press_interrupt_key();
    }
}

/// The key that ends the line on Windows.
#[cfg(windows)]
pub(crate) const INTERRUPT_KEY: rustyline::KeyEvent =
    rustyline::KeyEvent(rustyline::KeyCode::F(12), rustyline::Modifiers::NONE);

/// Puts that key into the console's input, as if it had been pressed.
#[cfg(windows)]
#[allow(unsafe_code)]
fn press_interrupt_key() {
    use windows_sys::Win32::{
        System::Console::{
            GetStdHandle, INPUT_RECORD, INPUT_RECORD_0, KEY_EVENT, KEY_EVENT_RECORD,
            STD_INPUT_HANDLE, WriteConsoleInputW,
        },
        UI::Input::KeyboardAndMouse::VK_F12,
    };
    let key = KEY_EVENT_RECORD {
        bKeyDown: 1,
        wRepeatCount: 1,
        wVirtualKeyCode: VK_F12,
        ..KEY_EVENT_RECORD::default()
    };
    let record =
        INPUT_RECORD { EventType: KEY_EVENT as u16, Event: INPUT_RECORD_0 { KeyEvent: key } };
    // SAFETY: it reads one record, which is ours. It fails without a console, where no line is
    // typed.
    unsafe { WriteConsoleInputW(GetStdHandle(STD_INPUT_HANDLE), &record, 1, &mut 0) };
}

/// Notes that the signal has ended its line.
pub(crate) fn forget_own_interrupt() {
    OWN_INTERRUPT.store(false, Ordering::SeqCst);
}

/// Whether a SIGINT that reached the process's own handler was meant for the editor, whose line
/// had already ended by itself.
pub fn is_own_interrupt() -> bool {
    OWN_INTERRUPT.swap(false, Ordering::SeqCst)
}
