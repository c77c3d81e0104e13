//! The resize is bit-identical to PIL's.

use nin_preprocessing::Resizer;

/// Written by `resize_golden.py` with Pillow 11.3.0.
const GOLDEN: &str = include_str!("resize_golden.txt");

fn pixels(height: usize, width: usize) -> Vec<u8> {
    (0..height * width).map(|at| ((at as u32).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn every_size_matches_pil() {
    let mut checked = 0;
    for line in GOLDEN.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [height, width, new_height, new_width] =
            [0, 1, 2, 3].map(|at| fields[at].parse::<usize>().unwrap());
        let mut resized = Vec::new();
        Resizer::new([height, width], [new_height, new_width])
            .resize(&pixels(height, width), &mut resized);
        assert_eq!(format!("{:016x}", fnv1a(&resized)), fields[4], "{line}");
        checked += 1;
    }
    assert_eq!(checked, 512);
}
