//! A line editor below lines that scroll by: the terminal of `madang` and of the server's
//! operator. It knows the protocol's table of commands, but neither sockets nor who is typing.

pub mod editor;
pub mod completion;
pub mod screen;
mod typing;
pub mod prompt;
pub mod size;
pub mod layout;
pub mod style;
pub mod qr;
pub mod interrupts;
pub mod tty_mode;
