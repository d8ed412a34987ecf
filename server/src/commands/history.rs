//! `/history`, and the requests that programs send in its place: answered from disk if the room
//! is kept there, otherwise from its memory. The same command again goes further back.

use jiff::{Timestamp, Zoned, civil::Date};
use madang_protocol::{
    command::HistoryPart,
    event::{Event, Time},
    notice::Notice,
};

use super::{
    archive::{Archive, Excerpt, Reach, Unread, Wanted},
    caller::{Caller, Reply, Standing},
    questions::ask,
};
use crate::{
    clock,
    dialect::HistoryHead,
    room::{HistorySpan, Question, Room},
    session::Reading,
};

/// How many messages are shown unless a number is given.
const HISTORY_EVENTS: usize = 50;

/// Leap years are at most this far apart: a date is looked for in this many years.
const YEARS: i16 = 8;

/// Shows what `/history` asks for.
pub(super) fn history(caller: &Caller<'_>, part: Option<HistoryPart>) -> Result<Reply, Reply> {
    match part {
        Some(HistoryPart::Last(count)) => show_span(caller, HistorySpan::newest(count)),
        Some(part) => {
            let now = clock::now();
            let since = moment(part, &zoned(now)).unwrap_or(now);
            check_reach(caller, since)?;
            let span = HistorySpan::newest(HISTORY_EVENTS);
            show_span(caller, HistorySpan { since: Some(since), ..span })
        }
        None => {
            let archive = caller.chat.archive.zip(caller.reads_in().ok());
            let last = archive.and_then(|(archive, (room, _))| caller.reading(archive, room));
            let before = last.filter(|last| last.words.is_none()).map(|last| last.before);
            show_span(caller, HistorySpan { before, ..HistorySpan::newest(HISTORY_EVENTS) })
        }
    }
}

/// Shows part of the caller's room's history.
///
/// # Errors
///
/// The refusal.
pub(crate) fn show_span(caller: &Caller<'_>, span: HistorySpan) -> Result<Reply, Reply> {
    if !matches!(caller.standing, Standing::Newcomer)
        && let Some(archive) = caller.chat.archive
        && let Some(reply) = read_saved(caller, archive, span)
    {
        return reply;
    }
    if let Standing::Operator(room) = caller.standing {
        return match room.recall(span, caller.begin()) {
            Ok(answer) => Ok(caller.answered(answer)),
            Err(_) => Err(caller.refuse(&Notice::NoSuchRoom)),
        };
    }
    Ok(ask(caller, Question::History(span)))
}

/// The same from disk; `None` if the room's memory has to answer.
fn read_saved(
    caller: &Caller<'_>,
    archive: &dyn Archive,
    span: HistorySpan,
) -> Option<Result<Reply, Reply>> {
    let (room, hidden) = caller.reads_in().ok()?;
    let is_for_programs = caller.form.is_for_programs();
    let hidden = (!is_for_programs).then_some(hidden);
    let wanted = Wanted { span, reach: caller.allowed_reach(), words: None, hidden };
    let excerpt = match archive.read(room, wanted) {
        Ok(excerpt) => excerpt,
        Err(Unread::Busy) => return Some(Err(caller.refuse(&Notice::Busy))),
        Err(_) => return None,
    };
    caller.note_reading(archive, reading_after(&excerpt, room, span));
    let gone = gone_before(&excerpt, room, span);
    let Excerpt { events, earliest, gaps, restarts, .. } = excerpt;
    let mut answer = caller.begin();
    let is_empty = events.is_empty() && gaps.is_empty();
    if is_for_programs || !is_empty {
        let (room, nonce, gaps) = (&*room.name, caller.nonce, Some(&gaps[..]));
        let head = HistoryHead { room, earliest, nonce, gaps, gone, restarts: &restarts };
        answer.history(head, events.iter().rev());
    } else if span.since.is_some() {
        answer.notice(&Notice::NothingSince);
    } else {
        answer.notice(&Notice::HistoryBegins);
    }
    if earliest && !is_empty && !span.has_beginning() {
        answer.hint(&Notice::HistoryBegins);
    }
    Some(Ok(caller.answered(answer)))
}

