//! A line chart as SVG that needs nothing from outside: colours come from the page, values are told by a small script of its own.

use std::fmt::Write as _;

use super::markup::{embedded, escaped};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 30.0;

/// How values of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero, evenly.
    Number,
    /// Milliseconds in powers of ten.
    Milliseconds,
    /// Seconds since the beginning.
    Seconds,
    /// Percentiles, by the number of nines: each step halves, then tenths what is left.
    Nines,
}

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// Which of the page's colours, from 1.
    pub(super) colour: usize,
    pub(super) is_dashed: bool,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A part of the x axis that is shaded.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) label: String,
    /// `phase`, `fault`, `moment` or `warmup`.
    pub(super) kind: &'static str,
}

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// The word behind the values of y.
    pub(super) unit: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) bands: Vec<Band>,
    /// Limits: value and name.
    pub(super) limits: Vec<(f64, String)>,
}

/// The ends of the axes.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    is_log: bool,
}

impl Frame {
    fn left(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn top(&self, y: f64) -> f64 {
        let (least, most) = self.y;
        let part = if self.is_log {
            (y.max(least).log10() - least.log10()) / (most.log10() - least.log10())
        } else {
            (y - least) / (most - least)
        };
        HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

impl Chart {
    /// The figure, with legend and data. Writing into a string does not fail, so the results of that are dropped.
    pub(super) fn figure(&self) -> String {
        let frame = self.frame();
        let mut out =
            format!("<figure class=\"chart\"><figcaption>{}</figcaption><p class=\"legend\">", self.title);
        for line in &self.lines {
            let dashed = if line.is_dashed { " dashed" } else { "" };
            let _ =
                write!(out, "<span class=\"key s{}{dashed}\"></span>{} ", line.colour, escaped(&line.name));
        }
        let _ = write!(
            out,
            "</p><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" data-left=\"{LEFT}\" data-right=\"{RIGHT}\">",
            self.title
        );
        self.bands(&frame, &mut out);
        self.axes(&frame, &mut out);
        for (limit, name) in &self.limits {
            if (frame.y.0..=frame.y.1).contains(limit) {
                let y = frame.top(*limit);
                let right = WIDTH - RIGHT;
                let _ = write!(
                    out,
                    "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"limit\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    right - 4.0,
                    y - 4.0,
                    escaped(name)
                );
            }
        }
        for line in &self.lines {
            let dashed = if line.is_dashed { " dashed" } else { "" };
            let path = path(&frame, &line.points);
            let _ = write!(out, "<path class=\"line s{}{dashed}\" d=\"{path}\"/>", line.colour);
        }
        let _ = write!(out, "<line class=\"cursor\" y1=\"{TOP}\" y2=\"{}\"/></svg>", HEIGHT - BOTTOM);
        let _ = write!(out, "<script type=\"application/json\">{}</script></figure>", self.data(&frame));
        out
    }

    fn frame(&self) -> Frame {
        let all = || self.lines.iter().flat_map(|line| line.points.iter());
        let values = || all().filter_map(|(_, y)| *y).filter(|y| y.is_finite());
        let most_x = all().map(|(x, _)| *x).fold(0.0, f64::max).max(1e-9);
        let most = values().fold(0.0, f64::max);
        let is_log = self.y == Scale::Milliseconds;
        let y = if is_log {
            let least = values().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
            let least = if least.is_finite() { least } else { 1.0 };
            let (least, most) = (least.log10().floor(), most.max(least).log10().ceil());
            (10_f64.powf(least), 10_f64.powf(most.max(least + 1.0)))
        } else {
            let step = nice(most / 4.0);
            (0.0, (most / step).ceil().max(1.0) * step)
        };
        Frame { x: (0.0, most_x), y, is_log }
    }

    fn bands(&self, frame: &Frame, out: &mut String) {
        for (place, band) in self.bands.iter().enumerate() {
            let (from, to) = (frame.left(band.from.min(frame.x.1)), frame.left(band.to.min(frame.x.1)));
            let stripe = if place % 2 == 1 { " odd" } else { "" };
            let _ = write!(
                out,
                "<rect class=\"band {}{stripe}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>",
                band.kind,
                (to - from).max(2.0),
                HEIGHT - TOP - BOTTOM,
                escaped(&band.label)
            );
            // A label that is wider than its band is only in the title.
            let width = f64::from(u32::try_from(band.label.chars().count()).unwrap_or(u32::MAX)) * 6.2;
            if width < to - from && band.kind == "phase" {
                let _ = write!(
                    out,
                    "<text class=\"band\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    from + 3.0,
                    TOP - 7.0,
                    escaped(&band.label)
                );
            } else if matches!(band.kind, "fault" | "moment") {
                let _ = write!(
                    out,
                    "<text class=\"fault\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    from + 4.0,
                    TOP + 13.0,
                    escaped(&band.label)
                );
            }
        }
    }

    fn axes(&self, frame: &Frame, out: &mut String) {
        let right = WIDTH - RIGHT;
        for y in ticks_y(frame) {
            let top = frame.top(y);
            let label = if frame.is_log { milliseconds(y) } else { number(y) };
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{top:.1}\" y2=\"{top:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                top + 4.0
            );
        }
        let bottom = HEIGHT - BOTTOM + 16.0;
        for (x, label) in ticks_x(self.x, frame.x.1) {
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"middle\">{label}</text>",
                frame.left(x)
            );
        }
        let base = HEIGHT - BOTTOM;
        let _ =
            write!(out, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{base}\" y2=\"{base}\"/>");
    }

    /// What the script needs to tell values.
    fn data(&self, frame: &Frame) -> String {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(
                |line| serde_json::json!({ "name": line.name, "colour": line.colour, "points": line.points }),
            )
            .collect();
        let x = if self.x == Scale::Nines { "nines" } else { "seconds" };
        embedded(
            &serde_json::json!({ "x": x, "most": frame.x.1, "unit": self.unit, "lines": lines }).to_string(),
        )
    }
}

fn path(frame: &Frame, points: &[(f64, Option<f64>)]) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (x, y) in points {
        let Some(y) = y else {
            is_drawing = false;
            continue;
        };
        let command = if is_drawing { 'L' } else { 'M' };
        is_drawing = true;
        let _ = write!(path, "{command}{:.1} {:.1}", frame.left(*x), frame.top(*y));
    }
    path
}

