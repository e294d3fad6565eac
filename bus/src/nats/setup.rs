//! Creates and checks the streams of a layout. A second run finds no difference.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config;

use super::bus::{NatsBus, context, is_not_found, unavailable};
use super::stream_config::{apply, settings, why_fixed};
use crate::layout::{Layout, StreamId, StreamSpec};
use crate::ports::Unavailable;

/// Making a stream may take the server longer than an ordinary request.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The stream is missing and will be made.
    Create,
    /// The setting differs and will be changed.
    Change,
    /// The setting differs and cannot be changed, for this reason. Nothing at all is applied while there is one of these.
    Refuse(&'static str),
}

/// One difference between the layout and what the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The stream.
    pub stream: String,
    /// The setting by its name on the server; empty if the whole stream is missing.
    pub setting: &'static str,
    /// What the server has.
    pub found: String,
    /// What the layout wants.
    pub wanted: String,
    /// What can be done.
    pub remedy: Remedy,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, setting, found, wanted, remedy } = self;
        match remedy {
            Remedy::Create => write!(out, "+ {stream}: missing; {wanted}"),
            Remedy::Change => write!(out, "~ {stream}: {setting} is {found}, wanted {wanted}"),
            Remedy::Refuse(why) => write!(out, "! {stream}: {setting} is {found}, wanted {wanted}: {why}"),
        }
    }
}

/// Why a set-up was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The server did not answer; running it again is safe.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// These differences cannot be removed by changing streams; nothing was changed.
    #[error("cannot be changed: {}", list(.0))]
    Unchangeable(Vec<Difference>),
    /// The server does not take a stream as the layout wants it.
    #[error("the server refuses stream {stream}: {cause}")]
    Refused {
        /// The stream.
        stream: String,
        /// What the server said.
        cause: String,
    },
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The set-up of one server.
#[derive(Debug)]
pub struct Setup {
    context: Context,
}

impl Setup {
    /// Uses the connection of `bus`.
    pub fn new(bus: &NatsBus) -> Self {
        Self { context: context(&bus.client(), PATIENCE) }
    }

    /// What differs between the layout and the server, in the order of the layout; changes nothing.
    pub async fn plan(&self, layout: &Layout) -> Result<Vec<Difference>, SetupError> {
        let mut differences = Vec::new();
        for spec in layout.streams() {
            let found = self.find(&spec.name).await?;
            differences.extend(compare(&spec, found.as_ref()));
        }
        Ok(differences)
    }

    /// Makes the server as the layout wants it, and says what was different before.
    pub async fn apply(&self, layout: &Layout) -> Result<Vec<Difference>, SetupError> {
        let differences = self.plan(layout).await?;
        let refused = differences.iter().filter(|difference| matches!(difference.remedy, Remedy::Refuse(_)));
        let refused: Vec<_> = refused.cloned().collect();
        if !refused.is_empty() {
            return Err(SetupError::Unchangeable(refused));
        }
        for spec in layout.streams() {
            if differences.iter().any(|difference| difference.stream == spec.name) {
                self.make(&spec).await?;
            }
        }
        Ok(differences)
    }

    /// The layout that is set up under `root`, with default bounds; none = no intake stream of ours is there.
    pub async fn discover(&self, root: &str) -> Result<Option<Layout>, SetupError> {
        let name = Layout::new(root, 1, 1).name(StreamId::Intake);
        let Some(config) = self.find(&name).await? else { return Ok(None) };
        let partitions =
            config.subject_transform.as_ref().and_then(|found| partitions_in(&found.destination));
        let replicas = u8::try_from(config.num_replicas.max(1)).unwrap_or(u8::MAX);
        Ok(partitions.map(|partitions| Layout::new(root, partitions, replicas)))
    }

    /// Removes every stream of the layout with all that is in it. What is not there is no error.
    pub async fn remove(&self, layout: &Layout) -> Result<(), SetupError> {
        for spec in layout.streams() {
            if self.find(&spec.name).await?.is_some() {
                let deleted = self.context.delete_stream(&spec.name).await;
                deleted.map_err(|error| unavailable("remove stream", &spec.name, &error))?;
            }
        }
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<Option<Config>, SetupError> {
        match self.context.get_stream(name).await {
            Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(unavailable("look at stream", name, &error).into()),
        }
    }

    async fn make(&self, spec: &StreamSpec) -> Result<(), SetupError> {
        let refused = |cause: String| SetupError::Refused { stream: spec.name.clone(), cause };
        if let Some(mut config) = self.find(&spec.name).await? {
            apply(spec, &mut config);
            self.context.update_stream(&config).await.map_err(|error| refused(error.to_string()))?;
        } else {
            let mut config = Config::default();
            apply(spec, &mut config);
            self.context.create_stream(config).await.map_err(|error| refused(error.to_string()))?;
        }
        Ok(())
    }
}

fn compare(spec: &StreamSpec, found: Option<&Config>) -> Vec<Difference> {
    let mut wanted = found.cloned().unwrap_or_default();
    apply(spec, &mut wanted);
    let Some(found) = found else {
        let wanted = spec.subjects.join(" ");
        let (stream, found) = (spec.name.clone(), String::new());
        return vec![Difference { stream, setting: "", found, wanted, remedy: Remedy::Create }];
    };
    let pairs = settings(found).into_iter().zip(settings(&wanted));
    let differing = pairs.filter(|((_, found), (_, wanted))| found != wanted);
    differing
        .map(|((setting, found), (_, wanted))| Difference {
            stream: spec.name.clone(),
            setting,
            found,
            wanted,
            remedy: why_fixed(setting).map_or(Remedy::Change, Remedy::Refuse),
        })
        .collect()
}

/// P of `…{{partition(P,5)}}…`, also as the server writes it back.
fn partitions_in(destination: &str) -> Option<u16> {
    let lower = destination.to_ascii_lowercase();
    let (_, arguments) = lower.split_once("partition(")?;
    arguments.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::Config;

    use super::{Remedy, compare, partitions_in};
    use crate::layout::{Bounds, Layout, StreamId};
    use crate::nats::stream_config::apply;

    fn config(layout: &Layout, id: StreamId) -> Config {
        let mut config = Config::default();
        apply(&layout.stream(id), &mut config);
        config
    }

    #[test]
    fn the_number_of_partitions_stands_in_the_transform() {
        let transform = Layout::new("retail", 64, 1).stream(StreamId::Intake).transform.unwrap();
        assert_eq!(partitions_in(&transform.destination), Some(64));
        assert_eq!(partitions_in("a.{{wildcard(1)}}"), None);
    }

    #[test]
    fn bounds_can_be_changed_but_partitions_and_persistence_cannot() {
        let layout = Layout::default();
        let other = Layout::new("retail", 16, 1).with_bounds(StreamId::Intake, Bounds::messages(10));
        let found = config(&layout, StreamId::Intake);
        assert_eq!(compare(&layout.stream(StreamId::Intake), Some(&found)), []);
        let remedies: Vec<_> = compare(&other.stream(StreamId::Intake), Some(&found))
            .into_iter()
            .map(|difference| (difference.setting, difference.remedy == Remedy::Change))
            .collect();
        assert_eq!(remedies, [("subject_transform", false), ("max_msgs", true), ("max_bytes", true)]);
        let replicated = Layout::new("retail", 8, 3).stream(StreamId::Replies);
        let persist = compare(&replicated, Some(&config(&layout, StreamId::Replies)));
        assert!(persist.iter().any(|d| d.setting == "persist_mode" && matches!(d.remedy, Remedy::Refuse(_))));
    }
}
