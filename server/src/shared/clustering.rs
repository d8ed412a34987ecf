//! What a server does for the cluster that it is part of, and what the cluster does for its
//! commands.

use std::{sync::Arc, time::Duration};

use super::Shared;
use crate::{
    cluster::server::ClusterServer,
    commands::{
        chat::Services as _,
        elsewhere::{Elsewhere, Finding, Findings, Inquiry, answer_server},
    },
    room::{Room, directory::Rooms, log::Follower as _},
    session::{
        token::TokenHash,
        user_manager::{GivenAway, Taker},
    },
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

    fn fenced(&self) {
        self.console.fenced();
        for room in self.rooms.all() {
            // One that has ended has no members.
            let _ = room.lose_log();
        }
    }

    fn resume_window(&self) -> Duration {
        self.config.resume_window
    }

    fn give_session(&self, token: &TokenHash, taker: Taker) -> bool {
        match self.users.give_away(token, taker) {
            GivenAway::Unknown => return false,
            GivenAway::Now(session) => self.hand_over(&session, taker),
            GivenAway::Soon(holder) => self.replace(holder),
        }
        true
    }

    fn session_given(&self, session: u64) {
        if let Some(session) = self.users.numbered(session) {
            session.move_away();
            self.users.end_here(&session);
        }
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let finding = match serde_json::from_slice(question) {
            Ok(inquiry) => answer_server(&self.chat(), inquiry),
            Err(error) => {
                tracing::warn!(%error, "another server asks what this one does not understand");
                Finding::Nobody
            }
        };
        serde_json::to_vec(&finding).expect("plain data")
    }
}

impl Elsewhere for Shared {
    fn ask(&self, inquiry: &Inquiry, once: Option<(u64, &str)>) -> Findings {
        let Some(cluster) = &self.cluster else {
            return Findings { findings: Vec::new(), is_complete: true };
        };
        let question = serde_json::to_vec(inquiry).expect("plain data");
        let once = once.map(|(session, nonce)| (session, cluster.nonce_key.hash(nonce)));
        let read = |answer: &[u8]| serde_json::from_slice::<Finding>(answer).ok();
        let is_enough = |answer: &[u8]| read(answer).is_some_and(|finding| finding.is_enough());
        let answers = cluster.ask(&question, once, &is_enough);
        let findings = answers.answers.iter().filter_map(|answer| read(answer)).collect();
        Findings { findings, is_complete: answers.is_complete }
    }
}
