//! Each promise of the verdict, kept and broken.

use super::*;
use crate::scenario::chaos::diary::{Ack, written};

const CLEAN: Epoch = Epoch { is_clean: true };
const CRASHED: Epoch = Epoch { is_clean: false };

/// The rooms here: a public one, and a private one.
const PUBLIC: usize = 0;
const PRIVATE: usize = 1;

fn said(id: u64, speaker: u32, number: u32) -> Sight {
    Sight::Event { id, meaning: Meaning::Said((speaker, number)) }
}

fn entered(room: usize, after: u64) -> Sight {
    Sight::Entered { room, after: Some(after) }
}

fn connected(epoch: u32) -> Sight {
    Sight::Connected { epoch }
}

fn diary(sights: &[Sight]) -> Diary {
    Diary { sights: sights.to_vec(), ..Diary::default() }
}

fn listening(sights: &[Sight]) -> Diary {
    let begin = [connected(0), Sight::Entered { room: PUBLIC, after: None }];
    diary(&[&begin, sights].concat())
}

fn acks(acks: &[(usize, u32, u64, bool)]) -> Diary {
    let acks = acks.iter().map(|(room, number, id, is_safe)| Ack {
        room: *room,
        number: *number,
        id: Some(*id),
        is_safe: *is_safe,
    });
    Diary { acks: acks.collect(), ..Diary::default() }
}

/// The transcript of lines given as ids, speakers and numbers.
fn transcript(lines: &[(u64, u32, u32)]) -> String {
    let line = |(id, speaker, number): &(u64, u32, u32)| {
        let text = written((*speaker, *number));
        format!("{{\"type\":\"said\",\"id\":{id},\"user\":\"x\",\"text\":\"{text}\"}}\n")
    };
    lines.iter().map(line).collect()
}

#[track_caller]
fn judged(diaries: &[Diary], disk: &[(u64, u32, u32)], epochs: &[Epoch]) -> (Faults, Figures) {
    let transcripts = [transcript(disk)];
    let evidence = Evidence { diaries, transcripts: &transcripts, epochs, rooms: 2 };
    judge_chaos(&evidence).expect("a transcript")
}

#[track_caller]
fn check(diaries: &[Diary], disk: &[(u64, u32, u32)], epochs: &[Epoch], wanted: Faults) {
    let (faults, _) = judged(diaries, disk, epochs);
    assert_eq!(faults.examples.is_empty(), faults.count() == 0);
    assert_eq!(Faults { examples: Vec::new(), ..faults }, wanted);
}

const BOTH: [(u64, u32, u32); 2] = [(10, 0, 0), (11, 0, 1)];

#[test]
fn a_run_in_which_every_promise_was_kept_has_no_faults() {
    let none = Faults::default;
    let begin = [connected(0), entered(PUBLIC, 9)];
    // Line by line, and again after a lost connection.
    let whole =
        [&begin[..], &[said(10, 0, 0), Sight::Resumed { after: 10 }, said(11, 0, 1)]].concat();
    let ends = [Sight::UpToDate];
    let all = diary(&[&whole[..], &ends].concat());
    let speaker = acks(&[(PUBLIC, 0, 10, true), (PUBLIC, 1, 11, true)]);
    let heard = listening(&[Sight::Heard((0, 0)), Sight::Heard((0, 1))]);
    check(&[speaker, all, heard], &BOTH, &[CLEAN], none());
    // Somebody was too slow, and was told.
    let gap = [Sight::Gap { from: 10, to: 10 }, said(11, 0, 1)];
    let slow = diary(&[&begin[..], &gap].concat());
    let skipped = listening(&[Sight::Heard((0, 0)), Sight::Skipped, Sight::Heard((0, 2))]);
    check(&[slow, skipped], &[(10, 0, 0), (11, 0, 1), (12, 0, 2)], &[CLEAN], none());
    // A crash lost a line that nobody was promised, which was said again.
    let crash = [said(10, 0, 0), said(11, 0, 1), connected(1), Sight::Gap { from: 12, to: 89 }];
    let after = [Sight::Event { id: 90, meaning: Meaning::Restarted }, said(91, 0, 1)];
    let crashed = diary(&[&begin[..], &crash, &after].concat());
    let again = acks(&[(PUBLIC, 1, 91, true)]);
    check(&[again, crashed], &[(10, 0, 0), (91, 0, 1)], &[CRASHED, CLEAN], none());
    // Ids jump at a restart.
    let jump = [said(10, 0, 0), Sight::Event { id: 90, meaning: Meaning::Restarted }];
    check(&[diary(&[&begin[..], &jump].concat())], &BOTH[..1], &[CLEAN], none());
    // Private rooms are not on the disk, and are gone with a crash.
    let private = [connected(0), entered(PRIVATE, 9), said(10, 0, 0)];
    check(&[acks(&[(PRIVATE, 0, 10, false)]), diary(&private)], &[], &[CRASHED], none());
}

