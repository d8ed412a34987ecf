//! The console's answers to the operator's commands: a sentence for each.

use super::{english, korean};
use crate::{
    duration::show_duration,
    josa::{Josa, with_josa, with_nim},
    text::Lang,
};

/// Something that the operator has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done<'a> {
    /// Somebody was removed, and is kept out for a while.
    Kicked {
        /// Who it was.
        user: &'a str,
        /// For how many seconds.
        seconds: u64,
    },
    /// Somebody who was removed may join again.
    Unkicked {
        /// Who it is.
        user: &'a str,
    },
    /// Somebody was muted.
    Muted {
        /// Who it is.
        user: &'a str,
        /// For how many seconds; until it is lifted if there is none.
        seconds: Option<u64>,
    },
    /// Somebody was unmuted.
    Unmuted {
        /// Who it is.
        user: &'a str,
    },
    /// Everyone was muted.
    AllMuted {
        /// For how many seconds; until it is lifted if there is none.
        seconds: Option<u64>,
    },
    /// Everyone was unmuted.
    AllUnmuted,
    /// A room was locked.
    Locked {
        /// Which.
        room: &'a str,
    },
    /// A room was unlocked.
    Unlocked {
        /// Which.
        room: &'a str,
    },
    /// A room has another topic.
    TopicSet {
        /// Which.
        room: &'a str,
        /// The new topic; empty if it was cleared.
        topic: &'a str,
    },
    /// The number of members was limited.
    Limited {
        /// Which.
        room: &'a str,
        /// How many.
        limit: usize,
    },
    /// A name, an address or a range was banned.
    Banned {
        /// Which.
        what: &'a str,
        /// For how many seconds; until it is lifted if there is none.
        seconds: Option<u64>,
    },
    /// A ban was lifted.
    Unbanned {
        /// Which.
        what: &'a str,
    },
    /// An announcement was sent to everyone.
    Announced {
        /// To how many people.
        people: usize,
    },
    /// The console's commands are about another room from now on.
    Looking {
        /// Which.
        room: &'a str,
        /// How many members it has.
        members: usize,
        /// Its topic, if it has one.
        topic: Option<&'a str>,
    },
}

