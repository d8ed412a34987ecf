//! What a server does for the cluster that it is part of.

use super::Shared;
use crate::{cluster::server::ClusterServer, room::Room};

impl ClusterServer for Shared {
    fn room_ended(&self, room: &Room) {
        if self.rooms.remove(room) {
            self.console.room_ended(&room.name);
        }
    }
}
