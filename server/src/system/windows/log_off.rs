//! Logging off and shutting down. Windows does not tell a console program about these once it
//! has loaded user32 (as Rust's library does); it sends messages to its windows instead. So
//! this opens a hidden window.

use std::{io, ptr};

use windows_sys::{
    Win32::{
        Foundation::{HWND, LPARAM, LRESULT, WPARAM},
        System::LibraryLoader::GetModuleHandleW,
        UI::WindowsAndMessaging::{
            CreateWindowExW, DefWindowProcW, DispatchMessageW, GetMessageW, MSG, RegisterClassW,
            WM_ENDSESSION, WM_QUERYENDSESSION, WNDCLASSW,
        },
    },
    core::w,
};

use super::tell;
use crate::system::StopRequest;

/// Starts the thread with the window. Without it, logging off ends the process as abruptly as
/// the task manager does.
///
/// # Errors
///
/// If the system cannot create a thread.
pub(super) fn watch_log_off() -> io::Result<()> {
    std::thread::Builder::new().name("log-off".into()).spawn(take_messages)?;
    Ok(())
}

/// Creates the window, and handles its messages for the life of the process.
#[allow(unsafe_code)]
fn take_messages() {
    // SAFETY: the names are constants, the procedure is a function, and the window is used only
    // on the thread that creates it.
    unsafe {
        let class = WNDCLASSW {
            lpfnWndProc: Some(on_message),
            hInstance: GetModuleHandleW(ptr::null()),
            lpszClassName: w!("madang-server"),
            ..WNDCLASSW::default()
        };
        RegisterClassW(&class);
        let (name, instance, nothing) = (class.lpszClassName, class.hInstance, ptr::null_mut());
        let (x, y, width, height) = (0, 0, 0, 0);
        CreateWindowExW(
            0,
            name,
            name,
            0,
            x,
            y,
            width,
            height,
            nothing,
            nothing,
            instance,
            ptr::null(),
        );
        let mut message = MSG::default();
        while GetMessageW(&mut message, nothing, 0, 0) > 0 {
            DispatchMessageW(&message);
        }
    }
}

/// Windows calls it on the window's thread.
#[allow(unsafe_code)]
unsafe extern "system" fn on_message(
    window: HWND,
    message: u32,
    detail: WPARAM,
    reason: LPARAM,
) -> LRESULT {
    match message {
        WM_QUERYENDSESSION => 1,
        // Whether the session really ends.
        WM_ENDSESSION if detail != 0 => {
            tell(StopRequest::Hurried);
            // The system ends the process when this returns, or after a few seconds.
            loop {
                std::thread::park();
            }
        }
        // SAFETY: these are the arguments of this call.
        _ => unsafe { DefWindowProcW(window, message, detail, reason) },
    }
}
