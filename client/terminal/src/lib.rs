//! A line that is edited below lines that scroll by: the terminal of `madang`, and of the
//! server's operator. Knows commands from the protocol's table, but neither sockets nor
//! who types.

pub mod editor;
pub mod completion;
pub mod screen;
pub mod layout;
pub mod style;
pub mod qr;
pub mod interrupts;
pub mod tty_mode;