/// 1, 2 or 5 times a power of ten, not below `rough`.
fn nice(rough: f64) -> f64 {
    if rough <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power)
}

fn ticks_y(frame: &Frame) -> Vec<f64> {
    let (least, most) = frame.y;
    let next: &dyn Fn(f64) -> f64 = if frame.is_log { &|y| y * 10.0 } else { &|y| y + nice(most / 5.0) };
    std::iter::successors(Some(least), |y| Some(next(*y)).filter(|y| *y <= most * 1.001)).take(12).collect()
}

/// Seconds between two marks of a time axis.
const STEPS: [u32; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200];

fn ticks_x(scale: Scale, most: f64) -> Vec<(f64, String)> {
    if scale == Scale::Nines {
        let all = [
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.9, "90 %"),
            (0.99, "99 %"),
            (0.999, "99.9 %"),
            (0.9999, "99.99 %"),
            (0.99999, "99.999 %"),
        ];
        return all
            .into_iter()
            .map(|(part, label)| (nines(part), label.to_owned()))
            .filter(|(x, _)| *x <= most)
            .collect();
    }
    let step = STEPS.into_iter().map(f64::from).find(|step| most / step <= 10.0).unwrap_or(most / 5.0);
    let seconds = std::iter::successors(Some(0.0), |x| Some(x + step).filter(|x| *x <= most));
    let label = |x: f64| {
        std::time::Duration::try_from_secs_f64(x)
            .map_or_else(|_| String::new(), crate::scenario::quantity::written)
    };
    seconds.take(20).map(|x| (x, if x > 0.0 { label(x) } else { "0".to_owned() })).collect()
}

/// Where a percentile stands on its axis.
pub(super) fn nines(part: f64) -> f64 {
    -(1.0 - part).max(1e-6).log10()
}

fn milliseconds(value: f64) -> String {
    if value >= 1_000.0 { format!("{} s", value / 1_000.0) } else { format!("{value} ms") }
}

fn number(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{}k", value / 1_000.0)
    } else {
        format!("{}", (value * 1_000.0).round() / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chart, Line, Scale, nice, nines, ticks_x};

    #[test]
    fn steps_are_those_that_people_count_in() {
        assert!(
            (nice(13.0) - 20.0).abs() < 1e-9
                && (nice(0.4) - 0.5).abs() < 1e-9
                && (nice(0.0) - 1.0).abs() < 1e-9
        );
        assert!((nines(0.99) - 2.0).abs() < 1e-9);
        let labels: Vec<String> = ticks_x(Scale::Seconds, 90.0).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "10s", "20s", "30s", "40s", "50s", "1m", "1m10s", "1m20s", "1m30s"]);
    }

    #[test]
    fn a_chart_breaks_its_line_where_nothing_was_measured_and_escapes_names() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(100.0)), (3.0, Some(10.0))];
        let line = Line { name: "a<b".to_owned(), colour: 1, is_dashed: false, points };
        let chart = Chart {
            title: "t",
            x: Scale::Seconds,
            y: Scale::Milliseconds,
            unit: "ms",
            lines: vec![line],
            bands: Vec::new(),
            limits: vec![(10.0, "limit".to_owned())],
        };
        let figure = chart.figure();
        assert!(figure.contains("a&lt;b") && figure.contains("class=\"limit\""), "{figure}");
        let path = figure.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(!path.contains("NaN"));
    }

    #[test]
    fn a_chart_of_nothing_is_still_a_chart() {
        let chart = Chart {
            title: "t",
            x: Scale::Seconds,
            y: Scale::Milliseconds,
            unit: "ms",
            lines: Vec::new(),
            bands: Vec::new(),
            limits: Vec::new(),
        };
        assert!(!chart.figure().contains("NaN"), "{}", chart.figure());
    }
}
