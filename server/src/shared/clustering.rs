//! What a server does for the cluster that it is part of.

use std::{sync::Arc, time::Duration};

use super::Shared;
use crate::{
    cluster::server::ClusterServer,
    commands::chat::Services as _,
    room::{Room, directory::Rooms},
};

impl ClusterServer for Shared {
    fn room_ended(&self, room: &Room) {
        if self.rooms.remove(room) {
            self.console.room_ended(&room.name);
        }
    }

    fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    fn end_room_when_empty(&self, room: &Arc<Room>) {
        self.end_when_empty(room);
    }

    fn resume_window(&self) -> Duration {
        self.config.resume_window
    }

    fn fenced(&self) {
        self.console.fenced();
        for room in self.rooms.all() {
            // One that has ended has no members.
            let _ = room.lose_log();
        }
    }
}
