//! Splitting a whole number by weights so that the parts add up to it.

/// Splits `total` by `weights`: floor shares, then one more to the largest remainders, ties by lowest index.
///
/// The parts add up to `total`; no part exceeds its weight while `total` is at most the sum of the weights.
/// With all weights zero every part is zero. Weights and total must not be negative.
pub fn apportion(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 || total == 0 {
        return vec![0; weights.len()];
    }
    let products = weights.iter().map(|weight| i128::from(total) * i128::from(*weight));
    let mut shares = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, product) in products.enumerate() {
        shares.push(i64::try_from(product / sum).expect("a share is at most the total"));
        remainders.push((product % sum, index));
    }
    let missing =
        usize::try_from(total - shares.iter().sum::<i64>()).expect("floor shares never exceed the total");
    remainders.sort_by(|(left, left_index), (right, right_index)| {
        right.cmp(left).then(left_index.cmp(right_index))
    });
    for (_, index) in remainders.into_iter().take(missing) {
        shares[index] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::apportion;

    #[test]
    fn largest_remainders_win_and_ties_go_to_the_lowest_index() {
        assert_eq!(apportion(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(apportion(0, &[5, 5]), [0, 0]);
        assert_eq!(apportion(7, &[0, 0]), [0, 0]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_never_exceed_their_weight(weights in prop::collection::vec(0_i64..1_000_000, 1..40), share in 0_i64..=1000) {
            let sum: i64 = weights.iter().sum();
            let total = sum * share / 1000;
            let parts = apportion(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), if sum == 0 { 0 } else { total });
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*part >= 0 && part <= weight);
            }
        }
    }
}
