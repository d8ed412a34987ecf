//! Which private rooms three words open, for ten minutes, and who has tried too many that open
//! none. Wrong tries end nobody's words.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use madang_protocol::{room::RoomKey, text::Lang, words::RoomWords};

use super::allowance::KeyedAllowance;
use crate::sync::Mutex;

/// How long words open a room.
const OPEN: Duration = Duration::from_secs(600);

/// How many wrong ones an address may send a minute.
const TRIES_PER_ADDRESS: usize = 5;

/// How many wrong ones the server takes in [`OPEN`], from all addresses together. Of 2^33
/// combinations, one of a hundred rooms' words is so found in 43,000 days.
const TRIES_OF_ALL: usize = 200;

/// The words that open rooms.
pub(crate) struct SpokenWords {
    rooms: Mutex<HashMap<RoomWords, Opens>>,
    tries: KeyedAllowance<IpAddr>,
    tries_of_all: KeyedAllowance<()>,
}

struct Opens {
    key: RoomKey,
    lang: Lang,
    until: Instant,
}

/// Why words open nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// No room has them, or no longer.
    Unknown,
    /// There were too many wrong ones; how long to wait.
    TooMany(Duration),
}

impl SpokenWords {
    pub(crate) fn new() -> SpokenWords {
        SpokenWords {
            rooms: Mutex::default(),
            tries: KeyedAllowance::new(TRIES_PER_ADDRESS, Duration::from_secs(60)),
            tries_of_all: KeyedAllowance::new(TRIES_OF_ALL, OPEN),
        }
    }

    /// The words that open the room of that key, in a language, and for how long. Asked again,
    /// they are the same until their time is over.
    pub(crate) fn of(&self, key: RoomKey, lang: Lang, now: Instant) -> (RoomWords, Duration) {
        let draw = || {
            let mut bits = [0; 8];
            getrandom::fill(&mut bits).expect("a system that has started has random bits");
            u64::from_ne_bytes(bits)
        };
        self.draw(key, lang, now, draw)
    }

    fn draw(
        &self,
        key: RoomKey,
        lang: Lang,
        now: Instant,
        mut draw: impl FnMut() -> u64,
    ) -> (RoomWords, Duration) {
        let mut rooms = self.rooms.lock();
        rooms.retain(|_, opens| opens.until > now);
        let has = |opens: &Opens| opens.key == key && opens.lang == lang;
        if let Some((words, opens)) = rooms.iter().find(|(_, opens)| has(opens)) {
            return (*words, opens.until - now);
        }
        let words = loop {
            let words = RoomWords::from_bits(draw(), lang);
            if !rooms.contains_key(&words) {
                break words;
            }
        };
        rooms.insert(words, Opens { key, lang, until: now + OPEN });
        (words, OPEN)
    }

    /// The key of the room that these words open on this server; no try is counted.
    pub(crate) fn find(&self, words: RoomWords, now: Instant) -> Option<RoomKey> {
        let rooms = self.rooms.lock();
        rooms.get(&words).filter(|opens| opens.until > now).map(|opens| opens.key)
    }

    /// The key of the room that these words open. `is_there` says whether the room still
    /// exists, and `elsewhere` finds what they open on another server; `address` is the one that the try is counted for.
    ///
    /// # Errors
    ///
    /// [`NotOpened`]; after too many wrong words, right ones are refused as well.
    pub(crate) fn open(
        &self,
        words: RoomWords,
        address: IpAddr,
        now: Instant,
        is_there: impl FnOnce(RoomKey) -> bool,
        elsewhere: impl FnOnce() -> Option<RoomKey>,
    ) -> Result<RoomKey, NotOpened> {
        self.tries.check(address, now).map_err(NotOpened::TooMany)?;
        self.tries_of_all.check((), now).map_err(NotOpened::TooMany)?;
        let key = self.find(words, now).filter(|key| is_there(*key));
        match key.or_else(elsewhere) {
            Some(key) => Ok(key),
            None => {
                // Of several at once, more than that are wrong and none is right.
                let _ = self.tries.take(address, now);
                let _ = self.tries_of_all.take((), now);
                Err(NotOpened::Unknown)
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    const KEY: RoomKey = RoomKey::from_bits(7);

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn words_open_their_room_for_ten_minutes() {
        let (spoken, now) = (SpokenWords::new(), Instant::now());
        let (words, left) = spoken.draw(KEY, Lang::Ko, now, || 1);
        assert_eq!(left, OPEN);
        let open = |at| spoken.open(words, address(1), at, |_| true, || None);
        assert_eq!(open(now + OPEN - Duration::from_millis(1)), Ok(KEY));
        assert_eq!(open(now + OPEN), Err(NotOpened::Unknown));
        // Asked again, they are the same, and those of another language are others.
        let later = now + Duration::from_secs(60);
        assert_eq!(
            spoken.draw(KEY, Lang::Ko, later, || 2),
            (words, OPEN - Duration::from_secs(60))
        );
        assert_ne!(spoken.draw(KEY, Lang::En, later, || 1).0, words);
        assert_ne!(spoken.draw(KEY, Lang::Ko, now + OPEN, || 3).0, words);
        assert_eq!(spoken.rooms.lock().len(), 2);
    }

    #[test]
    fn no_two_rooms_have_the_same_words() {
        let (spoken, now) = (SpokenWords::new(), Instant::now());
        let (first, _) = spoken.draw(KEY, Lang::Ko, now, || 1);
        let mut bits = 0;
        let draw = || {
            bits += 1;
            bits
        };
        let (second, _) = spoken.draw(RoomKey::from_bits(8), Lang::Ko, now, draw);
        assert_eq!(
            (first, second),
            (RoomWords::from_bits(1, Lang::Ko), RoomWords::from_bits(2, Lang::Ko))
        );
    }

    #[test]
    fn a_room_that_has_ended_is_not_told_from_wrong_words() {
        let (spoken, now) = (SpokenWords::new(), Instant::now());
        let (words, _) = spoken.draw(KEY, Lang::En, now, || 1);
        let other = RoomWords::from_bits(2, Lang::En);
        for (tried, is_there) in [(words, false), (other, true)] {
            assert_eq!(
                spoken.open(tried, address(1), now, |_| is_there, || None),
                Err(NotOpened::Unknown)
            );
        }
    }

    #[test]
    fn guessing_is_stopped_for_an_address_and_then_for_all() {
        let (spoken, now) = (SpokenWords::new(), Instant::now());
        let (words, _) = spoken.draw(KEY, Lang::Ko, now, || 1);
        let wrong = RoomWords::from_bits(2, Lang::Ko);
        let open = |words, last, at| spoken.open(words, address(last), at, |_| true, || None);
        for _ in 0..TRIES_PER_ADDRESS {
            assert_eq!(open(wrong, 1, now), Err(NotOpened::Unknown));
        }
        let minute = Duration::from_secs(60);
        assert_eq!(open(words, 1, now), Err(NotOpened::TooMany(minute)));
        assert_eq!(open(words, 2, now), Ok(KEY), "others are not kept out");
        assert_eq!(open(words, 1, now + minute), Ok(KEY));
        for last in 3..=255 {
            let _ = open(wrong, last, now);
        }
        assert_eq!(open(words, 2, now), Err(NotOpened::TooMany(OPEN)));
        let (again, left) = spoken.draw(KEY, Lang::Ko, now + OPEN / 2, || 3);
        assert_eq!((again, left), (words, OPEN / 2), "wrong tries end nobody's words");
    }
}