/// What happened in the room before an answer, if nothing older may be read: the first and the last
/// id.
fn gone_before(excerpt: &Excerpt, room: &Room, span: HistorySpan) -> Option<(u64, u64)> {
    let opened = room.kept_as().filter(|_| excerpt.earliest && !span.has_beginning())?;
    let next = excerpt.events.first().map(Event::id).or(span.before)?;
    (opened < next).then(|| (opened, next - 1))
}

/// Where the next `/history` continues further back.
fn reading_after(excerpt: &Excerpt, room: &Room, span: HistorySpan) -> Reading {
    let first = excerpt.events.first().map(|event| event.id());
    let before = match span.has_beginning() {
        true => first.unwrap_or(u64::MAX),
        false => excerpt.looked_to,
    };
    Reading { room: room.number, words: None, before }
}

/// Refuses a time that is further back than the caller may read.
fn check_reach(caller: &Caller<'_>, since: Time) -> Result<(), Reply> {
    let is_member = caller.allowed_reach() == Reach::Members;
    let Some(archive) = caller.chat.archive.filter(|_| is_member) else { return Ok(()) };
    let reach = archive.members_reach();
    if since >= reach {
        return Ok(());
    }
    let reach = zoned(reach).strftime("%m-%d %H:%M").to_string();
    Err(caller.refuse(&Notice::OutOfReach(&reach)))
}

fn zoned(time: Time) -> Zoned {
    let timestamp = Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    timestamp.to_zoned(clock::zone().clone())
}

/// The last time that clocks in the zone of `now` showed this time, or the last start of this
/// date.
fn moment(part: HistoryPart, now: &Zoned) -> Option<Time> {
    let at = |date: Date, hour, minute| {
        let moment = date.at(hour, minute, 0, 0).to_zoned(now.time_zone().clone()).ok()?;
        (moment <= *now).then(|| Time::from_millis(moment.timestamp().as_millisecond()))
    };
    match part {
        HistoryPart::Last(_) => None,
        HistoryPart::Time { hour, minute } => {
            let today = now.date();
            at(today, hour, minute).or_else(|| at(today.yesterday().ok()?, hour, minute))
        }
        HistoryPart::Day { month, day } => (0..=YEARS)
            .filter_map(|years| Date::new(now.year() - years, month, day).ok())
            .find_map(|date| at(date, 0, 0)),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod reading_tests;

#[cfg(test)]
mod tests {
    use jiff::{civil::DateTime, tz::TimeZone};

    use super::*;

    #[test]
    fn a_time_or_a_date_is_the_last_one_that_has_been() {
        #[track_caller]
        fn check(zone: &TimeZone, now: &str, part: HistoryPart, expected: &str) {
            let [now, expected] = [now, expected].map(|text| {
                let local: DateTime = text.parse().expect("a time");
                local.to_zoned(zone.clone()).expect("it is a zone's")
            });
            let found = moment(part, &now).expect("there has been one");
            assert_eq!(found.as_millis(), expected.timestamp().as_millisecond(), "{part:?}");
        }
        let time = |hour, minute| HistoryPart::Time { hour, minute };
        let day = |month, day| HistoryPart::Day { month, day };
        let seoul = TimeZone::posix("KST-9").expect("a zone");
        let noon = "2026-11-28T12:00";
        check(&seoul, noon, time(9, 5), "2026-11-28T09:05");
        check(&seoul, noon, time(12, 0), noon);
        check(&seoul, noon, time(23, 50), "2026-11-27T23:50");
        check(&seoul, noon, day(11, 28), "2026-11-28T00:00");
        check(&seoul, noon, day(12, 24), "2025-12-24T00:00");
        check(&seoul, noon, day(2, 29), "2024-02-29T00:00");
        // The clocks go forward at 2: there is no half past two.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        check(&berlin, "2026-03-29T12:00", time(2, 30), "2026-03-29T03:30");
    }
}
