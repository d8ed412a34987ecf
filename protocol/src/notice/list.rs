//! Lists of members and of rooms, which both languages lay out alike.

use crate::{event::RoomSummary, text::Lang};

/// Names in a row, each with the mark behind it of the list that it is in.
pub(super) fn names_in_row(names: &[&str], marks: &[(&[&str], &str)]) -> String {
    let shown = names.iter().map(|name| {
        let mark = marks.iter().find(|(marked, _)| marked.contains(name));
        format!("{name}{}", mark.map_or("", |(_, mark)| mark))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The command that lists the members who joined after somebody.
pub(super) fn who_after(room: Option<&str>, after: &str, lang: Lang) -> String {
    let (command, word) = match lang {
        Lang::Ko => ("/누구", "다음"),
        Lang::En => ("/who", "after"),
    };
    match room {
        Some(room) => format!("{command} {room} {word} {after}"),
        None => format!("{command} {word} {after}"),
    }
}

/// The list of rooms, each with its name and size as `described`.
pub(super) fn rooms_list(
    rooms: &[RoomSummary<'_>],
    title: &str,
    described: impl Fn(&RoomSummary<'_>) -> (String, String),
) -> String {
    let mut text = title.to_owned();
    for room in rooms {
        let (name, members) = described(room);
        let topic = room.topic.as_ref().map(|topic| format!(" · {topic}")).unwrap_or_default();
        text.push_str(&format!("\n  {name} ({members}){topic}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Notice;

    #[test]
    fn quiet_names_and_streams_are_marked() {
        let who =
            |names, quiet, lang| Notice::Who { count: 2, names, quiet, streams: &[] }.text(lang);
        let (names, quiet): (&[&str], &[&str]) = (&["bob", "logbot"], &["logbot"]);
        assert_eq!(who(names, quiet, Lang::En), "2 here: bob, logbot (quiet)");
        assert_eq!(who(names, quiet, Lang::Ko), "대화 참여자 2명: bob, logbot(알림 없이 참여)");
        assert_eq!(who(names, &[], Lang::En), "2 here: bob, logbot");
        let streams = |lang| Notice::Who { count: 2, names, quiet: &[], streams: quiet }.text(lang);
        assert_eq!(streams(Lang::En), "2 here: bob, logbot (read only)");
        assert_eq!(streams(Lang::Ko), "대화 참여자 2명: bob, logbot(보기만)");
        let nobody = Notice::Who { count: 0, names: &[], quiet: &[], streams: &[] };
        assert_eq!(nobody.text(Lang::En), "Nobody is here.");
    }
}
