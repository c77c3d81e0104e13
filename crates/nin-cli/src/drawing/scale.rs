//! Round numbers along an axis.

/// Ticks of an axis, about.
const TICKS: f64 = 5.0;

/// Returns a handful of round numbers from `low` to `high`.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step * (1.0 + 1e-9)).floor() as i64;
    // An integer over a divisor where the step is a fraction: 0.3, not 0.30000000000000004.
    (first..=last)
        .map(|number| {
            let number = number as f64;
            if step < 1.0 { number / (1.0 / step).round() } else { number * step }
        })
        .collect()
}

/// Formats a tick's value without trailing zeros.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.0, 2.6), [0.0, 1.0, 2.0]);
        assert_eq!(short(0.25), "0.25");
    }
}
