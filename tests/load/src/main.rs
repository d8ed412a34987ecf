//! Entry point of `load`; everything else is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    madang_load::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("load: runs on Linux only: it needs epoll, timerfd and /proc");
    ExitCode::FAILURE
}
