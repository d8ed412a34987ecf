//! Before the workload: every member must receive one line, or speak once if that is asked for.

use anyhow::{Result, bail};

use crate::{
    clients::Clients,
    clock::Nanos,
    deadline::Deadline,
    observer::{News, Observer},
    plan::Plan,
    progress::Progress,
    text::{Kind, LineRun, Said},
};

/// How long the first call waits before it is repeated; this doubles each time.
const FIRST_WAIT: Nanos = 200_000_000;

struct Warmup {
    /// The number of the current call.
    number: u32,
    /// How many members have received it.
    heard: usize,
    /// For each member, the number of the last call it received, plus one.
    last: Vec<u32>,
    wrong: u64,
}

impl Observer for Warmup {
    fn said(&mut self, member: usize, lines: LineRun, _read: Nanos) {
        let said = lines.first;
        if said.kind != Kind::Warmup {
            return;
        }
        // No caller says two lines at once.
        self.wrong += u64::from(lines.count - 1);
        if said.number == self.number && self.last[member] <= said.number {
            self.heard += 1;
        } else if said.number > self.number || self.last[member] > said.number {
            self.wrong += 1;
        }
        self.last[member] = self.last[member].max(said.number + 1);
    }

    fn garbled(&mut self, _member: usize) {
        self.wrong += 1;
    }

    fn told(&mut self, _member: usize, _news: News) {}
}

/// Makes sure that everyone receives lines in their room. With `roll_call`, each member says
/// one line, strictly one after the other, so that the server has done its work once for each.
///
/// Some servers confirm a login before the member receives lines, so the first call in each
/// room is repeated until everyone has received it. All later calls must come exactly once.
/// Returns the number of deliveries that did not.
pub(crate) fn warm_up(
    plan: &Plan,
    clients: &mut Clients,
    deadline: &mut Deadline,
    progress: &mut Progress,
) -> Result<u64> {
    let clock = clients.clock();
    let mut call = Warmup { number: 0, heard: 0, last: vec![0; plan.members], wrong: 0 };
    let echoes = plan.protocol.protocol().echoes();
    let callers = if plan.roll_call { plan.members } else { plan.rooms };
    for caller in 0..callers {
        let is_first = caller < plan.rooms;
        let in_room =
            (0..plan.members).filter(|&member| plan.room_of(member) == plan.room_of(caller));
        let listeners = in_room.count() - usize::from(!echoes);
        let mut wait = FIRST_WAIT;
        let mut again_at = clock.now();
        call.heard = 0;
        deadline.renew();
        while call.heard < listeners {
            let now = clock.now();
            if now >= again_at {
                call.number += 1;
                call.heard = 0;
                clients.say(
                    caller,
                    Said {
                        kind: Kind::Warmup,
                        speaker: caller as u32,
                        number: call.number,
                        due: now,
                    },
                );
                clients.flush(caller)?;
                again_at = if is_first { now + wait } else { Nanos::MAX };
                wait *= 2;
            }
            deadline.hear(u64::from(call.number) + call.heard as u64);
            if let Some(why) = deadline.is_over() {
                bail!("{why}: {} of {listeners} members hear member {caller}", call.heard);
            }
            progress.show(|| format!("calling the roll: {caller} of {callers}"));
            clients.poll(deadline.end().min(again_at), &mut call)?;
        }
    }
    Ok(call.wrong)
}
