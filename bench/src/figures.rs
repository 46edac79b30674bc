//! Numbers and how they are written.

/// The values of one figure, one a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn median(&self) -> f64 {
        match self.0.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => self.0[n / 2],
            n => f64::midpoint(self.0[n / 2 - 1], self.0[n / 2]),
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The median, and the range where there is one.
    pub(crate) fn show(&self) -> String {
        if self.0.len() < 2 {
            return number(self.median());
        }
        let (min, max) = (number(self.min()), number(self.max()));
        format!("{} ({min} to {max})", number(self.median()))
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        let mut sample = Self::default();
        values.into_iter().for_each(|value| sample.add(value));
        sample
    }
}

/// The values of many events, to ask for percentiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn add(&mut self, values: impl IntoIterator<Item = u64>) {
        self.0.extend(values);
        self.0.sort_unstable();
    }

    /// The value below which so many of a thousand lie, in milliseconds if they are nanoseconds.
    pub(crate) fn ms(&self, per_mille: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        // The rank is rounded up: a percentile is not below what was seen.
        let rank = (last * per_mille).div_ceil(1000);
        self.0.get(rank).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Three digits that matter, with separators.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "-".into();
    }
    let size = value.abs();
    if size >= 1000.0 {
        let step = 10_f64.powf(size.log10().floor() - 2.0);
        return separated((value / step).round() * step);
    }
    match size {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        0.0 => "0".into(),
        _ => format!("{value:.3}"),
    }
}

/// A count, with separators.
pub(crate) fn count(value: impl TryInto<u64>) -> String {
    separated(value.try_into().unwrap_or(u64::MAX) as f64)
}

fn separated(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as MB.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let written: Vec<_> = [
            0.0,
            0.0123,
            0.5,
            12.34,
            123.4,
            1234.0,
            101_349.0,
            1_234_567.0,
        ]
        .map(number)
        .to_vec();
        assert_eq!(
            written,
            [
                "0",
                "0.012",
                "0.50",
                "12.3",
                "123",
                "1,230",
                "101,000",
                "1,230,000"
            ]
        );
    }

    #[test]
    fn medians_and_percentiles_lie_in_the_middle() {
        let sample: Sample = [3.0, 1.0, 2.0, 10.0].into_iter().collect();
        assert!((sample.median() - 2.5).abs() < 1e-9);
        let mut spread = Spread::default();
        spread.add((1..=1000).map(|n| n * 1_000_000));
        assert!((spread.ms(500) - 501.0).abs() < 1e-9);
        assert!((spread.ms(1000) - 1000.0).abs() < 1e-9);
    }
}
