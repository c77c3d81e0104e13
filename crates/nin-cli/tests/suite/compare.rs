//! `compare`.

use std::fs;

use crate::program::nin;
use crate::workshop::{Workshop, words};

#[test]
fn compare_lists_runs_and_the_keys_that_differ() {
    let workshop = Workshop::new();
    workshop.train("one", &words("--backend flex --epochs 2")).ok();
    workshop.train("two", &words("--backend flex --epochs 3 --learning-rate 0.02")).ok();
    let line = "compare one two --output both.svg";
    let finished = nin(workshop.path(), &words(line)).ok();
    for part in [
        "\none ",
        " 2/2 ",
        "\ntwo ",
        " 3/3 ",
        "2 of 2 ended: test acc median ",
        "recipe keys that differ:",
        "  optimizer.learning_rate\n    one: 0.01\n    two: 0.02",
        "  training.epochs\n    one: 2\n    two: 3",
    ] {
        assert!(finished.stdout.contains(part), "{part}: {}", finished.stdout);
    }
    let svg = fs::read_to_string(workshop.path().join("both.svg")).unwrap();
    for part in ["test accuracy", "training loss", "one", "two"] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("NaN"));
    let json = nin(workshop.path(), &words("compare one two --format json")).json();
    assert_eq!(json["differences"][0]["key"], "optimizer.learning_rate");
    assert_eq!(json["differences"][0]["values"][1], "0.02");
    let figures = &workshop.figures("two")[2];
    assert_eq!(
        (&json["runs"][1]["train_loss"], &json["runs"][1]["test_accuracy"]),
        (&figures[0], &figures[2])
    );
    let no = serde_json::Value::Bool(false);
    assert_eq!((&json["runs"][1]["dead"], &json["runs"][1]["at_chance"]), (&no, &no));
}

#[test]
fn runs_of_every_state_have_a_row() {
    let workshop = Workshop::new();
    workshop.train("run", &words("--backend flex --epochs 2")).ok();
    let path = workshop.path();
    for name in ["empty", "cut"] {
        fs::create_dir(path.join(name)).unwrap();
        fs::copy(path.join("run/recipe.toml"), path.join(name).join("recipe.toml")).unwrap();
    }
    let metrics = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    let second = metrics.match_indices("\"epoch\":2").next().unwrap().0;
    fs::write(path.join("cut/metrics.jsonl"), &metrics[..second]).unwrap();
    let finished = nin(path, &words("compare run cut empty --output all.svg")).ok();
    assert_eq!(finished.stdout.matches("unfinished").count(), 2, "{}", finished.stdout);
    assert!(finished.stdout.contains("1 of 3 ended"), "{}", finished.stdout);
    let alone = nin(path, &words("compare empty")).ok();
    assert!(alone.stdout.contains("no run has ended yet"), "{}", alone.stdout);

    for (name, said) in
        [("data", "the folder contains no run"), ("nowhere", "no such file or folder")]
    {
        let refused = nin(path, &["compare", name]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
    }
}
