//! `shapes` and `devices`.

use std::path::Path;

use crate::program::nin;

#[test]
fn shapes_prints_the_books_ten_lines() {
    let finished = nin(Path::new("."), &["shapes", "--config", "d2l", "--format", "torch"]).ok();
    let expected = "\
Sequential output shape:\t torch.Size([1, 96, 54, 54])
MaxPool2d output shape:\t torch.Size([1, 96, 26, 26])
Sequential output shape:\t torch.Size([1, 256, 26, 26])
MaxPool2d output shape:\t torch.Size([1, 256, 12, 12])
Sequential output shape:\t torch.Size([1, 384, 12, 12])
MaxPool2d output shape:\t torch.Size([1, 384, 5, 5])
Dropout output shape:\t torch.Size([1, 384, 5, 5])
Sequential output shape:\t torch.Size([1, 10, 5, 5])
AdaptiveAvgPool2d output shape:\t torch.Size([1, 10, 1, 1])
Flatten output shape:\t torch.Size([1, 10])
";
    assert_eq!(finished.stdout, expected);
}

#[test]
fn json_has_the_published_parameter_counts() {
    for (name, parameters, macs, rows) in [
        ("d2l", 1_992_166, 762_297_352_u64, 10),
        ("paper-mnist", 349_674, 50_699_712, 9),
        ("paper-cifar10", 966_986, 222_486_528, 9),
        ("paper-cifar100", 984_356, 223_592_448, 9),
        ("paper-svhn", 1_986_026, 274_235_392, 9),
        ("imagenet", 7_595_176, 1_100_188_800, 10),
    ] {
        let shapes = nin(Path::new("."), &["shapes", "--config", name, "--format", "json"]).json();
        assert_eq!(shapes["parameters"], parameters, "{name}");
        assert_eq!(shapes["macs"], macs, "{name}");
        assert_eq!(shapes["layers"].as_array().unwrap().len(), rows, "{name}");
    }
}

#[test]
fn shapes_match_a_forward_pass() {
    for backend in ["ndarray", "flex"] {
        nin(Path::new("."), &["shapes", "--config", "paper-cifar10", "--backend", backend]).ok();
    }
}

#[test]
fn too_small_an_input_names_the_smallest_that_works() {
    let finished = nin(Path::new("."), &["shapes", "--config", "d2l", "--input", "1x66x66"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("nothing is left for pool 3"), "{}", finished.stderr);
    assert!(finished.stderr.contains("hint: the smallest square input that works is 67x67"));
}

#[test]
fn every_command_rejects_an_input_smaller_than_a_pooling_window() {
    let line = ["shapes", "--config", "quickstart", "--input", "1x4x4"];
    let finished = nin(Path::new("."), &line);
    let expected = "error: input 1x4x4 is too small: nothing is left for pool 2\n\
                    hint: the smallest square input that works is 6x6\n";
    assert_eq!((finished.code, &finished.stderr[..]), (Some(1), expected));
    let folder = tempfile::tempdir().unwrap();
    crate::program::write_shapes(folder.path(), 4, 30, 6);
    let train = ["train", "--data", ".", "--dataset", "own", "--run", "run", "--backend", "flex"];
    let sizes: [&[&str]; 2] = [&["--set", "data.input_size=0"], &["--set", "data.input_size=4"]];
    for size in sizes {
        let finished = nin(folder.path(), &[&train[..], size].concat());
        assert_eq!((finished.code, &finished.stderr[..]), (Some(1), expected));
        assert!(!folder.path().join("run").exists());
    }
    // The smallest size in the hint works.
    let six = ["--set", "data.input_size=6", "--epochs", "1", "--batch-size", "10"];
    nin(folder.path(), &[&train[..], &six].concat()).ok();
}

#[test]
fn devices_lists_every_backend() {
    let devices = nin(Path::new("."), &["devices", "--format", "json"]).json();
    let names: Vec<_> =
        devices["backends"].as_array().unwrap().iter().map(|backend| &backend["name"]).collect();
    assert_eq!(names, ["wgpu", "flex", "ndarray"]);
    assert!(devices["cpu_features"].is_array());
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let mut child = crate::program::command(Path::new("."), &["shapes", "--config", "d2l"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
