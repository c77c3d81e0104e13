//! `training.precision`, and `bench --layers`.

use std::path::Path;

use crate::program::{BENCH, Finished, command, finish, nin};
use crate::workshop::{Workshop, words};

const BF16: [&str; 4] = ["--set", "training.precision=bf16", "--epochs", "1"];

/// Returns whether the kernels multiply bf16 on this machine.
fn has_bf16() -> bool {
    let devices = nin(Path::new("."), &words("devices --format json")).json();
    let features: Vec<_> = devices["cpu_features"].as_array().unwrap().clone();
    let has = match devices["kernels"].as_str().unwrap() {
        "amx" | "portable-wide" | "portable-tiles" => true,
        // Intel's instruction is slower than fp32.
        "avx512" => {
            let is_intel = devices["cpu"].as_str().unwrap().contains("Intel");
            features.contains(&"avx512bf16".into()) && !is_intel
        }
        _ => false,
    };
    assert_eq!(devices["multiplies_bf16"], has, "{devices}");
    has
}

fn said_so(finished: &Finished) -> usize {
    finished.stderr.matches("computing in fp32").count()
}

#[test]
fn bf16_is_bit_identical_across_threads_and_backends() {
    let workshop = Workshop::new();
    for (run, more) in
        [("one", "--backend flex --threads 1"), ("three", "--backend ndarray --threads 3")]
    {
        let finished = workshop.train(run, &[&BF16[..], &words(more)].concat()).ok();
        assert_eq!(said_so(&finished), usize::from(!has_bf16()), "{}", finished.stderr);
    }
    assert!(workshop.weights("one") == workshop.weights("three"));

    let recipe = std::fs::read_to_string(workshop.path().join("one/recipe.toml")).unwrap();
    assert!(recipe.contains("precision = \"bf16\""), "{recipe}");
    // A network trained in bf16 is evaluated in bf16: the weights' metadata says so.
    let weights = workshop.weights("one");
    assert!(String::from_utf8_lossy(&weights).contains(r#"\"precision\":\"bf16\""#));
    workshop.train("fp32", &["--epochs", "1", "--backend", "flex"]).ok();
    let fp32 = workshop.weights("fp32");
    assert!(!String::from_utf8_lossy(&fp32).contains("precision"));
    assert!(fp32 != weights);
}

#[test]
fn without_the_instruction_bf16_falls_back_to_fp32_with_one_note() {
    let workshop = Workshop::new();
    let line = words("train --config small.toml --data data --progress none --epochs 1");
    let figures = |run: &str, more: &[&str]| {
        let mut command = command(workshop.path(), &[&line[..], &["--run", run], more].concat());
        command.env("NIN_CPU", "portable");
        let finished = finish(command).ok();
        (said_so(&finished), workshop.figures(run))
    };
    let (said, fp32) = figures("fp32", &[]);
    assert_eq!(said, 0);
    let (said, bf16) = figures("bf16", &BF16[..2]);
    assert_eq!(said, 1);
    assert_eq!(bf16, fp32);
}

#[test]
fn nin_cpu_overrides_the_instruction_set() {
    let devices = |kernels: &str| {
        let mut command = command(Path::new("."), &["devices", "--format", "json"]);
        command.env("NIN_CPU", kernels);
        finish(command)
    };
    for kernels in ["portable", "portable-wide"] {
        assert_eq!(devices(kernels).json()["kernels"], kernels);
    }
    let Finished { code, stderr, .. } = devices("sse9");
    assert_eq!(code, Some(1));
    let error = "error: `NIN_CPU`: no instruction set is called `sse9`, expected one of `portable`";
    assert!(stderr.starts_with(error), "{stderr}");
}

#[test]
fn bench_times_every_layer() {
    let table = nin(Path::new("."), &[&BENCH[..], &["--layers"]].concat()).json();
    let layers = table["layers"].as_array().unwrap();
    assert!(table["peak_gflops"].as_f64().unwrap() > 0.0);
    assert!(layers.iter().filter(|layer| layer["macs"] != 0).count() % 3 == 0, "{table}");
    for layer in layers {
        assert!(layer["forward_ms"].as_f64().unwrap() > 0.0, "{layer}");
        assert!(layer["backward_ms"].as_f64().unwrap() > 0.0, "{layer}");
    }
}
