//! Logging off and shutting down. Windows does not tell a console program about these once it has
//! loaded user32, as Rust's library does; it tells its windows. So this has one that nobody sees.

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

/// Starts the thread with the window. Without it, the end of the session is as sudden as the task
/// manager's.
///
/// # Errors
///
/// There is no thread for it.
pub(super) fn watch_log_off() -> io::Result<()> {
    std::thread::Builder::new().name("log-off".into()).spawn(take_messages)?;
    Ok(())
}

/// Makes the window, and takes its messages for as long as the process lives.
#[allow(unsafe_code)]
fn take_messages() {
    // SAFETY: the names are constants, the procedure is a function, and the window is used on
    // the thread that makes it.
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
        // Whether the session does end.
        WM_ENDSESSION if detail != 0 => {
            tell(StopRequest::Hurried);
            // The process is ended when this returns, or in a few seconds.
            loop {
                std::thread::park();
            }
        }
        // SAFETY: these are the arguments of the call.
        _ => unsafe { DefWindowProcW(window, message, detail, reason) },
    }
}
