//! What a request leads to, according to the rules of a room.

use madang_protocol::{event::Time, name::UserName};

use super::State;
use crate::{
    room::{
        fact::{Change, Fact},
        op::{By, Muter, Op},
        refusal::Refusal,
        roster::Presence,
    },
    session::Mute,
};

/// The facts that follow from one op.
struct Facts {
    /// The id of the next event.
    next_id: u64,
    now: Time,
    facts: Vec<Fact>,
}

impl Facts {
    /// Adds one that is announced.
    fn tell(&mut self, change: Change) {
        self.facts.push(Fact { id: Some(self.next_id), time: self.now, change });
        self.next_id += 1;
    }

    /// Adds one that is not announced.
    fn note(&mut self, change: Change) {
        self.facts.push(Fact { id: None, time: self.now, change });
    }
}

impl State {
    /// The facts that a request leads to at `now`, in order; empty if nothing changes.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) fn decide(&self, by: By, op: Op, now: Time) -> Result<Vec<Fact>, Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        let mut facts = Facts { next_id: self.next_id, now, facts: Vec::new() };
        match op {
            Op::Join { user, quiet, muted, origin, comes_back, stream } => {
                let session = by.session().ok_or(Refusal::NoMember)?;
                let joined = Change::Joined {
                    session,
                    user: user.clone(),
                    quiet,
                    origin,
                    comes_back,
                    stream,
                };
                self.join(joined, &mut facts)?;
                if let Some(mute) = muted {
                    let (user, muter) = (user.clone(), Muter::Operator);
                    let (seconds, by) = (None, None);
                    facts.note(Change::Muted { session, user, muter, mute, seconds, by });
                }
            }
            Op::BringMute(mute) => {
                let (session, user) = self.requester(by)?;
                let (user, muter) = (user.clone(), Muter::Operator);
                facts.note(Change::Muted { session, user, muter, mute, seconds: None, by: None });
            }
            Op::BringNonces(nonces) => {
                let (session, _) = self.requester(by)?;
                facts.note(Change::BroughtNonces { session, nonces });
            }
            Op::Leave { text } => self.leave(by, text, &mut facts)?,
            Op::Move => {
                let (session, _) = self.requester(by)?;
                self.depart(session, None, &mut facts);
            }
            Op::Away => {
                let (session, _) = self.requester(by)?;
                facts.note(Change::Away { session });
            }
            // The session has moved on before this connection was heard of.
            Op::Back { origin, .. } if self.origin_of(by) != Some(origin) => {
                return Err(Refusal::NoMember);
            }
            Op::Back { quiet, origin } | Op::Arrive { quiet, origin } => {
                let (session, _) = self.requester(by)?;
                facts.note(Change::Back { session, quiet, origin });
            }
            Op::Say(speeches) => {
                let heard = self.hear(by, speeches, now);
                return match heard.refused {
                    Some((_, refusal)) if heard.said.len() == 0 => Err(refusal),
                    _ => Ok(heard.said.collect()),
                };
            }
            Op::Announce(text) => facts.tell(Change::Announced { text }),
            Op::Forget { name } => facts.note(Change::Forgotten { name }),
            Op::Once { number, .. } if self.asked.contains(&number) => {
                return Err(Refusal::Already);
            }
            Op::Once { number, op } => {
                facts.note(Change::Asked { number });
                facts.facts.extend(self.decide(by, *op, now)?);
            }
            Op::Topic(_) if self.class.is_running() && matches!(by, By::Member(_)) => {
                return Err(Refusal::TeacherOnly);
            }
            Op::Topic(topic) => {
                let by = match by {
                    By::Operator => None,
                    by => Some(self.speaker(by, now)?.1.clone()),
                };
                if Some(&topic).filter(|topic| !topic.is_empty()) == self.topic.as_ref() {
                    return Err(Refusal::Already);
                }
                facts.tell(Change::Topic { by, topic });
            }
            Op::Rename(to) => {
                let (session, user) = self.speaker(by, now)?;
                if let Some(left) = self.access.kicks.left_for_name(&to, now) {
                    return Err(Refusal::name_kicked_for(left));
                }
                self.displace(session, &to, &mut facts);
                facts.tell(Change::Renamed { session, user: user.clone(), to });
            }
            Op::Kick { session, seconds } => {
                let (by, user) = self.moderated(by, session)?;
                let until = now.after(std::time::Duration::from_secs(seconds));
                facts.tell(Change::Kicked { session, user, seconds, until, by });
            }
            Op::Unkick { name, session } => {
                let by = self.check_owner(by)?;
                let lifted = self.access.kicks.lifted_by(&name, session, now);
                for user in lifted {
                    facts.tell(Change::Unkicked { user: user.clone(), by: by.cloned() });
                }
                if facts.facts.is_empty() {
                    return Err(Refusal::Already);
                }
            }
            Op::Mute { session, mute, seconds } => {
                let (by, user) = self.moderated(by, session)?;
                let muter = if by.is_some() { Muter::Owner } else { Muter::Operator };
                facts.tell(Change::Muted { session, user, muter, mute, seconds, by });
            }
            Op::Unmute { session } => {
                let by = self.check_owner(by)?;
                let mut lifted = Vec::new();
                lifted.extend(self.owners_mute(session).map(|_| Muter::Owner));
                if by.is_none() {
                    lifted.extend(self.operators_mute(session).map(|_| Muter::Operator));
                }
                if lifted.is_empty() {
                    return Err(Refusal::Already);
                }
                self.unmute(session, &lifted, by, &mut facts);
            }
            Op::MuteAll { .. } | Op::UnmuteAll { .. } if by.session().is_some() => {
                return Err(Refusal::OwnerOnly);
            }
            Op::MuteAll { mute, seconds } => {
                let muter = Muter::Operator;
                for Presence { session, user, .. } in self.members.in_order() {
                    let (session, user) = (*session, user.clone());
                    let (seconds, by) = (None, None);
                    facts.note(Change::Muted { session, user, muter, mute, seconds, by });
                }
                facts.tell(Change::AllMuted { seconds });
            }
            Op::UnmuteAll { only } => {
                let is_meant = |muted: &Mute| only.as_ref().is_none_or(|only| only == muted);
                for Presence { session, muted, .. } in self.members.in_order() {
                    if muted.as_ref().is_some_and(is_meant) {
                        let (session, user, muter) = (*session, None, Muter::Operator);
                        facts.note(Change::Unmuted { session, user, muter, by: None });
                    }
                }
                facts.tell(Change::AllUnmuted);
            }
            Op::MuteOver { session, muter, until } => {
                let mute = match muter {
                    Muter::Owner => self.owners_mute(session),
                    Muter::Operator => self.operators_mute(session),
                };
                // It was lifted, or replaced by another.
                if mute != Some(Mute { until: Some(until) }) {
                    return Err(Refusal::Already);
                }
                self.unmute(session, &[muter], None, &mut facts);
            }
            Op::Lock(locked) => {
                let by = self.check_owner(by)?.cloned();
                if self.access.locked == locked {
                    return Err(Refusal::Already);
                }
                facts.tell(Change::Locked { locked, by });
            }
            Op::Limit(limit) => {
                let by = self.check_owner(by)?.cloned();
                facts.tell(Change::Limited { limit, by });
            }
            Op::Transcribe => {
                let by = self.check_owner(by)?.cloned();
                facts.tell(Change::Transcribed { by });
            }
            Op::Owner(_) | Op::End if matches!(by, By::Teacher(_)) && !self.is_private => {
                return Err(Refusal::OwnerOnly);
            }
            Op::Owner(session) => {
                self.check_owner(by)?;
                check_other(by, session)?;
                let user = self.name_of(session).ok_or(Refusal::NotHere)?;
                facts.tell(Change::Owner { session, user });
            }
            Op::OwnerGone(session) if self.access.owner != Some(session) => {}
            Op::OwnerGone(_) => match self.members.in_order().next() {
                Some(Presence { session, user, .. }) => {
                    facts.tell(Change::Owner { session: *session, user: user.clone() });
                }
                None => facts.note(Change::OwnedByNobody),
            },
            Op::Restarted => facts.tell(Change::Restarted),
            Op::Buried(_) | Op::Unclaimed(_) if by.session().is_some() => {
                return Err(Refusal::OwnerOnly);
            }
            Op::Buried(origin) => {
                let is_its = |it: &Presence| it.origin == origin;
                for held in self.members.in_order().filter(|it| is_its(it) && it.comes_back) {
                    if !held.away {
                        facts.note(Change::Away { session: held.session });
                    }
                }
                self.depart_all(|it| is_its(it) && !it.comes_back, &mut facts);
            }
            Op::Unclaimed(origin) => self.depart_all(|it| it.origin == origin, &mut facts),
            Op::End => {
                let by = self.check_owner(by)?.cloned();
                facts.tell(Change::Ended { by });
            }
            Op::EndIfEmpty { since } => {
                // Somebody has joined, and perhaps left again, since that was due.
                if self.empty_since != Some(since) {
                    return Err(Refusal::Already);
                }
                facts.note(Change::Ended { by: None });
            }
            Op::Stop => facts.note(Change::Ended { by: None }),
            Op::Lesson(change) if self.is_private || !self.class.is_next(&change) => {}
            Op::Lesson(change) => facts.tell(Change::Lesson(change)),
            Op::LessonSoFar(_) if self.is_private => {}
            Op::LessonSoFar(so_far) => match so_far.missing(&self.class) {
                Some(changes) => {
                    changes.into_iter().for_each(|change| facts.tell(Change::Lesson(change)));
                }
                None => facts.note(Change::LessonIs(Box::new(so_far.class))),
            },
            Op::BringSpoke(at) => {
                let (session, _) = self.requester(by)?;
                facts.note(Change::Spoke { session, at });
            }
            Op::MaySpeak => self.check_speaks(by, now)?,
            #[cfg(test)]
            Op::Panic { in_apply: true } => facts.note(Change::Panic),
            #[cfg(test)]
            Op::Panic { in_apply: false } => panic!("as the test asked"),
        }
        Ok(facts.facts)
    }

    fn join(&self, joined: Change, facts: &mut Facts) -> Result<(), Refusal> {
        let Change::Joined { session, ref user, quiet, .. } = joined else { return Ok(()) };
        if self.member(session).is_some() {
            return Err(Refusal::Already);
        }
        // Nobody listens unseen in a private room.
        if self.is_private && quiet.is_some() {
            return Err(Refusal::PublicOnly);
        }
        let displaced = self.displaced_by(session, user);
        let others = self.members.len() - usize::from(displaced.is_some());
        self.access.admits(others, session, Some(user), facts.now)?;
        self.displace(session, user, facts);
        let is_ownerless = match self.access.owner {
            None => true,
            owner => others == 0 && owner == displaced,
        };
        let user = user.clone();
        if quiet.is_some() {
            facts.note(joined)
        } else {
            facts.tell(joined)
        }
        if self.is_private && is_ownerless {
            facts.tell(Change::Owner { session, user });
        }
        Ok(())
    }

    /// Another member with the name that somebody has claimed. Among several servers, that name
    /// may have been given up, or its bearer's server be gone, before its leaving comes here.
    fn displaced_by(&self, session: u64, name: &UserName) -> Option<u64> {
        let bearer = self.members.bearer(name)?.session;
        (bearer != session).then_some(bearer)
    }

    /// Has [that member](Self::displaced_by) leave first: a name has one bearer.
    fn displace(&self, session: u64, name: &UserName, facts: &mut Facts) {
        if let Some(displaced) = self.displaced_by(session, name) {
            self.depart_all(|member| member.session == displaced, facts);
        }
    }

    fn leave(&self, by: By, text: Option<String>, facts: &mut Facts) -> Result<(), Refusal> {
        let session = by.session().ok_or(Refusal::NoMember)?;
        // The parting message of a muted person is not shown.
        let text = text.filter(|_| self.check_speaks(by, facts.now).is_ok());
        self.depart(session, text, facts);
        if self.owners_mute(session).is_some() {
            let muter = Muter::Owner;
            facts.note(Change::Unmuted { session, user: None, muter, by: None });
        }
        Ok(())
    }

    /// Removes members; the owner's room passes to the first of those who stay.
    fn depart_all(&self, departs: impl Fn(&Presence) -> bool, facts: &mut Facts) {
        let owner = self.access.owner.and_then(|owner| self.member(owner));
        for member in self.members.in_order().filter(|member| departs(member)) {
            self.depart(member.session, None, facts);
        }
        if !owner.is_some_and(&departs) {
            return;
        }
        match self.members.in_order().find(|member| !departs(member)) {
            Some(Presence { session, user, .. }) => {
                facts.tell(Change::Owner { session: *session, user: user.clone() });
            }
            None => facts.note(Change::OwnedByNobody),
        }
    }

    /// Removes a member, if it is one: announced, unless it is quiet.
    fn depart(&self, session: u64, text: Option<String>, facts: &mut Facts) {
        let Some(member) = self.member(session) else { return };
        let user = member.user.clone();
        match member.quiet {
            None => facts.tell(Change::Left { session, user, text }),
            Some(_) => facts.note(Change::Left { session, user, text: None }),
        }
    }

    /// Lifts mutes, and announces the last unless another mute remains.
    fn unmute(&self, session: u64, lifted: &[Muter], by: Option<&UserName>, facts: &mut Facts) {
        let user = self.name_of(session);
        let is_kept = |muter: Muter, mute: Option<Mute>| mute.is_some() && !lifted.contains(&muter);
        let stays_muted = is_kept(Muter::Owner, self.owners_mute(session))
            || is_kept(Muter::Operator, self.operators_mute(session));
        for (at, muter) in lifted.iter().enumerate() {
            let is_last = at + 1 == lifted.len();
            let (user, muter, by) = (user.clone(), *muter, by.cloned());
            let is_told = is_last && !stays_muted && user.is_some();
            let change = Change::Unmuted { session, user, muter, by };
            if is_told { facts.tell(change) } else { facts.note(change) }
        }
    }

    /// The server of the requester, if it is a member.
    fn origin_of(&self, by: By) -> Option<u64> {
        Some(self.member(by.session()?)?.origin)
    }

    /// The requester's session number and name, if it is a member.
    fn requester(&self, by: By) -> Result<(u64, &UserName), Refusal> {
        let session = by.session().ok_or(Refusal::NoMember)?;
        let member = self.member(session).ok_or(Refusal::NoMember)?;
        Ok((session, &member.user))
    }

    /// The requester's name, if it owns this room; `None` for the operator, who may do it too.
    fn check_owner(&self, by: By) -> Result<Option<&UserName>, Refusal> {
        if by == By::Operator {
            return Ok(None);
        }
        let (session, user) = self.requester(by)?;
        let is_teachers = matches!(by, By::Teacher(_)) && !self.is_private;
        if is_teachers || self.access.owner == Some(session) {
            Ok(Some(user))
        } else {
            Err(Refusal::OwnerOnly)
        }
    }

    /// The names of the owner, and of another member that it may moderate.
    fn moderated(&self, by: By, session: u64) -> Result<(Option<UserName>, UserName), Refusal> {
        let owner = self.check_owner(by)?.cloned();
        check_other(by, session)?;
        let user = self.name_of(session).ok_or(Refusal::NotHere)?;
        Ok((owner, user))
    }

    fn operators_mute(&self, session: u64) -> Option<Mute> {
        self.member(session).and_then(|member| member.muted)
    }
}

fn check_other(by: By, session: u64) -> Result<(), Refusal> {
    if by.session() == Some(session) { Err(Refusal::Oneself) } else { Ok(()) }
}
