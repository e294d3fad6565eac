//! What is wrong with a scenario: all of it at once, each with line, field, value and remedy.

use std::fmt;

/// How many mistakes are told; a file with more is not meant to be a scenario.
const MOST: usize = 50;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 if it is about something that is not there.
    pub line: usize,
    /// The field, as `slo[2].metric`.
    pub field: String,
    /// What stands there; empty if nothing does.
    pub value: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(out, "line {}: ", self.line)?;
        }
        out.write_str(&self.field)?;
        if !self.value.is_empty() {
            write!(out, " = {}", self.value)?;
        }
        write!(out, ": {}", self.remedy)
    }
}

/// All mistakes of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        line: usize,
        field: impl Into<String>,
        value: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.0.len() < MOST {
            let (field, value, remedy) = (field.into(), value.into(), remedy.into());
            self.0.push(Problem { line, field, value, remedy });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by_key(|problem| problem.line);
        self
    }

    /// Each of them, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            write!(out, "{}{problem}", if place > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The word among `known` that was probably meant, if one is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = far.min()?;
    (distance <= 1 + word.chars().count() / 3).then_some(candidate)
}

/// How many letters have to be changed, added or taken away to make `right` of `left`.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (place, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_word_with_one_wrong_letter_is_recognised_and_another_word_is_not() {
        assert_eq!(distance("wramup", "warmup"), 2);
        assert_eq!(nearest("pahses", ["phases", "faults"]), Some("phases"));
        assert_eq!(nearest("rat", ["rate", "over"]), Some("rate"));
        assert_eq!(nearest("colour", ["rate", "over"]), None);
    }
}
