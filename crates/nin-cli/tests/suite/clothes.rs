//! The drawn clothes of docs/clothes: `predict` gives the answers that the page there shows.

use std::path::Path;

use crate::program::nin;
use crate::workshop::words;

const PAGE: &str = include_str!("../../../../docs/clothes/README.md");
const CLOTHES: usize = 10;
/// Tolerance of a probability in percent: it is shown to a tenth, and rounding differs between CPUs.
const PERCENT_TOLERANCE: f64 = 0.5;

/// Parses `Shirt, 66.0 %`, which is bold if it is wrong.
fn class_and_percent(cell: &str) -> (String, f64) {
    let (class, percent) = cell.split_once(", ").unwrap();
    (class.replace('*', ""), percent.trim_end_matches(" %").parse().unwrap())
}

#[test]
fn predictions_for_the_drawings_match_their_page() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let line = "predict docs/clothes --format json";
    let answers = nin(&repository, &words(line)).json();
    let images = answers["images"].as_array().unwrap();
    assert_eq!((images.len(), answers["refused"].as_array().unwrap().len()), (CLOTHES, 0));

    let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| [")).collect();
    assert_eq!(rows.len(), CLOTHES);
    for (row, image) in rows.iter().zip(images) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [picture, label, first, second] = cells[..] else { panic!("{row}") };
        let name = picture.trim_start_matches('[').split(']').next().unwrap();
        assert_eq!(image["path"], format!("docs/clothes/{name}.png"));
        for (cell, entry) in [first, second].iter().zip(image["top"].as_array().unwrap()) {
            let (class, percent) = class_and_percent(cell);
            assert_eq!(entry["class"], class, "{row}");
            let probability = entry["probability"].as_f64().unwrap();
            assert!(
                (100.0 * probability - percent).abs() < PERCENT_TOLERANCE,
                "{row}: {probability}"
            );
        }
        // Wrong answers are bold.
        assert_eq!(first.starts_with("**"), class_and_percent(first).0 != label, "{row}");
        // Bright and transparent backgrounds are inverted; the sneaker's is grey.
        assert_eq!(image["inverted"], name != "sneaker", "{row}");
    }
}
