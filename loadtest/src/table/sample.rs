//! The middle of several runs, and between which of them the true middle lies.

/// Values of the same thing, measured one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample(Vec<f64>);

/// How sure an interval shall be that the true middle lies in it.
const SURE: f64 = 0.95;

impl Sample {
    /// Of these values, in any order.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Round by round the one divided by the other: what drifts from round to round drifts for both.
    pub fn ratio(over: &[f64], under: &[f64]) -> Self {
        Self::of(over.iter().zip(under).filter(|(_, under)| **under > 0.0).map(|(over, under)| over / under))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle value, or the mean of the two in the middle; none without values.
    pub fn median(&self) -> Option<f64> {
        let middle = self.len() / 2;
        match self.0.as_slice() {
            [] => None,
            values if values.len() % 2 == 1 => Some(values[middle]),
            values => Some(f64::midpoint(values[middle - 1], values[middle])),
        }
    }

    /// Between which values the true middle lies, whatever the values scatter like: as few of them as are needed to be sure
    /// in 95 of 100 cases, or all of them. With five values all of them are sure in 94 of 100 cases. None with fewer than
    /// two values.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let count = self.len();
        if count < 2 {
            return None;
        }
        let mut left_out = 0;
        // Leaving out one more at each end must still be sure enough.
        while 2 * (left_out + 1) < count && coverage(count, left_out + 1) >= SURE {
            left_out += 1;
        }
        Some((self.0[left_out], self.0[count - 1 - left_out]))
    }
}

/// How likely the true middle lies between the values that are left when so many are left out at each end: each value is above
/// it as likely as below it.
fn coverage(count: usize, left_out: usize) -> f64 {
    let mut ways = 1.0;
    let mut outside = 0.0;
    for below in 0..=left_out {
        outside += ways;
        ways *= real(count - below) / real(below + 1);
    }
    let all: f64 = (0..count).map(|_| 2.0).product();
    1.0 - 2.0 * outside / all
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::{Sample, coverage};

    #[test]
    fn given_five_values_when_the_interval_is_asked_for_then_it_is_all_of_them() {
        let sample = Sample::of([5.0, 1.0, 3.0, 4.0, 2.0]);
        assert_eq!(sample.median(), Some(3.0));
        assert_eq!(sample.interval(), Some((1.0, 5.0)));
        assert!((coverage(5, 0) - 0.9375).abs() < 1e-12);
    }

    #[test]
    fn given_many_values_when_the_interval_is_asked_for_then_the_ends_are_left_out() {
        let sample = Sample::of((1..=20).map(f64::from));
        assert_eq!(sample.median(), Some(10.5));
        // Tables of order statistics: the 6th and the 15th of 20 are sure in 95.9 of 100 cases.
        assert_eq!(sample.interval(), Some((6.0, 15.0)));
        assert!((coverage(20, 5) - 0.9586).abs() < 1e-4);
    }

    #[test]
    fn given_one_value_or_none_when_the_interval_is_asked_for_then_there_is_none() {
        assert_eq!(Sample::of([1.0]).interval(), None);
        assert_eq!(Sample::default().median(), None);
        assert_eq!(Sample::of([f64::NAN]).median(), None);
    }

    #[test]
    fn given_rounds_when_a_ratio_is_formed_then_it_is_formed_within_each_round() {
        let sample = Sample::ratio(&[10.0, 30.0, 8.0], &[5.0, 10.0, 0.0]);
        assert_eq!(sample.median(), Some(2.5));
    }
}
