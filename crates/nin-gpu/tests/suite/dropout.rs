//! Dropout against the generator on the host.

use nin_gpu::Dropout;
use nin_random::{Purpose, Stream};

use crate::adapter::{client, read, write};
use crate::oracle::numbers;

#[test]
fn values_are_dropped_by_the_words_of_the_host() {
    let Some(client) = client() else { return };
    let stream = Stream::new(7, Purpose::Dropout, [3, 11]);
    let (key, upper) = stream.parts();
    // From the middle of a block; across the carry into the upper half of the position; more than one workgroup.
    for (first_word, len) in [(0, 1), (1, 3), (6, 9), ((1 << 34) - 5, 12), (2, 5000)] {
        let (threshold, scale) = (1 << 30, 4.0 / 3.0);
        let values = numbers(len, 1);
        let dropout = Dropout { key, upper, first_word, threshold, scale };
        let found = dropout.apply(&client, len, &write(&client, &values)).unwrap();
        let factor = |at: usize| {
            if stream.word(first_word + at as u64) < threshold { 0.0 } else { scale }
        };
        let expected: Vec<f32> =
            values.iter().enumerate().map(|(at, value)| value * factor(at)).collect();
        assert_eq!(read(&client, found), expected, "{first_word}, {len}");
        if len > 1000 {
            let dropped = expected.iter().filter(|&&value| value == 0.0).count();
            assert!((len / 5..len / 3).contains(&dropped), "{dropped}");
        }
    }
}
