//! `find`: the search for a recipe.

use std::fs;

use serde_json::Value;

use crate::program::{command, metrics, nin};
use crate::signals::Running;
use crate::workshop::{Workshop, words};

const SMALL: &str = "find --config small.toml --data data --backend flex --epochs 4 --trials 4";

#[test]
fn a_search_compares_trials_on_held_out_images_and_writes_a_recipe_that_trains() {
    let workshop = Workshop::new();
    let line = format!("{SMALL} --progress none --run search --output better.toml --format json");
    let finished = nin(workshop.path(), &words(&line)).ok();
    for said in [
        "trials and their epochs: 4 for 2, 2 for 4; in all, 4.0 to 5.0 times the training",
        "rung 1 of 2, training 4 of 4: trial 4, 2 epochs",
        "train it with: nin-cli train --data data --config better.toml",
    ] {
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    }
    let result = finished.json();
    // A tenth of the 210 training images.
    assert_eq!(result["images"], 21);
    let trainings = result["trainings"].as_array().unwrap();
    let of = |epochs: u64| -> Vec<&Value> {
        trainings.iter().filter(|training| training["epochs"] == epochs).collect()
    };
    assert_eq!(of(2).len(), 4);
    assert!([2, 3].contains(&of(4).len()), "{result}");
    // The recipe itself, as it is.
    let [first, second] = [of(2)[0], of(4)[0]];
    for recipe in [first, second] {
        assert_eq!((&recipe["trial"], &recipe["learning_rate"]), (&1.into(), &0.01.into()));
        assert_eq!((&recipe["weight_decay"], &recipe["dropout"]), (&0.0.into(), &0.1.into()));
    }
    let accuracy = |of: &Value| of["accuracy"].as_f64().unwrap();
    let highest = trainings.iter().map(accuracy).fold(0.0, f64::max);
    assert_eq!(accuracy(&result["found"]), highest);
    let recipes = [first, second].map(accuracy).into_iter().fold(0.0, f64::max);
    assert!((result["gain"].as_f64().unwrap() - (highest - recipes)).abs() < 1e-12, "{result}");

    // No training saw the test images.
    for training in trainings {
        let [trial, epochs] = ["trial", "epochs"].map(|key| &training[key]);
        let run = format!("search/trial-{trial}-epochs-{epochs}");
        let events = metrics(&workshop.path().join(&run));
        let epochs: Vec<&Value> = events.iter().filter(|event| event["event"] == "epoch").collect();
        assert!(!epochs.is_empty(), "{run}");
        assert!(epochs.iter().all(|epoch| epoch["validation_accuracy"].is_number()), "{run}");
        assert!(events.iter().all(|event| event["test_accuracy"].is_null()), "{run}");
    }

    let [found, copy] = ["search/found.toml", "better.toml"]
        .map(|file| fs::read_to_string(workshop.path().join(file)).unwrap());
    assert!(found == copy && found.starts_with("# Found by `nin-cli find`: "), "{found}");
    let epochs = &result["found"]["epochs"];
    assert!(found.contains(&format!("\nepochs = {epochs}\n")), "{found}");
    let train = "train --data data --config better.toml --backend flex --progress none";
    nin(workshop.path(), &words(train)).ok();
}

#[test]
fn an_interrupted_search_resumes_and_finds_the_same() {
    let workshop = Workshop::new();
    nin(workshop.path(), &words(&format!("{SMALL} --run whole --progress none"))).ok();

    let line = format!("{SMALL} --run cut --progress json");
    let mut running = Running::start_command(command(workshop.path(), &words(&line)));
    running.wait_for("training 3 of 4");
    running.wait_for(r#""event":"step""#);
    running.signal("-INT");
    let finished = running.finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(130), ""), "{}", finished.stderr);
    let last = finished.stderr.lines().last().unwrap();
    let resume = last.split_once("resume with: nin-cli ").unwrap().1;
    assert_eq!(resume, "find --run cut --resume --data data --backend flex");
    nin(workshop.path(), &words(resume)).ok();
    for file in ["search.json", "found.toml"] {
        let [whole, cut] = ["whole", "cut"]
            .map(|run| fs::read_to_string(workshop.path().join(run).join(file)).unwrap());
        assert_eq!(whole, cut, "{file}");
    }
}

#[test]
fn a_search_refuses_what_it_cannot_do() {
    let workshop = Workshop::new();
    let taken = format!("{SMALL} --run data");
    let cases = [
        ("find --run none --resume --backend flex", 1, "none"),
        ("find --resume --epochs 3 --backend flex", 2, "cannot be used with"),
        ("find --trials 1", 2, "1 is not in 2..=256"),
        (&taken, 1, "`data` is not empty"),
        (
            "find --config small.toml --data data --backend flex --progress none --trials 2 \
             --epochs 1 --run wild --set optimizer.learning_rate=1e30",
            1,
            "every training diverged",
        ),
    ];
    for (line, code, said) in cases {
        let finished = nin(workshop.path(), &words(line));
        assert_eq!(finished.code, Some(code), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{line}: {}", finished.stderr);
    }
}
