//! The table of commands.

use super::{
    ArgumentError, Command, CommandSpec, Role, banned, count, destination, new_name, nothing,
    optional, person, person_and_text, who, with_duration, words,
};

const MEMBER: &[Role] = &[Role::Member];
const MEMBER_AND_OPERATOR: &[Role] = &[Role::Member, Role::Operator];
const OWNER: &[Role] = &[Role::Owner];
const OWNER_AND_OPERATOR: &[Role] = &[Role::Owner, Role::Operator];
const OPERATOR: &[Role] = &[Role::Operator];

/// Every command, in the order in which help lists them.
pub static COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "/help",
        alias: "/도움말",
        arguments: "[CMD]",
        roles: MEMBER_AND_OPERATOR,
        help: ["명령 목록을, 또는 명령 하나를 설명합니다", "lists the commands, or explains one"],
        parse: |text| match optional(text) {
            None => Ok(Command::Help(None)),
            Some(name) => CommandSpec::find(name)
                .map(|spec| Command::Help(Some(spec)))
                .ok_or(ArgumentError::Usage),
        },
    },
    CommandSpec {
        name: "/quit",
        alias: "/나가기",
        arguments: "[TEXT]",
        roles: MEMBER,
        help: ["인사말과 함께, 또는 그냥 나갑니다", "leaves, with or without a word"],
        parse: |text| Ok(Command::Quit(optional(text))),
    },
    CommandSpec {
        name: "/who",
        alias: "/누구",
        arguments: "[ROOM] [after NAME]",
        roles: MEMBER_AND_OPERATOR,
        help: ["방에 있는 사람을 보여 줍니다", "lists who is in the room"],
        parse: who,
    },
    CommandSpec {
        name: "/whois",
        alias: "/정보",
        arguments: "NAME",
        roles: MEMBER,
        help: ["그 사람에 대해 알려 줍니다", "tells about somebody"],
        parse: |text| Ok(Command::Whois(person(text)?)),
    },
    CommandSpec {
        name: "/rooms",
        alias: "/방목록",
        arguments: "",
        roles: MEMBER_AND_OPERATOR,
        help: ["공개된 방을 보여 줍니다", "lists the public rooms"],
        parse: |text| nothing(text, Command::Rooms),
    },
    CommandSpec {
        name: "/join",
        alias: "/방",
        arguments: "ROOM|LINK|#KEY",
        roles: MEMBER,
        help: [
            "그 방으로 갑니다 (공개된 방은 없으면 만듭니다)",
            "goes to that room; a public one is made if missing",
        ],
        parse: |text| Ok(Command::Join(destination(text)?)),
    },
    CommandSpec {
        name: "/leave",
        alias: "/로비",
        arguments: "",
        roles: MEMBER,
        help: ["로비로 돌아갑니다", "goes back to the lobby"],
        parse: |text| nothing(text, Command::Leave),
    },
    CommandSpec {
        name: "/new",
        alias: "/새방",
        arguments: "[TITLE]",
        roles: MEMBER,
        help: [
            "링크를 가진 사람만 들어오는 비공개 방을 만듭니다",
            "makes a private room, for those who hold the link",
        ],
        parse: |text| Ok(Command::New(optional(text))),
    },
    CommandSpec {
        name: "/invite",
        alias: "/초대",
        arguments: "[qr]",
        roles: MEMBER,
        help: ["이 방에 들어오는 길을 알려 줍니다", "tells how others come into this room"],
        parse: |text| match text.to_lowercase().as_str() {
            "" => Ok(Command::Invite { qr: false }),
            "qr" => Ok(Command::Invite { qr: true }),
            _ => Err(ArgumentError::Usage),
        },
    },
    CommandSpec {
        name: "/msg",
        alias: "/귓",
        arguments: "NAME TEXT",
        roles: MEMBER,
        help: ["그 사람에게만 말합니다", "whispers to somebody"],
        parse: |text| person_and_text(text).map(|(name, text)| Command::Msg(name, text)),
    },
    CommandSpec {
        name: "/reply",
        alias: "/답",
        arguments: "TEXT",
        roles: MEMBER,
        help: ["마지막 귓속말에 답합니다", "answers the last whisper"],
        parse: |text| Ok(Command::Reply(words(text)?)),
    },
    CommandSpec {
        name: "/nick",
        alias: "/이름",
        arguments: "NAME",
        roles: MEMBER,
        help: ["이름을 바꿉니다", "changes your name"],
        parse: |text| Ok(Command::Nick(new_name(text)?)),
    },
    CommandSpec {
        name: "/me",
        alias: "/나",
        arguments: "TEXT",
        roles: MEMBER,
        help: ["무엇을 하는지 말합니다", "tells what you do"],
        parse: |text| Ok(Command::Me(words(text)?)),
    },
    CommandSpec {
        name: "/topic",
        alias: "/주제",
        arguments: "[TEXT]",
        roles: MEMBER,
        help: ["방의 주제를 보여 주거나 정합니다", "shows the room's topic, or sets it"],
        parse: |text| Ok(Command::Topic(optional(text))),
    },
    CommandSpec {
        name: "/history",
        alias: "/지난말",
        arguments: "[N]",
        roles: MEMBER,
        help: ["지난 말을 시각과 함께 보여 줍니다", "shows what was said before, with times"],
        parse: |text| Ok(Command::History(optional(text).map(count).transpose()?)),
    },
    CommandSpec {
        name: "/ignore",
        alias: "/차단",
        arguments: "[NAME]",
        roles: MEMBER,
        help: [
            "그 사람의 말을 가리거나, 가린 사람을 보여 줍니다",
            "hides what somebody says, or lists whom you hide",
        ],
        parse: |text| Ok(Command::Ignore(optional(text).map(person).transpose()?)),
    },
    CommandSpec {
        name: "/unignore",
        alias: "/차단해제",
        arguments: "NAME",
        roles: MEMBER,
        help: ["그 사람의 말을 다시 봅니다", "hides somebody no more"],
        parse: |text| Ok(Command::Unignore(person(text)?)),
    },
    CommandSpec {
        name: "/lang",
        alias: "/언어",
        arguments: "ko|en",
        roles: MEMBER,
        help: [
            "서버가 나에게 쓰는 언어를 바꿉니다",
            "changes the language of what the server tells you",
        ],
        parse: |text| text.parse().map(Command::Lang).map_err(|_| ArgumentError::Usage),
    },
    CommandSpec {
        name: "/ping",
        alias: "/핑",
        arguments: "[TOKEN]",
        roles: MEMBER,
        help: [
            "먼저 보낸 것이 모두 처리된 뒤에 답합니다",
            "is answered after all that you sent before",
        ],
        parse: |text| Ok(Command::Ping(optional(text))),
    },
    CommandSpec {
        name: "/kick",
        alias: "/내보내기",
        arguments: "NAME",
        roles: OWNER_AND_OPERATOR,
        help: [
            "10분 동안 내보냅니다 (더 막으려면 /lock, /ban)",
            "removes somebody for 10 min; see /lock, /ban",
        ],
        parse: |text| Ok(Command::Kick(person(text)?)),
    },
    CommandSpec {
        name: "/unkick",
        alias: "/내보내기해제",
        arguments: "NAME",
        roles: OWNER_AND_OPERATOR,
        help: ["내보낸 사람이 다시 들어올 수 있게 합니다", "lets somebody in again"],
        parse: |text| Ok(Command::Unkick(person(text)?)),
    },
    CommandSpec {
        name: "/mute",
        alias: "/조용히",
        arguments: "NAME [30s|10m|2h|1d]",
        roles: OWNER_AND_OPERATOR,
        help: ["그 사람의 말을 막습니다", "keeps somebody from speaking"],
        parse: |text| {
            with_duration(text).and_then(|(name, time)| Ok(Command::Mute(person(name)?, time)))
        },
    },
    CommandSpec {
        name: "/unmute",
        alias: "/조용히해제",
        arguments: "NAME",
        roles: OWNER_AND_OPERATOR,
        help: ["그 사람이 다시 말할 수 있게 합니다", "lets somebody speak again"],
        parse: |text| Ok(Command::Unmute(person(text)?)),
    },
    CommandSpec {
        name: "/lock",
        alias: "/잠금",
        arguments: "",
        roles: OWNER,
        help: [
            "링크가 있어도 아무도 새로 들어오지 못하게 합니다",
            "lets nobody new in, even with the link",
        ],
        parse: |text| nothing(text, Command::Lock),
    },
    CommandSpec {
        name: "/unlock",
        alias: "/잠금해제",
        arguments: "",
        roles: OWNER,
        help: ["다시 들어올 수 있게 합니다", "lets people in again"],
        parse: |text| nothing(text, Command::Unlock),
    },
    CommandSpec {
        name: "/limit",
        alias: "/정원",
        arguments: "N",
        roles: OWNER,
        help: ["방에 몇 명까지 있을 수 있는지 정합니다", "sets how many members the room may have"],
        parse: |text| Ok(Command::Limit(count(text)?)),
    },
    CommandSpec {
        name: "/end",
        alias: "/방닫기",
        arguments: "",
        roles: OWNER,
        help: ["방을 모두에게 닫습니다", "closes the room for all"],
        parse: |text| nothing(text, Command::End),
    },
    CommandSpec {
        name: "/owner",
        alias: "/방장",
        arguments: "NAME",
        roles: OWNER,
        help: ["그 사람을 방장으로 세웁니다", "makes somebody the owner"],
        parse: |text| Ok(Command::Owner(person(text)?)),
    },
    CommandSpec {
        name: "/ban",
        alias: "/추방",
        arguments: "NAME|ADDRESS|RANGE [30s|10m|2h|1d]",
        roles: OPERATOR,
        help: ["막습니다 (범위: 10.1.0.0/16)", "bans it; a range: 10.1.0.0/16"],
        parse: |text| {
            with_duration(text).and_then(|(whom, time)| Ok(Command::Ban(banned(whom)?, time)))
        },
    },
    CommandSpec {
        name: "/unban",
        alias: "/추방해제",
        arguments: "NAME|ADDRESS|RANGE",
        roles: OPERATOR,
        help: ["추방을 풉니다", "lifts a ban"],
        parse: |text| Ok(Command::Unban(banned(text)?)),
    },
    CommandSpec {
        name: "/bans",
        alias: "/추방목록",
        arguments: "",
        roles: OPERATOR,
        help: ["추방한 이름과 주소를 보여 줍니다", "lists what is banned"],
        parse: |text| nothing(text, Command::Bans),
    },
    CommandSpec {
        name: "/say",
        alias: "/공지",
        arguments: "TEXT",
        roles: OPERATOR,
        help: ["모두에게 서버로서 말합니다", "says something to everyone, as the server"],
        parse: |text| Ok(Command::Say(words(text)?)),
    },
    CommandSpec {
        name: "/stop",
        alias: "/종료",
        arguments: "",
        roles: OPERATOR,
        help: ["서버를 끝냅니다", "stops the server"],
        parse: |text| nothing(text, Command::Stop),
    },
];
