//! Compares each operation with torchvision, byte for byte. `torchvision_golden.py` among the integration
//! tests wrote the golden file.

use super::colour::ColourChange;
use super::crop::Crop;
use super::rotation::rotate;

const GOLDEN: &str = include_str!("../../tests/suite/augmentation/torchvision_golden.txt");

/// Computes the bytes of an input like the function `pixels` of the script.
fn input(count: usize) -> Vec<u8> {
    let value = |at: usize| {
        let word = i64::from((at as u32).wrapping_mul(2_654_435_761) >> 13 & 0xff);
        (128 + ((word - 128) * at as i64).div_euclid(count as i64)) as u8
    };
    (0..count).map(value).collect()
}

/// Converts interleaved pixels to planes.
fn planes(bytes: &[u8], channels: usize) -> Vec<u8> {
    (0..channels)
        .flat_map(|channel| bytes.iter().skip(channel).step_by(channels).copied())
        .collect()
}

/// Converts planes to interleaved pixels.
fn pixels(planes: &[u8], channels: usize) -> Vec<u8> {
    let count = planes.len() / channels;
    (0..planes.len()).map(|at| planes[at % channels * count + at / channels]).collect()
}

fn change(name: char, factor: f32) -> ColourChange {
    match name {
        'b' => ColourChange::Brightness(factor),
        'c' => ColourChange::Contrast(factor),
        's' => ColourChange::Saturation(factor),
        'h' => ColourChange::Hue(factor),
        _ => panic!("no change `{name}`"),
    }
}

#[test]
fn every_operation_matches_torchvision() {
    let mut count = 0;
    for line in GOLDEN.lines().filter(|line| !line.starts_with("draw ")) {
        let fields: Vec<&str> = line.split(' ').collect();
        let channels = if fields[1] == "rgb" { 3 } else { 1 };
        let [width, height] = [2, 3].map(|at| fields[at].parse::<usize>().unwrap());
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        let mut image = planes(&input(width * height * channels), channels);
        match fields[0] {
            "crop" => {
                let [top, left, down, across, side] = [4, 5, 6, 7, 8].map(|at| number(at) as usize);
                let mut output = Vec::new();
                let crop = Crop { top, left, height: down, width: across };
                crop.append(&image, [height, width], [side, side], &mut output);
                image = output;
            }
            "rotate" => {
                let mut output = vec![0; image.len()];
                let plane = width * height;
                for (from, to) in image.chunks_exact(plane).zip(output.chunks_exact_mut(plane)) {
                    rotate(from, [height, width], number(4), to);
                }
                image = output;
            }
            "chain" => {
                for name in fields[4].chars() {
                    let at = 5 + "bcsh".find(name).unwrap();
                    change(name, number(at) as f32).apply(&mut image, width * height);
                }
            }
            name => {
                let name = name.chars().next().unwrap();
                change(name, number(4) as f32).apply(&mut image, width * height);
            }
        }
        let found = crate::checksum::hexadecimal(&pixels(&image, channels));
        assert_eq!(found, *fields.last().unwrap(), "{}", fields[..fields.len() - 1].join(" "));
        count += 1;
    }
    assert_eq!(count, 117);
}
