//! How a member with JSON logs in: it resumes its session, or begins a new one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Held, JsonMember};
use crate::{
    connection::{Input, Message},
    scenario::chaos::{
        diary::Sight,
        link::Link,
        site::{Open, Place, ROOMS, Site},
    },
};

/// How long the login may take.
const LOGIN: Duration = Duration::from_secs(60);

/// For how long a session without a connection is certainly kept: a server keeps it for 60 s.
const KEPT: Duration = Duration::from_secs(45);

impl JsonMember {
    /// Resumes its session, or begins a new one; false if the old one is over.
    pub(super) fn log_in(&mut self, site: &Site, open: &Open, link: &mut Link) -> Result<bool> {
        let request = match &self.session {
            Some(held) => {
                let (_, room, _) = held.room.clone().unwrap_or_default();
                let last = (!room.is_empty()).then_some(held.last);
                json!({
                    "type": "login", "session": held.token, "room": room, "last": last,
                    "last_private": held.last_private,
                })
            }
            None => self.new_login(site),
        };
        link.send(&without_nulls(request).to_string());
        let answer = wait_for(link, |message| match &*message.kind {
            "welcome" => Some(Ok(Welcome::of(message))),
            "error" | "bye" => {
                let code = message.code.as_ref().or(message.reason.as_ref());
                Some(Err(code.map(|code| code.to_string()).unwrap_or_default()))
            }
            _ => None,
        })?;
        match answer {
            Ok(welcome) => self.come_in(site, open, welcome),
            Err(code) => {
                if let Some(held) = self.session.take() {
                    let is_fault = code == "session_unknown"
                        && held.lost_at.elapsed() < KEPT
                        && (held.is_saved || held.epoch == open.epoch);
                    if is_fault {
                        let ago = held.lost_at.elapsed();
                        let example = format!(
                            "{} of epoch {}, lost {ago:?} ago, is unknown in epoch {}",
                            held.name, held.epoch, open.epoch
                        );
                        self.diary.lost_sessions.push((held.name, example));
                    }
                    // Nobody can know which of them have arrived.
                    self.unacked.clear();
                }
                Ok(false)
            }
        }
    }

    fn new_login(&mut self, site: &Site) -> Value {
        self.names += 1;
        let name = format!("m{}.{}", self.number, self.names);
        let drawn = self.random.between(0, ROOMS as u64 - 1) as usize;
        self.makes = None;
        match site.place(drawn, true) {
            Place::Public(room) => json!({"type": "login", "name": name, "room": room}),
            Place::Private { key, .. } => {
                json!({"type": "login", "name": name, "room": format!("#{key}")})
            }
            Place::Vacant => {
                self.makes = Some(drawn);
                json!({"type": "login", "name": name, "new_room": true})
            }
        }
    }

    fn come_in(&mut self, site: &Site, open: &Open, welcome: Welcome) -> Result<bool> {
        let id = welcome.id.context("a welcome without an id")?;
        let room = welcome.room.map(|name| (site.room(&name), name, welcome.is_durable));
        let mut held = match self.session.take() {
            Some(held) if welcome.is_resumed => held,
            Some(_) => bail!("a new session instead of the old one"),
            None => Held {
                token: welcome.session.context("a welcome without a token")?,
                name: String::new(),
                room: None,
                last: 0,
                last_private: 0,
                epoch: open.epoch,
                is_saved: false,
                lost_at: Instant::now(),
                owns: self.makes.take(),
                has_quit: false,
            },
        };
        if welcome.is_resumed {
            self.diary.resumes += 1;
        } else {
            self.diary.logins += 1;
            self.diary.sights.push(Sight::NewSession);
        }
        held.name = welcome.user.context("a welcome without a name")?;
        match (&room, &held.room) {
            (Some((now, ..)), Some((before, ..))) if welcome.is_resumed && now == before => {
                self.diary.sights.push(Sight::Resumed { after: id });
            }
            (Some((room, ..)), _) => {
                // A new member's own joining has this id; otherwise it is that of the last event.
                held.last = if welcome.is_resumed { id } else { id - 1 };
                let after = Some(held.last);
                self.diary.sights.push(Sight::Entered { room: *room, after });
            }
            (None, _) => {}
        }
        held.room = room;
        site.note(self.number, held.room.as_ref().map(|(room, ..)| (held.name.clone(), *room)));
        self.session = Some(held);
        Ok(true)
    }
}

/// The parts of a welcome that are needed.
struct Welcome {
    user: Option<String>,
    session: Option<String>,
    room: Option<String>,
    id: Option<u64>,
    is_resumed: bool,
    is_durable: bool,
}

impl Welcome {
    fn of(message: &Message<'_>) -> Welcome {
        Welcome {
            user: message.user.as_deref().map(str::to_owned),
            session: message.session.as_deref().map(str::to_owned),
            room: message.room.as_deref().map(str::to_owned),
            id: message.id,
            is_resumed: message.resumed == Some(true),
            is_durable: message.durable == Some(true),
        }
    }
}

/// Without the fields that have no value, and without an empty room.
fn without_nulls(mut request: Value) -> Value {
    if let Some(fields) = request.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value != "");
    }
    request
}

/// Waits for a message that `take` accepts; earlier ones are ignored.
pub(super) fn wait_for<T>(link: &mut Link, take: impl Fn(&Message<'_>) -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + LOGIN;
    while Instant::now() < deadline {
        while let Some(line) = link.line() {
            // The prompt and the greeting above it are not JSON.
            let Ok(message) = serde_json::from_str::<Message<'_>>(&line) else { continue };
            if let Some(taken) = take(&message) {
                return Ok(taken);
            }
        }
        if link.read()? == Input::End {
            bail!("the connection ended at the login");
        }
    }
    bail!("the login takes too long")
}