impl Done<'_> {
    pub(super) fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => self.korean(),
            Lang::En => self.english(),
        }
    }

    fn english(&self) -> String {
        let span = |seconds| show_duration(seconds, Lang::En);
        match *self {
            Done::Kicked { user, seconds } => format!("Removed {user} for {}.", span(seconds)),
            Done::Unkicked { user } => format!("{user} can join again."),
            Done::Muted { user, seconds: Some(seconds) } => {
                format!("Muted {user} for {}.", span(seconds))
            }
            Done::Muted { user, seconds: None } => {
                format!("Muted {user}. To lift it: /unmute {user}")
            }
            Done::Unmuted { user } => format!("{user} can speak again."),
            Done::AllMuted { seconds: Some(seconds) } => {
                format!("Muted everyone for {}.", span(seconds))
            }
            Done::AllMuted { seconds: None } => "Muted everyone. To lift it: /unmute all".into(),
            Done::AllUnmuted => "Everyone can speak again.".into(),
            Done::Locked { room } => {
                let room = english::place(room);
                format!("Locked {room}: nobody new can join. To open it again: /unlock")
            }
            Done::Unlocked { room } => {
                format!("Unlocked {}: everyone can join again.", english::place(room))
            }
            Done::TopicSet { room, topic: "" } => {
                format!("Cleared the topic of {}.", english::place(room))
            }
            Done::TopicSet { room, topic } => {
                format!("The topic of {} is now: {topic}", english::place(room))
            }
            Done::Limited { room, limit } => {
                format!("Limited {} to {limit} people.", english::place(room))
            }
            Done::Banned { what, seconds: Some(seconds) } => {
                format!("Banned {what} for {}.", span(seconds))
            }
            Done::Banned { what, seconds: None } => {
                format!("Banned {what}. To lift it: /unban {what}")
            }
            Done::Unbanned { what } => format!("Lifted the ban on {what}."),
            Done::Announced { people: 0 } => "Nobody is here to read it.".into(),
            Done::Announced { people: 1 } => "Sent to 1 person.".into(),
            Done::Announced { people } => format!("Sent to {people} people."),
            Done::Looking { room, members, topic } => {
                let topic = topic.map(|topic| format!(", topic: {topic}")).unwrap_or_default();
                let room = english::place(room);
                format!("Commands are now about {room} ({members} here{topic}).")
            }
        }
    }

    fn korean(&self) -> String {
        let span = |seconds| show_duration(seconds, Lang::Ko);
        match *self {
            Done::Kicked { user, seconds } => {
                format!("{}을 {} 동안 내보냈습니다.", with_nim(user), span(seconds))
            }
            Done::Unkicked { user } => format!("{}이 다시 들어올 수 있습니다.", with_nim(user)),
            Done::Muted { user, seconds: Some(seconds) } => {
                format!("{}의 채팅을 {} 동안 금지했습니다.", with_nim(user), span(seconds))
            }
            Done::Muted { user, seconds: None } => {
                format!("{}의 채팅을 금지했습니다. 풀기: /조용히해제 {user}", with_nim(user))
            }
            Done::Unmuted { user } => format!("{}이 다시 말할 수 있습니다.", with_nim(user)),
            Done::AllMuted { seconds: Some(seconds) } => {
                format!("모두의 채팅을 {} 동안 금지했습니다.", span(seconds))
            }
            Done::AllMuted { seconds: None } => {
                "모두의 채팅을 금지했습니다. 풀기: /조용히해제 모두".into()
            }
            Done::AllUnmuted => "이제 모두 다시 말할 수 있습니다.".into(),
            Done::Locked { room } => {
                let room = with_josa(&korean::place(room), Josa::EulReul);
                format!("{room} 잠갔습니다. 아무도 새로 들어올 수 없습니다. 풀기: /잠금해제")
            }
            Done::Unlocked { room } => {
                format!(
                    "{}의 잠금을 풀었습니다. 다시 누구나 들어올 수 있습니다.",
                    korean::place(room)
                )
            }
            Done::TopicSet { room, topic: "" } => {
                format!("{}의 주제를 지웠습니다.", korean::place(room))
            }
            Done::TopicSet { room, topic } => {
                format!("{}의 주제를 정했습니다: {topic}", korean::place(room))
            }
            Done::Limited { room, limit } => {
                format!("{}의 정원을 {limit}명으로 정했습니다.", korean::place(room))
            }
            Done::Banned { what, seconds: Some(seconds) } => {
                format!("{} 동안 추방했습니다: {what}", span(seconds))
            }
            Done::Banned { what, seconds: None } => {
                format!("추방했습니다: {what} (풀기: /추방해제 {what})")
            }
            Done::Unbanned { what } => format!("추방을 풀었습니다: {what}"),
            Done::Announced { people: 0 } => "지금은 읽을 사람이 없습니다.".into(),
            Done::Announced { people } => format!("{people}명에게 알렸습니다."),
            Done::Looking { room, members, topic } => {
                let topic = topic.map(|topic| format!(", 주제: {topic}")).unwrap_or_default();
                let place = korean::place(room);
                format!("이제 명령은 {place}에 적용됩니다. (대화 참여자 {members}명{topic})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nim_is_not_doubled() {
        let text = |user| Done::Unmuted { user }.text(Lang::Ko);
        assert_eq!(text("철수"), "철수님이 다시 말할 수 있습니다.");
        assert_eq!(text("선생님"), "선생님이 다시 말할 수 있습니다.");
    }

    #[test]
    fn the_lobby_is_called_so_in_korean() {
        let text = |room| Done::Locked { room }.text(Lang::Ko);
        assert!(text("lobby").starts_with("로비를 잠갔습니다."), "{}", text("lobby"));
        assert!(text("수학").starts_with("수학 방을 잠갔습니다."), "{}", text("수학"));
        let topic = Done::TopicSet { room: "lobby", topic: "" };
        assert_eq!(topic.text(Lang::Ko), "로비의 주제를 지웠습니다.");
        assert_eq!(topic.text(Lang::En), "Cleared the topic of the lobby.");
    }

    #[test]
    fn a_mute_says_how_long_it_lasts_or_how_to_lift_it() {
        let text = |seconds, lang| Done::Muted { user: "bob", seconds }.text(lang);
        assert_eq!(text(Some(300), Lang::En), "Muted bob for 5 minutes.");
        assert_eq!(text(Some(300), Lang::Ko), "bob님의 채팅을 5분 동안 금지했습니다.");
        assert_eq!(text(None, Lang::En), "Muted bob. To lift it: /unmute bob");
    }
}
