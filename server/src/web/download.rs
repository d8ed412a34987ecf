//! Files that can be downloaded once: the table of a lesson, and what was said in a room, which
//! is sent as it is written. Whoever takes it slowly holds up their own connection only.

use std::{sync::Arc, time::Instant};

use madang_protocol::notice::Goodbye;

use super::AfterRequest;
use crate::{
    close_reason::CloseReason,
    delivery::outbox::{Outbox, Until},
    shared::{
        Shared,
        downloads::Download,
        talk_file::{Talk, TalkFile},
    },
    transport::http::{
        Head, Method, Rejection, StatusCode,
        download::{LAST_CHUNK, Length, chunk, download_head},
    },
};

/// So many bytes are sent at once: they may take as long as any other that waits for its peer.
const PART_BYTES: usize = 32 * 1_024;

/// Hands out a file, once. HEAD does not use it up.
pub(super) fn hand_out(
    shared: &Shared,
    outbox: &Arc<Outbox>,
    head: &Head,
) -> Result<AfterRequest, Rejection> {
    let (folder, token, now) = (head.folder(), head.name(), Instant::now());
    let found = match head.method {
        Method::Get => shared.downloads.take(folder, token, now),
        Method::Head => shared.downloads.look(folder, token, now),
        Method::Post | Method::Other => {
            return Err(Rejection::new(
                StatusCode::MethodNotAllowed,
                "only GET and HEAD are supported",
            ));
        }
    };
    let download = found.ok_or_else(not_there)?;
    let length = match &download {
        Download::Attendance(table) => Length::Known(table.len()),
        Download::Talk(_) if head.is_current => Length::Chunked,
        Download::Talk(_) => Length::UntilClose,
    };
    let start = download_head(download.file_name(), download.content_type(), length);
    match download {
        _ if head.method == Method::Head => outbox.push_bytes(&start),
        Download::Attendance(table) => {
            outbox.push_bytes(&start);
            outbox.push_bytes(&table);
        }
        Download::Talk(talk) => send_talk(shared, outbox, &talk, &start, length)?,
    }
    Ok(AfterRequest::Close)
}

fn not_there() -> Rejection {
    Rejection::new(StatusCode::NotFound, "not found")
}

/// Sends what was said in a room, piece by piece: the next is written when the peer has taken
/// the one before. A file that breaks off has no end that its reader could mistake for one.
fn send_talk(
    shared: &Shared,
    outbox: &Arc<Outbox>,
    talk: &Talk,
    start: &[u8],
    length: Length,
) -> Result<(), Rejection> {
    let unread =
        |_| Rejection::new(StatusCode::ServiceUnavailable, "the saved messages can't be read now");
    let mut file = TalkFile::begin(shared, talk).map_err(unread)?.ok_or_else(not_there)?;
    outbox.push_bytes(start);
    loop {
        match file.piece() {
            Ok(Some(piece)) => {
                for part in piece.chunks(PART_BYTES) {
                    match length {
                        Length::Chunked => outbox.push_bytes(&chunk(part)),
                        _ => outbox.push_bytes(part),
                    }
                    if outbox.wait_for_space(Until::Answered, None).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "a transcript breaks off");
                outbox.end(CloseReason::Told(Goodbye::Internal));
                return Ok(());
            }
        }
    }
    if length == Length::Chunked {
        outbox.push_bytes(LAST_CHUNK);
    }
    Ok(())
}
