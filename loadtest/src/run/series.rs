//! What happened when: one point for each second, or for several where a run is so long that there would be too many.

use std::time::Duration;

use tokio::time::Instant;

use super::arrivals::rate_at;
use super::recorder::Times;
use super::summary::Point;
use crate::scenario::objective::{Leg, Statistic};
use crate::scenario::{Phase, Scenario};

/// Points of the phases; the time after them may have as many again.
const POINTS: u32 = 1_800;

/// What has happened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Sent,
    Leg(Leg),
    Ended,
}

/// All points, and the one that is being gathered.
#[derive(Debug)]
pub(super) struct Series {
    start: Instant,
    width: Duration,
    phases: Vec<Phase>,
    points: Vec<Point>,
    sent: u64,
    ended: u64,
    /// What came to the end of each leg within the point.
    legs: [Times; 4],
    all_sent: u64,
    all_ended: u64,
}

impl Series {
    pub(super) fn new(scenario: &Scenario, start: Instant) -> Self {
        let seconds = scenario.duration().as_secs().div_ceil(u64::from(POINTS)).max(1);
        Self {
            start,
            width: Duration::from_secs(seconds),
            phases: scenario.phases.clone(),
            points: Vec::new(),
            sent: 0,
            ended: 0,
            legs: std::array::from_fn(|_| Times::default()),
            all_sent: 0,
            all_ended: 0,
        }
    }

    /// The seconds of a point.
    pub(super) fn width(&self) -> Duration {
        self.width
    }

    pub(super) fn see(&mut self, at: Instant, sign: Sign, time: Option<Duration>) {
        self.roll(at);
        match sign {
            Sign::Sent => {
                self.sent += 1;
                self.all_sent += 1;
            }
            Sign::Ended => {
                self.ended += 1;
                self.all_ended += 1;
            }
            Sign::Leg(leg) => self.legs[leg.place()].record(time.unwrap_or_default()),
        }
    }

    /// Closes the points that are over. What is told later than it happened counts where it is told.
    pub(super) fn roll(&mut self, now: Instant) {
        while now >= self.start + self.width * (self.place() + 1) && self.place() < 2 * POINTS {
            self.close();
        }
    }

    fn place(&self) -> u32 {
        u32::try_from(self.points.len()).unwrap_or(u32::MAX)
    }

    fn close(&mut self) {
        let begin = self.width * self.place();
        let quantile = |times: &Times, at| times.value(Statistic::Quantile(at));
        let seconds = self.width.as_secs_f64();
        let rate = |count: u64| super::as_f64(count) / seconds;
        self.points.push(Point {
            second: begin.as_secs_f64(),
            target: rate_at(&self.phases, begin + self.width / 2),
            sent: rate(self.sent),
            acked: rate(self.legs[Leg::Ack.place()].count()),
            committed: rate(self.legs[Leg::Commit.place()].count()),
            completed: rate(self.legs[Leg::Complete.place()].count()),
            ended: rate(self.ended),
            open: self.all_sent.saturating_sub(self.all_ended),
            p50: self.legs.each_ref().map(|times| quantile(times, 0.5)),
            p99: self.legs.each_ref().map(|times| quantile(times, 0.99)),
        });
        self.sent = 0;
        self.ended = 0;
        self.legs.iter_mut().for_each(Times::clear);
    }

    /// The last whole point.
    pub(super) fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Series, Sign};
    use crate::scenario::Scenario;
    use crate::scenario::objective::Leg;

    fn series(over: &str) -> (Series, Instant) {
        let text =
            format!("schema = \"doorbuster-loadtest/1\"\n[[phases]]\nrate = \"2/s\"\nover = \"{over}\"\n");
        let start = Instant::now();
        (Series::new(&Scenario::parse("t", &text, None).unwrap(), start), start)
    }

    #[tokio::test(start_paused = true)]
    async fn each_second_has_its_own_percentiles_and_rates() {
        let (mut series, start) = series("10s");
        series.see(start, Sign::Sent, None);
        series.see(start + Duration::from_millis(500), Sign::Leg(Leg::Ack), Some(Duration::from_millis(7)));
        series.see(
            start + Duration::from_millis(2_100),
            Sign::Leg(Leg::Ack),
            Some(Duration::from_millis(70)),
        );
        series.roll(start + Duration::from_secs(3));
        let points = series.points();
        assert_eq!(points.len(), 3);
        assert!((points[0].sent - 1.0).abs() < 1e-9 && (points[0].target - 2.0).abs() < 1e-9);
        assert!(points[0].p99[0].is_some_and(|p99| (p99 - 7.0).abs() < 0.1));
        assert_eq!(points[1].p99[0], None);
        assert!(points[2].p99[0].is_some_and(|p99| (p99 - 70.0).abs() < 0.1));
        assert_eq!(points[2].open, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_run_has_wider_points_and_never_too_many() {
        let (mut series, start) = series("8h");
        assert_eq!(series.width(), Duration::from_secs(16));
        series.roll(start + Duration::from_hours(100));
        assert_eq!(series.points().len(), 3_600);
    }
}
