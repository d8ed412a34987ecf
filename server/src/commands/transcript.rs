//! `/transcript`: a link to a room's whole conversation, as a file that can be downloaded once.
//! Nobody takes a conversation away unnoticed: the room is told.

use std::sync::Arc;

use madang_protocol::{
    command::{CommandError, CommandSpec, TranscriptFormat},
    event::ServerMessage,
    notice::Notice,
    room::{Destination, RoomName},
};

use super::{
    caller::{Caller, Reply, Standing},
    chat::{DOWNLOAD_TIME, TalkOffer},
};
use crate::room::{By, Op, Room};

/// The room of a transcript.
struct TalkSource {
    name: Arc<str>,
    /// None if it has ended.
    room: Option<Arc<Room>>,
    /// Its parts on disk, by number and name: for the operator, all rooms that ever had this
    /// name.
    saved: Vec<(u64, Arc<str>)>,
}

/// Gives the caller a link to their room's conversation; the operator names the room.
pub(super) fn transcript(
    caller: &Caller<'_>,
    named: Option<&RoomName>,
    format: TranscriptFormat,
) -> Result<Reply, Reply> {
    let source = find_source(caller, named)?;
    if !caller.can_download() {
        let saved = (!source.saved.is_empty()).then_some(&*source.name);
        return Err(caller.refuse(&Notice::NoDownload(saved)));
    }
    if let Some(room) = &source.room {
        let by = match caller.standing {
            Standing::Member(member) => By::of(member.session),
            _ => By::Operator,
        };
        room.act(by, Op::Transcribe).map_err(|refusal| caller.not_done(refusal))?;
    }
    let TalkSource { name, room, saved } = source;
    let (lang, room) = (caller.lang, room.as_ref());
    let offer = TalkOffer { name: &name, room, saved, format, lang };
    let path = caller.chat.services.offer_talk(caller.session_number(), offer);
    let link = caller.link_to(&path);
    let mut answer = caller.begin();
    match &link {
        // The console's line editor wraps long lines.
        Some(link) if caller.is_operator() => {
            answer.notice(&Notice::Transcript { link, apart: true });
        }
        link => answer.message(&ServerMessage::Transcript {
            room: (&*name).into(),
            format: format.name().into(),
            path: path.into(),
            link: link.as_deref().map(Into::into),
            seconds: DOWNLOAD_TIME.as_secs(),
            nonce: caller.nonce.map(Into::into),
        }),
    }
    Ok(caller.answered(answer))
}

fn find_source(caller: &Caller<'_>, named: Option<&RoomName>) -> Result<TalkSource, Reply> {
    let of_room = |room: &Arc<Room>| {
        let saved = room.kept_as().map(|number| (number, room.name.clone()));
        let (name, room) = (room.name.clone(), Some(room.clone()));
        TalkSource { name, room, saved: saved.into_iter().collect() }
    };
    let Standing::Operator(looked_at) = caller.standing else {
        if named.is_some() {
            let spec = CommandSpec::find("/transcript").expect("it is in the table");
            return Err(caller.refuse(&Notice::CommandRefused(&CommandError::Usage(spec))));
        }
        let room = caller.member()?.room.ok_or_else(|| caller.refuse(&Notice::NoRoom))?;
        return Ok(of_room(room));
    };
    let named = match named {
        Some(named) => named.clone(),
        None => RoomName::parse(&looked_at.name).map_err(|_| caller.refuse(&Notice::NoSuchRoom))?,
    };
    let mut saved = match caller.chat.archive {
        Some(archive) => archive.rooms_named(&named),
        None => Vec::new(),
    };
    let found = caller.chat.rooms.find(&Destination::Public(named.clone()));
    let Some(mut source) = found.as_ref().map(of_room) else {
        if saved.is_empty() {
            return Err(caller.refuse(&Notice::NoSuchRoom));
        }
        return Ok(TalkSource { name: named.as_str().into(), room: None, saved });
    };
    // The current room comes last, and may not be on disk yet.
    saved.retain(|(number, _)| source.saved.iter().all(|(there, _)| there != number));
    saved.append(&mut source.saved);
    Ok(TalkSource { saved, ..source })
}
