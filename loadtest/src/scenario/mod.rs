//! Scenarios: what a load test does, read from TOML, checked whole, and told in its own words where it is wrong.
//!
//! Reading order: [`Scenario`] (what is meant), [`outline`] (every key, its form and its meaning, from which the JSON Schema
//! is made), `reading` (text to values, all mistakes at once), `building` (values to a scenario), [`quantity`] (rates, times,
//! shares), [`objective`] (limits that must hold), [`builtin`] (the scenarios that come with the program).

mod building;
pub mod builtin;
mod meaning;
pub mod objective;
pub mod outline;
mod problem;
pub mod quantity;
mod reading;
mod schema;

pub use meaning::{
    Behaviours, Class, Data, Fault, FaultKind, HotSku, Invariant, MixShares, Phase, Scenario, Skew, Spacing,
    Writing,
};
pub use problem::{Problem, Problems, nearest};
pub use schema::schema;

impl Scenario {
    /// Reads a scenario. `name` is used where the text gives none; `faster` wins over `run.time_scale`.
    ///
    /// # Errors
    /// Every mistake that is in it, with line, field, value and remedy.
    pub fn parse(name: &str, text: &str, faster: Option<u32>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let values = reading::read(text, &mut problems);
        let scenario = values.and_then(|values| building::build(name, text, &values, faster, &mut problems));
        match scenario {
            Some(scenario) if problems.is_empty() => Ok(scenario),
            _ => Err(problems.sorted()),
        }
    }
}

#[cfg(test)]
mod tests;
