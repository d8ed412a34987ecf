//! What a member with JSON whispers to others in its room, and what is whispered to it.

use anyhow::{Context, Result};

use super::{JsonMember, request};
use crate::{
    connection::Message,
    scenario::chaos::{
        diary::{self, Sight},
        link::Link,
        site::Site,
    },
};

/// A member whispers once for so many times that it speaks.
const RARITY: u64 = 4;

impl JsonMember {
    /// Whispers to somebody in its room now and then. It may be refused, and is not sent again.
    pub(super) fn whisper(&mut self, site: &Site, link: &mut Link, room: usize) {
        let choice = self.random.next();
        if !choice.is_multiple_of(RARITY) {
            return;
        }
        if let Some(name) = site.neighbour(self.number, room, choice / RARITY) {
            let text = diary::whispered((self.number as u32, self.next_whisper));
            self.next_whisper += 1;
            // If the connection has ended, the read will tell.
            let _ = link
                .send(&request(&format!("/msg {name} {text}"), &format!("w{}", self.next_whisper)));
        }
    }

    pub(super) fn hear_whisper(&mut self, message: &Message<'_>) -> Result<()> {
        let held = self.session.as_mut().context("no session")?;
        let number = message.private.context("a whisper without a number")?;
        held.last_private = number;
        let whisper = message.text.as_deref().and_then(diary::whisper);
        let whisper = whisper.context("a whisper that nobody has sent")?;
        self.diary.sights.push(Sight::Whispered { number, whisper });
        Ok(())
    }

    pub(super) fn miss_whispers(&mut self, message: &Message<'_>) -> Result<()> {
        let held = self.session.as_mut().context("no session")?;
        let ends = message.from.zip(message.last_missing());
        let (from, to) = ends.context("a gap without its ends")?;
        held.last_private = to;
        self.diary.sights.push(Sight::Forgotten { from, to });
        Ok(())
    }
}
