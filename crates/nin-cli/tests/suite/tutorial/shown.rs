//! Compares the output shown on a page with the actual output.

/// Stands for any number of lines.
const LEFT_OUT: &str = "...";
/// Tolerance relative to a figure with a decimal point, or to 1 if that is larger. Training differs a little
/// between instruction sets (portable kernels against AVX-512: 0.008). Another network, seed or recipe differs
/// far more.
const TOLERANCE: f64 = 0.03;
/// The units of speeds.
const SPEEDS: [&str; 5] = [" images/s", " images/sec", " examples/sec", " s\n", " ms"];

/// Describes the first difference.
pub(super) fn difference(shown: &str, printed: &str) -> Option<String> {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    if fits(&shown, &printed) {
        return None;
    }
    let missing = shown
        .iter()
        .find(|line| **line != LEFT_OUT && !printed.iter().any(|printed| same_line(line, printed)));
    Some(match missing {
        Some(line) => format!("the page shows a line that was not printed: {line}"),
        None => "the page's lines are all there, but in another order, or others between them"
            .to_owned(),
    })
}

fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, _) => printed.is_empty(),
        (Some((&LEFT_OUT, rest)), _) => {
            (0..=printed.len()).any(|skip| fits(rest, &printed[skip..]))
        }
        (Some((line, rest)), Some((first, others))) => same_line(line, first) && fits(rest, others),
        (Some(_), None) => false,
    }
}

fn same_line(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (pieces(&anonymous(shown)), pieces(&anonymous(printed)));
    let same = |(one, other): (&Piece, &Piece)| match (one, other) {
        (Piece::Text(one), Piece::Text(other)) => one == other,
        (Piece::Number(one), Piece::Number(other)) => same_number(one, other),
        _ => false,
    };
    shown.len() == printed.len() && shown.iter().zip(&printed).all(same)
}

/// Compares whole numbers exactly, and numbers with a decimal point within the tolerance.
fn same_number(shown: &str, printed: &str) -> bool {
    if !(shown.contains('.') && printed.contains('.')) {
        return shown == printed;
    }
    match (shown.parse::<f64>(), printed.parse::<f64>()) {
        (Ok(shown), Ok(printed)) => (shown - printed).abs() <= TOLERANCE * shown.abs().max(1.0),
        _ => shown == printed,
    }
}

/// Removes what differs between machines: backend, device, speed, time left.
fn anonymous(line: &str) -> String {
    let mut line = format!("{line}\n");
    for backend in ["wgpu on ", "flex on ", "ndarray on "] {
        if let Some(at) = line.find(backend) {
            // Device names may have parentheses; the last ones have the reason for the choice.
            let reason = line[at..].rfind(" (").map_or(at, |reason| at + reason);
            let end = line[reason..].find(')').map_or(line.len(), |end| reason + end + 1);
            line.replace_range(at..end, "<backend on device>");
        }
    }
    if let Some(at) = line.find(" examples/sec on ") {
        line.truncate(at + " examples/sec on ".len());
    }
    for backend in [" with wgpu", " with flex", " with ndarray"] {
        line = line.replace(backend, " with <backend>");
    }
    if let (Some(rate), Some(left)) = (line.find(" images/s, "), line.rfind(" left")) {
        line.replace_range(rate + " images/s, ".len()..left, "<time>");
    }
    for speed in SPEEDS {
        if let Some(at) = line.find(speed) {
            let start = line[..at].rfind(|letter: char| !letter.is_ascii_digit() && letter != '.');
            line.replace_range(start.map_or(0, |start| start + 1)..at, "<figure>");
        }
    }
    line
}

#[derive(Debug, PartialEq)]
enum Piece {
    /// Text with collapsed spaces, because a column is as wide as its widest number.
    Text(String),
    /// Digits, optionally with a decimal point and more digits.
    Number(String),
}

fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = if is_number {
            number_end(rest)
        } else {
            rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len())
        };
        let (piece, after) = rest.split_at(end);
        pieces.push(if is_number {
            Piece::Number(piece.to_owned())
        } else {
            let ends = |yes| if yes { " " } else { "" };
            let words: Vec<_> = piece.split_whitespace().collect();
            let (before, behind) = (piece.starts_with(' '), piece.ends_with(' '));
            Piece::Text(format!("{}{}{}", ends(before), words.join(" "), ends(behind)))
        });
        rest = after;
    }
    pieces
}

fn number_end(text: &str) -> usize {
    let digits =
        |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    let behind = text[whole..].strip_prefix('.').map_or(0, digits);
    if behind == 0 { whole } else { whole + 1 + behind }
}

#[test]
fn only_speeds_devices_and_last_digits_may_differ() {
    let shown = "epoch 1/2: loss 1.335, test acc 0.663 (best), 1332.6 images/s, 5 s";
    assert!(same_line(shown, "epoch 1/2: loss 1.331, test acc 0.660 (best), 99.0 images/s, 61 s"));
    assert!(!same_line(shown, "epoch 1/2: loss 1.435, test acc 0.663 (best), 99.0 images/s, 5 s"));
    assert!(!same_line(shown, "epoch 2/2: loss 1.335, test acc 0.663 (best), 99.0 images/s, 5 s"));
    assert!(!same_line(shown, "epoch 1/2: loss 1.335, test acc 0.663, 1332.6 images/s, 5 s"));
    let step = |rate: &str, left: &str| format!("step 1/2: loss 0.1, {rate} images/s, {left} left");
    assert!(same_line(&step("9.5", "1 second"), &step("200.1", "2 minutes")));
    let on = |backend: &str| format!("{backend}; run folder first");
    assert!(same_line(&on("flex on a CPU (requested)"), &on("wgpu on a GPU (it was found)")));
    let xeon = on("flex on Intel(R) Xeon(R) Processor (requested)");
    assert!(same_line(&on("flex on a CPU (requested)"), &xeon));
    assert!(!same_line(&xeon, "flex on Intel(R) Xeon(R) Processor (requested); run folder x"));
    assert!(!same_line(
        &on("flex on a CPU (requested)"),
        "flex on a CPU (requested); run folder x"
    ));
    assert!(same_line("983.2 examples/sec on AMD EPYC", "8.2 examples/sec on something else"));
    assert!(!same_line("block 1  1x96  30,336", "block 1  1x96  30,337"));
    assert!(same_line("a   1.00  2", "a 1.01 2") && !same_line("a 1.0", "b 1.0"));
}

#[test]
fn left_out_lines_are_any_number_and_the_others_stand_in_order() {
    let printed = "one\ntwo\nthree\n";
    for (shown, is_same) in [
        ("one\ntwo\nthree\n", true),
        ("...\nthree\n", true),
        ("one\n...\n", true),
        ("one\n...\ntwo\n...\nthree\n", true),
        ("one\nthree\n", false),
        ("...\ntwo\n", false),
        ("", false),
        ("two\n...\none\n", false),
    ] {
        assert_eq!(difference(shown, printed).is_none(), is_same, "{shown}");
    }
}
