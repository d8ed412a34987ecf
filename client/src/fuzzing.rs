//! An entry point for `tests/fuzz`, which lets the client read anything a server might send.
//! Nothing else uses it.

use madang_protocol::{event::ServerMessage, text::Lang};
use madang_terminal::style::Palette;

use crate::{
    clock::{Clock, TimeFormat},
    link::Messages,
    render::{Form, Renderer},
};

/// A client that has logged in, without its connection and its terminal.
pub struct Reader {
    messages: Messages,
    renderer: Renderer,
}

impl Reader {
    /// A client of that language, called `alice`, that shows lines to a person with the time or
    /// to a program; `palette` colours them.
    pub fn new(lang: Lang, palette: Palette, is_person: bool) -> Reader {
        let (form, format) = match is_person {
            true => (Form::Person, TimeFormat::Minutes),
            false => (Form::Program, TimeFormat::Never),
        };
        let mut renderer = Renderer::new(lang, palette, Clock::new(format), form);
        renderer.me = "alice".to_owned();
        Reader { messages: Messages::default(), renderer }
    }

    /// Reads `bytes`; returns the messages among them, and what is shown of these. `None` at a
    /// line that is too long, where it ends.
    pub fn read(&mut self, bytes: &[u8]) -> Option<(Vec<ServerMessage<'static>>, String)> {
        let received = self.messages.read(bytes).ok()?;
        let messages: Vec<_> = received.into_iter().filter_map(|it| it.message).collect();
        let shown = messages.iter().map(|message| self.renderer.render(message).text).collect();
        Some((messages, shown))
    }
}
