//! `predict` over folders: every format streams, and nothing is lost or overwritten.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use image::{GrayImage, ImageFormat};
use nin_model::Fit;
use serde_json::Value;

use crate::odd_pictures::write_network;
use crate::predict::encoded;
use crate::program::{command, kill, nin};
use crate::workshop::words;

fn picture(seed: usize) -> Vec<u8> {
    let pixels = (0..600).map(|at| (at * (seed + 3) * 31 % 256) as u8).collect();
    encoded(&GrayImage::from_raw(30, 20, pixels).unwrap().into(), ImageFormat::Png)
}

/// Returns a folder with a network and `count` pictures in `photos`.
fn root(count: usize) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write_network(&root.path().join("network"), 1, Some(Fit::Stretch), "photos");
    fs::create_dir(root.path().join("photos")).unwrap();
    for at in 0..count {
        fs::write(root.path().join(format!("photos/{at:05}.png")), picture(at)).unwrap();
    }
    root
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn folders_are_searched_recursively_and_other_files_are_counted() {
    let root = root(2);
    let photos = root.path().join("photos");
    fs::create_dir_all(photos.join("deep/deeper")).unwrap();
    fs::write(photos.join("deep/deeper/one.PNG"), picture(7)).unwrap();
    for name in ["._00000.png", ".hidden.png", "Thumbs.db", "notes.txt", "phone.heic"] {
        fs::write(photos.join(name), "x").unwrap();
    }
    fs::create_dir(photos.join("__MACOSX")).unwrap();
    symlink(&photos, photos.join("deep/loop")).unwrap();
    make_pipe(&photos.join("pipe.png"));
    let finished =
        nin(root.path(), &words("predict --checkpoint network photos --format csv")).ok();
    let paths: Vec<_> =
        finished.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(paths, ["photos/00000.png", "photos/00001.png", "photos/deep/deeper/one.PNG"]);
    let notes: Vec<_> = finished.stderr.lines().filter(|line| line.contains("skipped")).collect();
    assert_eq!(
        notes,
        ["note: 4 skipped, hidden or created by the system; \
          1 skipped, of unsupported formats (HEIC, AVIF, JPEG XL, JPEG 2000): convert them to JPEG or PNG; \
          1 skipped, of other types; 1 skipped, not regular files (pipes, devices, broken links)"]
    );
}

/// As in `predict <(convert ...)`. It is also sorted, although it can be read only once.
#[test]
fn a_named_pipe_is_read_once() {
    let root = root(1);
    let pipe = root.path().join("pipe.png");
    make_pipe(&pipe);
    let writer = thread::spawn(move || fs::write(pipe, picture(3)).unwrap());
    let line = "predict --checkpoint network pipe.png --sort-into sorted --format jsonl";
    let answer: Value = serde_json::from_str(&nin(root.path(), &words(line)).ok().stdout).unwrap();
    writer.join().unwrap();
    let class = answer["class"].as_str().unwrap();
    assert_eq!(
        fs::read(root.path().join("sorted").join(class).join("pipe.png")).unwrap(),
        picture(3)
    );

    let mut child = command(root.path(), &words("predict --checkpoint network /dev/stdin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&picture(3)).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_endless_device_is_rejected() {
    let root = root(1);
    let line = "predict --checkpoint network /dev/zero photos --format jsonl";
    let finished = nin(root.path(), &words(line));
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("the file has more than"), "{}", finished.stderr);
    assert_eq!(finished.stdout.lines().count(), 2);
}

/// A command that fails halfway closes its JSON and has named the rejected pictures.
#[test]
fn a_failure_leaves_valid_json_and_names_rejected_pictures() {
    let root = root(2);
    fs::write(root.path().join("photos/00000-cut.png"), &picture(1)[..40]).unwrap();
    fs::create_dir(root.path().join("sorted")).unwrap();
    fs::write(root.path().join("sorted/unknown"), "in the way").unwrap();
    for format in ["json", "text"] {
        let line = format!(
            "predict --checkpoint network photos --threshold 1 --sort-into sorted --format {format}"
        );
        let finished = nin(root.path(), &words(&line));
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("error: cannot create the folder"), "{}", finished.stderr);
        let note = "\n`photos/00000-cut.png`: incomplete or damaged PNG picture";
        assert!(finished.stderr.contains(note), "{}", finished.stderr);
        if format == "json" {
            let json: Value = serde_json::from_str(&finished.stdout).unwrap();
            assert_eq!(json["refused"].as_array().unwrap().len(), 1);
        }
    }
}

