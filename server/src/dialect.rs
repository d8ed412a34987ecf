//! What bytes mean: how an answer is rendered for people or for programs.

pub(crate) mod answer;
