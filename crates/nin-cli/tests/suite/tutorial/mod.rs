//! Runs each command of docs/tutorial.md, docs/your-own-pictures.md and the guide's shorter pages in order, and compares
//! the output with the page. nin-train's doctests compile and run the tutorial's Rust; `arguments::pages` parses
//! the commands of every page.

mod commands;
mod page;
mod shown;

use std::path::Path;
use std::process::Command;

use crate::photos;
use crate::program::{finish, isolate};
use page::{Block, Language, blocks};
use shown::difference;

const PAGE: &str = include_str!("../../../../../docs/tutorial.md");
const PICTURES: &str = include_str!("../../../../../docs/your-own-pictures.md");
/// The pages that start from a trained run and a folder of photos, in order.
const GUIDE: [(&str, &str); 4] = [
    ("recipes", include_str!("../../../../../docs/recipes.md")),
    ("report", include_str!("../../../../../docs/report.md")),
    ("serving", include_str!("../../../../../docs/serving.md")),
    ("many-machines", include_str!("../../../../../docs/many-machines.md")),
];
/// The repository, relative to this crate.
const REPOSITORY: &str = "../..";

/// Returns a folder with the program and the files of the repository that the pages use.
fn workplace() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let link = |from: &Path, to: &str| {
        std::os::unix::fs::symlink(std::fs::canonicalize(from).unwrap(), root.path().join(to))
            .unwrap();
    };
    std::fs::create_dir(root.path().join("bin")).unwrap();
    link(Path::new(env!("CARGO_BIN_EXE_nin-cli")), "bin/nin-cli");
    // `report --open` must not open the developer's browser.
    link(Path::new("/bin/true"), "bin/xdg-open");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join(REPOSITORY);
    for folder in ["configs", "docs", "weights"] {
        link(&repository.join(folder), folder);
    }
    root
}

/// Returns the terminal output of a command, and its exit code.
fn run(root: &Path, command: &str) -> (String, Option<i32>) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-e", "-c", &format!("exec 2>&1\n{command}")]);
    isolate(&mut shell, root);
    shell.env("PATH", format!("{}:/usr/bin:/bin", root.join("bin").display()));
    let finished = finish(shell);
    (finished.stdout, finished.code)
}

/// Runs a block's commands, and returns the differences from the page.
fn check(root: &Path, block: &Block) -> Option<String> {
    for (command, expected) in block.commands() {
        let (found, code) = run(root, &command);
        let place = format!("block at line {}: {command}", block.line);
        let fails = expected.lines().any(|line| line.starts_with("error: "));
        if code != Some(i32::from(fails)) {
            return Some(format!("{place}\nexit code {code:?}\n{found}"));
        }
        // A script block shows no output.
        if block.language == Language::Console
            && let Some(difference) = difference(&expected, &found)
        {
            return Some(format!("{place}\n{difference}\n--- printed:\n{found}"));
        }
    }
    None
}

#[test]
fn every_command_prints_what_the_page_shows() {
    let root = workplace();
    let blocks = blocks(PAGE).unwrap();
    let run: Vec<_> = blocks.iter().filter(|block| block.language.is_run()).collect();
    let wrong: Vec<_> = run.iter().filter_map(|block| check(root.path(), block)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Every block of this page is run or compiled, except the book's own.
    let is_shown = |block: &Block| matches!(block.language, Language::Text | Language::Toml);
    assert!(!blocks.iter().any(is_shown));
    // A misparsed page has few blocks.
    let count = |of: Language| blocks.iter().filter(|block| block.language == of).count();
    assert!(count(Language::Console) >= 10 && count(Language::Sh) >= 3, "{}", run.len());
    assert!(count(Language::Rust) >= 3 && count(Language::Python) >= 4);
}

#[test]
fn every_command_of_your_own_pictures_runs() {
    let root = workplace();
    photos::write_photos(root.path());
    for number in 200..206 {
        photos::draw(&root.path().join(format!("new-photos/{number}.jpg")), 1, number);
    }
    photos::draw(&root.path().join("new-photo.jpg"), 0, 300);
    let blocks = blocks(PICTURES).unwrap();
    assert!(blocks.len() >= 14 && blocks.iter().all(|block| block.language == Language::Sh));
    for block in &blocks {
        let wrong = check(root.path(), block);
        assert!(wrong.is_none(), "docs/your-own-pictures.md, {}", wrong.unwrap_or_default());
    }
    let answers = std::fs::read_to_string(root.path().join("answers.csv")).unwrap();
    assert_eq!(answers.lines().count(), 7, "{answers}");
    let sorted = std::fs::read_dir(root.path().join("sorted")).unwrap();
    assert!(sorted.count() >= 1);
}

#[test]
fn every_command_of_the_guide_runs() {
    let root = workplace();
    photos::write_photos(root.path());
    let train = "nin-cli train --epochs 1 --set data.limit=32 --set training.batch_size=16";
    for folder in ["runs/quickstart", "from-machine-a", "from-machine-b"] {
        let (said, code) = run(root.path(), &format!("{train} --run {folder}"));
        assert_eq!(code, Some(0), "{said}");
    }
    for (name, page) in GUIDE {
        let blocks = blocks(page).unwrap();
        assert!(blocks.iter().any(|block| block.language == Language::Sh), "{name}");
        for block in blocks.iter().filter(|block| block.language.is_run()) {
            let wrong = check(root.path(), block);
            assert!(wrong.is_none(), "docs/{name}.md, {}", wrong.unwrap_or_default());
        }
    }
}

#[test]
fn an_outdated_block_is_detected() {
    let root = workplace();
    let shown = "```console\n$ nin-cli shapes --config d2l --format torch\n...\nFlatten output \
                 shape:\t torch.Size([1, 10])\n```\n";
    for (from, to, is_good) in [
        ("", "", true),
        ("[1, 10]", "[1, 11]", false),
        ("Flatten", "Flat", false),
        ("```\n", "and more\n```\n", false),
        ("--format torch", "--format tensor", false),
    ] {
        // The last position: the closing fence.
        let at = shown.rfind(from).unwrap();
        let page = format!("{}{to}{}", &shown[..at], &shown[at + from.len()..]);
        let block = &blocks(&page).unwrap()[0];
        assert_eq!(check(root.path(), block).is_none(), is_good, "{page}");
    }
    let unknown = blocks("```bash\nnin-cli\n```\n").unwrap_err();
    assert!(unknown.contains("`bash`"), "{unknown}");
    assert!(blocks("```sh\nnin-cli\n").is_err(), "not closed");
}
