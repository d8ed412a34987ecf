//! Entries that several machines read from the log of a room: all interpret them alike.

use madang_server::fuzzing::{HeardEntry, Replica};

/// Checks entries separated by NULs. An entry that does not begin with its numbers gets some.
pub fn run(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let mut here = Replica::new(choice % 2 == 1);
    let (mut there, mut from_facts) = (here.clone(), here.clone());
    for message in messages(input) {
        let heard = here.hear(&message);
        assert_eq!(there.hear(&message), heard, "another machine hears the same");
        assert_eq!(there, here, "and has the same room then");
        match heard {
            HeardEntry::CarriedOut(facts) => {
                facts.iter().for_each(|fact| from_facts.replay(fact));
                assert_eq!(from_facts, here, "facts alone make the same room");
            }
            HeardEntry::Nothing | HeardEntry::Unknown(_) => {}
        }
        // A machine that opens the room now continues from there.
        there = here.handed_over();
        assert_eq!(there, here, "a room that was handed over is the same");
    }
}

/// The entries of an input, as they are published.
fn messages(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    input.split(|byte| *byte == 0).zip(1..).map(|(entry, number)| match entry.first() {
        Some(b'0'..=b'9') if !entry.starts_with(b"1[") => entry.to_vec(),
        _ => [format!("{number} 1 {number} {} 0\n", 1_000 * number).as_bytes(), entry].concat(),
    })
}

#[test]
fn the_corpus_has_ops_that_this_program_knows() {
    for name in ["join", "moderate", "owner", "leave", "announce", "move", "headed", "far"] {
        let path = format!("{}/corpus/entries/{name}", env!("CARGO_MANIFEST_DIR"));
        let input = std::fs::read(&path).expect("a file");
        let mut room = Replica::new(input[0] % 2 == 1);
        for message in messages(&input[1..]) {
            let heard = room.hear(&message);
            let has_facts = matches!(&heard, HeardEntry::CarriedOut(facts) if !facts.is_empty());
            assert!(has_facts, "{name}: {heard:?}");
        }
    }
}
