//! Entry point of `soak`; everything else is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    madang_soak::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("soak: runs on Linux only: it needs its signals and /proc");
    ExitCode::FAILURE
}
