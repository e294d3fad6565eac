//! Intake under flow control: how much new work the node begins, and who is asked to come back later.
//!
//! Reading order: `limits` and `watermarks` (what is configured, and its bounds), `policy` (the rules: pure, integers in and out),
//! `meter` (rates), `rules` (what holds right now), `shared` (what all partitions share), `settings` and `keeper` (what is
//! changed while the node runs, and what reverts).

pub mod limits;
pub mod watermarks;

mod keeper;
mod meter;
mod policy;
mod rules;
mod settings;
mod shared;

pub use limits::{Class, FlowConfig, LimitName, Quota, Scope, Setting};
pub use policy::Throttle;
pub use settings::{Change, SettingError};

pub(crate) use keeper::run;
pub(crate) use policy::{Load, Pressure, estimated_wait_ms, room};
pub(crate) use rules::{NotNow, Rules};
pub(crate) use shared::{Figures, Flow};
pub(crate) use watermarks::Watermark;
