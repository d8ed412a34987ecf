//! How many lines each speaker may have in flight, and how many it has.
//!
//! A line is in flight until every reading member of its room has received it. A window of 1
//! therefore means strictly one line at a time.

use std::ops::Range;

/// The windows of all speakers.
pub(crate) struct Windows {
    lines: u32,
    /// The window rounded up to a power of two: the places of one speaker in `heard`.
    places: usize,
    speakers: Vec<Speaker>,
    /// How many members have received the line, by speaker and number modulo places.
    heard: Vec<u32>,
    /// Speakers that may say something, each once.
    ready: Vec<usize>,
}

struct Speaker {
    /// How many members must receive a line of this speaker.
    listeners: u32,
    said: u32,
    /// How many of its lines, from the first on, everyone has settled. Lines are settled in
    /// order, because each member settles them in order.
    through: u32,
    is_ready: bool,
}

impl Windows {
    /// Windows of `lines`, for speakers with these numbers of receivers.
    pub(crate) fn new(lines: u32, listeners: Vec<u32>) -> Self {
        let places = (lines as usize).next_power_of_two();
        let speaker = |&listeners| Speaker { listeners, said: 0, through: 0, is_ready: true };
        Self {
            lines,
            places,
            speakers: listeners.iter().map(speaker).collect(),
            heard: vec![0; places * listeners.len()],
            ready: (0..listeners.len()).collect(),
        }
    }

    /// Takes a speaker that may say something, and how many lines.
    pub(crate) fn take_ready(&mut self) -> Option<(usize, u32)> {
        let index = self.ready.pop()?;
        let speaker = &mut self.speakers[index];
        speaker.is_ready = false;
        Some((index, self.lines - (speaker.said - speaker.through)))
    }

    /// Notes that a speaker says `lines` more lines.
    pub(crate) fn say(&mut self, speaker: usize, lines: u32) {
        self.speakers[speaker].said += lines;
    }

    /// Notes that one more member has settled lines of a speaker: received them, or never will.
    pub(crate) fn settle(&mut self, index: usize, numbers: Range<u32>) {
        let speaker = &mut self.speakers[index];
        let heard = &mut self.heard[index * self.places..][..self.places];
        let first = numbers.start as usize & (self.places - 1);
        let until_end = numbers.len().min(self.places - first);
        let after_wrap = numbers.len() - until_end;
        heard[first..first + until_end].iter_mut().for_each(|heard| *heard += 1);
        heard[..after_wrap].iter_mut().for_each(|heard| *heard += 1);
        let before = speaker.through;
        while speaker.through < speaker.said {
            let heard = &mut heard[speaker.through as usize & (self.places - 1)];
            if *heard < speaker.listeners {
                break;
            }
            *heard = 0;
            speaker.through += 1;
        }
        if speaker.through > before && !speaker.is_ready {
            speaker.is_ready = true;
            self.ready.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_when_everyone_has_heard() {
        let mut windows = Windows::new(1, vec![2]);
        assert_eq!(windows.take_ready(), Some((0, 1)));
        windows.say(0, 1);
        assert_eq!(windows.take_ready(), None);
        windows.settle(0, 0..1);
        assert_eq!(windows.take_ready(), None);
        windows.settle(0, 0..1);
        assert_eq!(windows.take_ready(), Some((0, 1)));
        assert_eq!(windows.take_ready(), None);
    }

    #[test]
    fn a_window_opens_by_as_many_lines_as_are_through() {
        let mut windows = Windows::new(3, vec![1, 1]);
        assert_eq!(windows.take_ready(), Some((1, 3)));
        assert_eq!(windows.take_ready(), Some((0, 3)));
        windows.say(0, 3);
        windows.say(1, 3);
        windows.settle(1, 0..3);
        windows.settle(0, 0..1);
        assert_eq!(windows.take_ready(), Some((0, 1)));
        assert_eq!(windows.take_ready(), Some((1, 3)));
        windows.say(0, 1);
        windows.settle(0, 1..4);
        assert_eq!(windows.take_ready(), Some((0, 3)));
    }
}