#[test]
fn each_broken_promise_is_found() {
    let none = Faults::default;
    let lost = || Faults { lost: 1, ..none() };
    check(&[acks(&[(PUBLIC, 1, 11, true)])], &BOTH[..1], &[CRASHED], lost());
    check(&[acks(&[(PUBLIC, 1, 10, true)])], &BOTH, &[CRASHED], lost());
    let begin = [connected(0), entered(PUBLIC, 9)];
    let seen = |sights: &[Sight]| diary(&[&begin[..], sights].concat());
    check(&[seen(&[said(10, 0, 0)])], &[], &[CLEAN], lost());
    check(&[seen(&[said(10, 0, 0)])], &[], &[CRASHED], none());
    check(&[listening(&[Sight::Heard((0, 0))])], &[], &[CLEAN], lost());

    let doubled = || Faults { doubled: 1, ..none() };
    check(&[], &[(10, 0, 0), (11, 0, 0)], &[CRASHED], doubled());
    check(
        &[acks(&[(PUBLIC, 0, 10, true), (PUBLIC, 0, 11, false)])],
        &BOTH[..1],
        &[CRASHED],
        doubled(),
    );
    let private =
        |sights: &[Sight]| diary(&[&[connected(0), entered(PRIVATE, 9)], sights].concat());
    check(&[private(&[said(10, 0, 0), said(11, 0, 0)])], &[], &[CLEAN], doubled());
    check(&[seen(&[said(10, 0, 0), said(11, 0, 1), said(11, 0, 1)])], &BOTH, &[CLEAN], doubled());

    let reordered = || Faults { reordered: 1, ..none() };
    check(&[], &[(10, 0, 1), (11, 0, 0)], &[CRASHED], reordered());
    check(&[private(&[said(10, 0, 1), said(11, 0, 0)])], &[], &[CLEAN], reordered());
    check(&[seen(&[Sight::Stray { id: 3 }])], &[], &[CLEAN], reordered());
    let twice = [Sight::Heard((0, 0)), Sight::Heard((0, 1)), Sight::Heard((0, 1))];
    check(&[listening(&twice)], &BOTH, &[CLEAN], reordered());

    let ids_twice = |ids_twice| Faults { ids_twice, ..none() };
    check(&[], &[(11, 0, 0), (11, 0, 1)], &[CRASHED], ids_twice(1));
    check(&[seen(&[said(10, 0, 1)])], &BOTH, &[CRASHED], ids_twice(1));
    let others = [private(&[said(10, 0, 0)]), private(&[said(10, 0, 1)])];
    check(&others, &[], &[CRASHED], ids_twice(1));
    let other = acks(&[(PRIVATE, 7, 10, false)]);
    check(&[other, private(&[said(10, 1, 0)])], &[], &[CRASHED], ids_twice(1));

    let missed = || Faults { missed: 1, ..none() };
    let three = [(10, 0, 0), (11, 0, 1), (12, 0, 2)];
    check(&[seen(&[said(10, 0, 0), said(12, 0, 2)])], &three, &[CLEAN], missed());
    let short = [said(10, 0, 0), Sight::Gap { from: 12, to: 12 }, said(12, 0, 2)];
    check(&[seen(&short)], &three, &[CLEAN], missed());
    check(&[seen(&[said(10, 0, 0), Sight::Resumed { after: 9 }])], &BOTH, &[CLEAN], missed());
    let jump = [said(10, 0, 0), Sight::Event { id: 90, meaning: Meaning::Restarted }];
    check(&[seen(&jump)], &BOTH, &[CLEAN], missed());
    check(&[listening(&[Sight::Heard((0, 0)), Sight::Heard((0, 2))])], &three, &[CLEAN], missed());
    let speaker = acks(&[(PUBLIC, 0, 10, true), (PUBLIC, 1, 11, true)]);
    check(&[speaker, seen(&[said(10, 0, 0), Sight::UpToDate])], &BOTH, &[CLEAN], missed());

    let lost_sessions = || vec![("m1.1".to_owned(), "m1.1 is unknown".to_owned())];
    let session = Diary { lost_sessions: lost_sessions(), ..Diary::default() };
    check(&[session], &[], &[CLEAN], Faults { lost_sessions: 1, ..none() });
    let stuck = Diary { stuck: vec!["m1".into()], ..Diary::default() };
    check(&[stuck], &[], &[CLEAN], Faults { stuck: 1, ..none() });
}