#[test]
fn every_format_has_the_same_answers_and_errors() {
    let root = root(40);
    let whole = picture(1);
    fs::write(root.path().join("photos/00007-cut.png"), &whole[..whole.len() / 2]).unwrap();
    let run = |format: &str| {
        let line = format!("predict --checkpoint network photos --top 2 --format {format}");
        let finished = nin(root.path(), &words(&line));
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let error = "error: 1 of 41 pictures could not be classified, first `photos/00007-cut.png`";
        assert!(finished.stderr.contains(error), "{}", finished.stderr);
        finished.stdout
    };
    let json: Value = serde_json::from_str(&run("json")).unwrap();
    let images = json["images"].as_array().unwrap();
    assert_eq!((images.len(), json["refused"].as_array().unwrap().len()), (40, 1));

    let lines: Vec<Value> =
        run("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (refused, answered): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.get("reason").is_some());
    assert_eq!(refused[0], json["refused"][0]);
    for (image, line) in images.iter().zip(&answered) {
        for key in ["path", "size", "inverted", "class", "top"] {
            assert_eq!(image[key], line[key]);
        }
        assert!(line.get("maps").is_none());
    }
    let csv = run("csv");
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("path,class,probability,class_2,probability_2,error"));
    let (refused, answered): (Vec<_>, Vec<_>) =
        rows.partition(|row| row.contains("incomplete or damaged"));
    assert!(refused[0].starts_with("photos/00007-cut.png,,,,,"), "{}", refused[0]);
    for (image, row) in images.iter().zip(answered) {
        let [first, second] = [0, 1].map(|rank| &image["top"][rank]);
        let field = |entry: &Value| {
            format!("{},{}", entry["class"].as_str().unwrap(), entry["probability"])
        };
        let expected =
            format!("{},{},{},", image["path"].as_str().unwrap(), field(first), field(second));
        assert_eq!(row, expected);
    }
    assert_eq!(run("text").matches("photos/").count(), 40);
}

