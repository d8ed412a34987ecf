//! The thread of a server that archives the cluster's messages: it has the server open every public
//! room, whichever server made it, and hear it from the first entry that is left in its log. It
//! looks at all of them when one is made, after the hearer has been away, and now and then. Of those
//! that have ended while it was away, it has a hole recorded.

use std::{thread::JoinHandle, time::Duration};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};
use madang_protocol::event::Time;
use redis::{Connection, RedisResult};

use super::{
    connection::Redis,
    ended_rooms::{EndedRoom, ended_since},
    keys::{PUBLIC, RoomKeys},
    scripts,
    server::OwnServer,
};

/// How often it looks without being told to.
const LOOK: Duration = Duration::from_secs(30);

/// How long after a failure it looks again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the thread to look.
pub(super) type Bell = Sender<()>;

/// Starts the thread; it ends when the sender of `stop` is dropped.
pub(super) fn start_archivist(
    redis: Redis,
    server: OwnServer,
    stop: Receiver<()>,
) -> std::io::Result<(Bell, JoinHandle<()>)> {
    // However often it is told to while it looks, it looks once more.
    let (bell, rung) = bounded(1);
    let (read_to, open) = (Time::from_millis(0), Vec::new());
    let archivist = Archivist { redis, server, connection: None, read_to, open };
    let thread = std::thread::Builder::new()
        .name("archivist".to_owned())
        .spawn(move || archivist.run(&rung, &stop))?;
    Ok((bell, thread))
}

struct Archivist {
    redis: Redis,
    server: OwnServer,
    connection: Option<Connection>,
    /// Up to when it knows which rooms have ended, by Redis's clock.
    read_to: Time,
    /// Of those, the ones that this server has still open.
    open: Vec<EndedRoom>,
}

impl Archivist {
    fn run(mut self, rung: &Receiver<()>, stop: &Receiver<()>) {
        let (mut wait, mut is_away) = (LOOK, false);
        loop {
            select! {
                recv(rung) -> _ => {}
                recv(stop) -> _ => return,
                default(wait) => {}
            }
            wait = match self.look(stop) {
                Ok(is_done) => {
                    is_away = false;
                    if is_done { LOOK } else { PAUSE }
                }
                Err(error) => {
                    self.connection = None;
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::warn!(%error, "failed to look for rooms to archive; trying again");
                    }
                    PAUSE
                }
            };
        }
    }

    /// Has every public room opened that is not open here; whether all are.
    fn look(&mut self, stop: &Receiver<()>) -> RedisResult<bool> {
        let Some(server) = self.server.get() else { return Ok(false) };
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect()?),
        };
        let rooms: Vec<String> = redis::cmd("SMEMBERS").arg(PUBLIC).query(connection)?;
        for name in rooms.iter().filter_map(|meta| RoomKeys::room_of(meta)) {
            if stop.try_recv() != Err(TryRecvError::Empty) {
                return Ok(false);
            }
            if !server.archive_room(&name) {
                return Ok(false);
            }
        }
        let now = scripts::time(connection)?;
        let ended = ended_since(connection, self.read_to.min(now))?;
        self.read_to = now;
        self.open.extend(ended);
        self.open = server.note_all_archived(std::mem::take(&mut self.open));
        Ok(true)
    }
}