#[test]
fn a_removed_member_may_lose_its_session_without_a_fault() {
    let lost = vec![("m1.1".to_owned(), "m1.1 is unknown".to_owned())];
    let session = || Diary { lost_sessions: lost.clone(), ..Diary::default() };
    let seen = Diary { removed: ["m1.1".to_owned()].into(), ..Diary::default() };
    check(&[session(), seen], &[], &[CLEAN], Faults::default());
    let other = Diary { removed: ["m1.2".to_owned()].into(), ..Diary::default() };
    check(&[session(), other], &[], &[CLEAN], Faults { lost_sessions: 1, ..Faults::default() });
    // Nobody has seen it, but it is on the disk.
    let transcripts = ["{\"type\":\"kicked\",\"id\":7,\"user\":\"m1.1\"}\n".to_owned()];
    let diaries = [session()];
    let evidence = Evidence { diaries: &diaries, transcripts: &transcripts, epochs: &[], rooms: 1 };
    assert_eq!(judge_chaos(&evidence).expect("a transcript").0, Faults::default());
}

#[test]
fn a_whisper_comes_once_in_order_and_none_is_missed_untold() {
    let none = Faults::default;
    let whispered = |number, speaker, nth| Sight::Whispered { number, whisper: (speaker, nth) };
    let told = |sights: &[Sight]| diary(&[&[Sight::NewSession], sights].concat());
    let right = told(&[
        whispered(1, 3, 0),
        whispered(2, 4, 7),
        Sight::Forgotten { from: 3, to: 4 },
        whispered(5, 3, 5),
        Sight::NewSession,
        whispered(1, 3, 6),
    ]);
    check(&[right], &[], &[CLEAN], none());
    for (sights, faults) in [
        (&[whispered(1, 3, 0), whispered(1, 3, 1)][..], Faults { doubled: 1, ..none() }),
        (&[whispered(1, 3, 0), whispered(2, 3, 0)], Faults { doubled: 1, ..none() }),
        (&[whispered(2, 3, 0)], Faults { missed: 1, ..none() }),
        (&[Sight::Forgotten { from: 2, to: 3 }], Faults { missed: 1, ..none() }),
        (&[whispered(1, 3, 1), whispered(2, 3, 0)], Faults { reordered: 1, ..none() }),
    ] {
        check(&[told(sights)], &[], &[CLEAN], faults);
    }
    let both = [told(&[whispered(1, 3, 0)]), told(&[whispered(1, 3, 0)])];
    check(&both, &[], &[CLEAN], Faults { doubled: 1, ..none() });
}

#[test]
fn messages_that_nobody_can_confirm_are_counted() {
    let begin = [connected(0), Sight::Entered { room: PRIVATE, after: None }];
    let alone = diary(&[&begin[..], &[Sight::Heard((0, 0))]].concat());
    let seen = diary(&[connected(0), entered(PUBLIC, 9), said(10, 0, 0)]);
    let (faults, figures) = judged(&[alone, seen], &[], &[CRASHED]);
    assert_eq!((faults.count(), figures.unconfirmed, figures.gone), (0, 1, 1));
    assert_eq!((figures.heard, figures.saved), (2, 0));
}