/// A photo of trousers that lacks its second half, or 2,000 bytes in the middle, is rejected rather than classified
/// as a bag: as a file, in a folder and on stdin. `odd_pictures` covers damaged pictures in `serve`.
#[test]
fn a_damaged_photo_is_rejected_from_every_source() {
    let root = tempfile::tempdir().unwrap();
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/clothes/trouser.png");
    let photo = image::open(photo).unwrap().to_rgb8();
    let (width, height) = photo.dimensions();
    let large = image::imageops::resize(
        &photo,
        width * 4,
        height * 4,
        image::imageops::FilterType::Triangle,
    );
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 92);
    large.write_with_encoder(encoder).unwrap();
    let middle = jpeg.len() / 2;
    let mut erased = jpeg.clone();
    erased[middle..middle + 2000].fill(0);
    fs::create_dir(root.path().join("photos")).unwrap();
    for (name, bytes) in [
        ("whole.jpg", &jpeg[..]),
        ("no-end.jpg", &jpeg[..jpeg.len() - 2]),
        ("half.jpg", &jpeg[..middle]),
        ("erased.jpg", &erased),
    ] {
        fs::write(root.path().join("photos").join(name), bytes).unwrap();
    }
    let finished = nin(root.path(), &words("predict photos --top 1 --format json"));
    assert_eq!(finished.code, Some(1));
    let answers: Value = serde_json::from_str(&finished.stdout).unwrap();
    let paths = |list: &str| {
        let entries = answers[list].as_array().unwrap().iter();
        entries.map(|entry| entry["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths("images"), ["photos/no-end.jpg", "photos/whole.jpg"]);
    assert_eq!(paths("refused"), ["photos/erased.jpg", "photos/half.jpg"]);
    for image in answers["images"].as_array().unwrap() {
        assert_eq!(image["class"], "Trouser");
    }
    for name in ["half.jpg", "erased.jpg"] {
        let path = root.path().join("photos").join(name);
        let mut command = command(root.path(), &["predict", "-"]);
        let stdin = fs::File::open(&path).unwrap();
        let output = command.stdin(stdin).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{stderr}");
        assert!(stderr.contains("error: `-`: incomplete or damaged JPEG picture"), "{stderr}");
    }
}

#[test]
fn file_names_are_escaped_for_the_terminal() {
    let root = root(1);
    let names = ["a\u{1b}[2Jclear.png", "b\nerror: forged.png", "c,\"d\".png"];
    for name in names {
        fs::write(root.path().join("photos").join(name), picture(2)).unwrap();
    }
    fs::write(root.path().join("photos/e\u{1b}[31m\nhint: forged.png"), "no picture").unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"f\xff.png");
    fs::write(root.path().join("photos").join(odd), picture(3)).unwrap();
    for format in ["text", "json", "jsonl"] {
        let line = format!("predict --checkpoint network photos photos/0 --format {format}");
        let finished = nin(root.path(), &words(&line));
        for printed in [&finished.stdout, &finished.stderr] {
            assert!(!printed.contains('\u{1b}'), "{printed}");
            assert!(!printed.contains("\nerror: forged"), "{printed}");
            assert!(!printed.contains("\nhint: forged"), "{printed}");
        }
    }
    let text = nin(root.path(), &words("predict --checkpoint network photos")).stdout;
    assert!(text.contains("photos/a\\u{1b}[2Jclear.png (30x20"), "{text}");
    assert!(text.contains("photos/b\\nerror: forged.png (30x20"), "{text}");
    assert!(text.contains("photos/f\u{fffd}.png (30x20"), "{text}");
    let csv = nin(root.path(), &words("predict --checkpoint network photos --format csv")).stdout;
    assert!(csv.contains("\"photos/c,\"\"d\"\".png\","), "{csv}");
}

#[test]
fn below_the_threshold_the_answer_is_unknown() {
    let root = root(1);
    let run = |threshold: &str, format: &str| {
        let line = format!(
            "predict --checkpoint network photos --threshold {threshold} --format {format}"
        );
        nin(root.path(), &words(&line))
    };
    let class = |threshold| run(threshold, "json").json()["images"][0]["class"].clone();
    assert_eq!(class("1"), "unknown");
    let best = run("0", "json").json()["images"][0]["top"][0].clone();
    assert_eq!(class("0"), best["class"]);
    assert_eq!(class(&best["probability"].to_string()), best["class"], "it is enough");
    assert!(run("1", "csv").ok().stdout.contains("photos/00000.png,unknown,"));
    assert!(run("1", "text").ok().stdout.contains("\n  unknown       below the threshold of 1\n"));
    let text = run("0.9999999", "text").ok().stdout;
    assert!(text.contains("  below the threshold of 0.9999999\n"), "{text}");
    for bad in ["1.5", "-0.1", "nan"] {
        let finished = run(bad, "text");
        assert_eq!(finished.code, Some(1), "{bad}");
        assert!(finished.stderr.contains("is not a probability\nhint: "), "{}", finished.stderr);
    }
}

#[test]
fn sort_into_overwrites_nothing() {
    let root = root(3);
    fs::create_dir(root.path().join("other")).unwrap();
    fs::write(root.path().join("other/00000.png"), picture(0)).unwrap();
    let line = "predict --checkpoint network photos other --sort-into sorted --format jsonl";
    let lines = nin(root.path(), &words(line)).ok().stdout;
    let answers: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let class = answers[0]["class"].as_str().unwrap();
    for name in ["00000.png", "00000-2.png"] {
        assert_eq!(
            fs::read(root.path().join("sorted").join(class).join(name)).unwrap(),
            picture(0)
        );
    }
    let unknown = "predict --checkpoint network photos --sort-into sorted --threshold 1";
    nin(root.path(), &words(unknown)).ok();
    assert_eq!(fs::read_dir(root.path().join("sorted/unknown")).unwrap().count(), 3);
    assert_eq!(fs::read_dir(root.path().join("photos")).unwrap().count(), 3, "they are copies");
}

#[test]
fn maps_of_a_second_run_do_not_replace_the_first() {
    let root = root(2);
    let line = "predict --checkpoint network photos --top 1 --maps maps";
    let names = || {
        let entries = fs::read_dir(root.path().join("maps")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap()[..11].to_owned())
            .collect();
        names.sort();
        names
    };
    nin(root.path(), &words(line)).ok();
    assert_eq!(names(), ["00001-00000", "00002-00001"]);
    nin(root.path(), &words(line)).ok();
    assert_eq!(names(), ["00001-00000", "00002-00001", "00003-00000", "00004-00001"]);
}

#[test]
fn a_second_export_keeps_the_module_of_the_first() {
    let root = root(0);
    let export = |name: &str| {
        let line = format!("export --checkpoint network --to safetensors --output {name}");
        nin(root.path(), &words(&line))
    };
    let named_as_module = export("model.py");
    assert_eq!(named_as_module.code, Some(1));
    let expected = "error: `model.py` is the name of the module that is written next to the weights\n\
                    hint: choose another --output";
    assert!(named_as_module.stderr.contains(expected), "{}", named_as_module.stderr);
    export("first.safetensors").ok();
    let module = fs::read(root.path().join("model.py")).unwrap();
    let second = export("second.safetensors");
    assert_eq!(second.code, Some(1));
    let expected = "error: `model.py` loads `first.safetensors` and would be overwritten\n\
                    hint: choose an --output in another folder";
    assert!(second.stderr.contains(expected), "{}", second.stderr);
    assert!(!root.path().join("second.safetensors").exists());
    assert_eq!(fs::read(root.path().join("model.py")).unwrap(), module);
    let again = export("first.safetensors").ok();
    assert!(again.stderr.contains("replacing `first.safetensors`"), "{}", again.stderr);
}

/// Returns the anonymous resident memory, in KiB.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Results are streamed with constant memory, and Ctrl-C leaves complete lines.
#[test]
fn results_are_streamed_and_an_interrupt_leaves_complete_lines() {
    let root = root(3000);
    for format in ["text", "json", "jsonl", "csv"] {
        let line = format!("predict --checkpoint network photos --top 2 --format {format}");
        let mut child = command(root.path(), &words(&line))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let id = child.id();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut bytes = Vec::new();
        let mut early = 0;
        // Reads slowly at first: the program cannot run ahead of a full pipe.
        while bytes.len() < 400_000 {
            let part = stdout.fill_buf().unwrap();
            let length = part.len();
            assert!(length > 0, "{format} ended by itself");
            bytes.extend_from_slice(part);
            stdout.consume(length);
            if early == 0 && bytes.len() > 100_000 {
                early = memory(id);
            }
            if format != "json" && bytes.len() > 60_000 {
                break;
            }
        }
        if early > 0 {
            let late = memory(id);
            assert!(late < early + 20_000, "{format}: {early} and {late} KiB");
        }
        kill("-INT", id);
        std::io::copy(&mut stdout, &mut bytes).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{format}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'), "{format}: {}", &text[text.len() - 100..]);
        match format {
            "json" => assert!(serde_json::from_str::<Value>(&text).is_ok()),
            "jsonl" => {
                assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
            }
            "csv" => assert!(text.lines().all(|line| line.matches(',').count() == 5)),
            _ => assert!(text.lines().count().is_multiple_of(3)),
        }
    }
}

/// An endless stdin does not prevent an interrupt.
#[test]
fn an_interrupt_ends_a_read_from_stdin() {
    let root = root(0);
    let mut child = command(root.path(), &words("predict --checkpoint network -"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: `wait` would close it, which also ends the program.
    let _stdin = child.stdin.take();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    // The device line is printed before the signal handler is installed.
    thread::sleep(Duration::from_millis(500));
    kill("-INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
