//! Who may speak in a room, and what becomes of messages.

use std::{collections::HashSet, vec};

use madang_protocol::{event::Time, name::UserName};

use super::State;
use crate::{
    room::{
        fact::{Change, Fact},
        op::{By, Speech},
        refusal::Refusal,
    },
    session::Quiet,
};

/// The result of messages: some of them may be refused.
pub(crate) struct Heard {
    pub(crate) said: Said,
    /// The nonces of messages sent before, or twice at once.
    pub(crate) repeated: Vec<String>,
    pub(crate) refused: Option<(Vec<Speech>, Refusal)>,
}

/// The facts of messages, made one by one: a round may have a thousand.
pub(crate) struct Said {
    speeches: vec::IntoIter<Speech>,
    /// Who says them, and whether as a teacher; `None` only if there are none.
    speaker: Option<(u64, UserName, bool)>,
    /// The id of the next one.
    next_id: u64,
    now: Time,
}

impl Iterator for Said {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        let Speech { text, me, nonce, rendered_bytes } = self.speeches.next()?;
        let &(session, ref user, teacher) = self.speaker.as_ref()?;
        let user = user.clone();
        let change = Change::Said { session, user, text, me, teacher, nonce, rendered_bytes };
        let id = Some(self.next_id);
        self.next_id += 1;
        Some(Fact { id, time: self.now, change })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.speeches.size_hint()
    }
}

impl ExactSizeIterator for Said {}

impl State {
    /// The result of messages sent at `now`. Repeated ones are not sent again, even if the
    /// sender is muted now.
    pub(crate) fn hear(&self, by: By, mut speeches: Vec<Speech>, now: Time) -> Heard {
        let mut repeated = self.take_repeated(by, &mut speeches);
        let nothing = Vec::new().into_iter();
        let mut said = Said { speeches: nothing, speaker: None, next_id: self.next_id, now };
        let refused = match self.speaker(by, now) {
            _ if speeches.is_empty() => None,
            Err(refusal) => Some((speeches, refusal)),
            Ok((session, user)) => {
                let doubled = take_doubled(&mut speeches);
                let wait = self.wait_after_one(by).filter(|_| speeches.len() > 1);
                let mut too_soon =
                    wait.map(|seconds| (speeches.split_off(1), Refusal::Slow { seconds }));
                for double in doubled {
                    match &mut too_soon {
                        Some((refused, _)) if double.nonce != speeches[0].nonce => {
                            refused.push(double);
                        }
                        _ => repeated.extend(double.nonce),
                    }
                }
                let teacher = matches!(by, By::Teacher(_));
                said.speaker = Some((session, user.clone(), teacher));
                said.speeches = speeches.into_iter();
                too_soon
            }
        };
        Heard { said, repeated, refused }
    }

    /// Removes messages that were sent before.
    fn take_repeated(&self, by: By, speeches: &mut Vec<Speech>) -> Vec<String> {
        let session = by.session().unwrap_or_default();
        let is_repeated = |nonce: &String| self.knows_nonce(session, nonce).is_some();
        let repeated =
            speeches.extract_if(.., |speech| speech.nonce.as_ref().is_some_and(is_repeated));
        repeated.filter_map(|speech| speech.nonce).collect()
    }

    /// Whether somebody may speak.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn check_speaks(&self, by: By, now: Time) -> Result<(), Refusal> {
        self.speaker(by, now).map(|_| ())
    }

    /// How long somebody has to wait after one message, if they may not say several at once.
    pub(crate) fn wait_after_one(&self, by: By) -> Option<u64> {
        self.class.wait().filter(|_| matches!(by, By::Member(_)))
    }

    /// The requester, if it is a member who may speak.
    pub(super) fn speaker(&self, by: By, now: Time) -> Result<(u64, &UserName), Refusal> {
        let session = by.session().ok_or(Refusal::NoMember)?;
        let member = self.member(session).ok_or(Refusal::NoMember)?;
        if member.quiet == Some(Quiet::ReadOnly) {
            return Err(Refusal::ReadOnly);
        }
        if let Some(mute) = member.muted.or_else(|| self.owners_mute(session)) {
            return Err(Refusal::muted(mute, now));
        }
        if matches!(by, By::Member(_)) {
            self.class.check_speaks(session, now)?;
        }
        Ok((session, &member.user))
    }
}

/// Removes all but the first of messages sent twice at once.
fn take_doubled(speeches: &mut Vec<Speech>) -> Vec<Speech> {
    if speeches.len() < 2 {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut is_doubled = |nonce: &String| !seen.insert(nonce.clone());
    speeches.extract_if(.., |speech| speech.nonce.as_ref().is_some_and(&mut is_doubled)).collect()
}
