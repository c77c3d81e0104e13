//! Runs each command of README.md and of the pages that show commands without their output, line by line.

use std::path::Path;

use super::page::{Block, Language, blocks};
use super::{run, workplace};
use crate::photos;

/// The pages, each with its name.
const PAGES: [(&str, &str); 5] = [
    ("README.md", include_str!("../../../../../README.md")),
    ("docs/getting-started.md", include_str!("../../../../../docs/getting-started.md")),
    ("docs/gpu.md", include_str!("../../../../../docs/gpu.md")),
    ("docs/memory-and-speed.md", include_str!("../../../../../docs/memory-and-speed.md")),
    ("docs/results.md", include_str!("../../../../../docs/results.md")),
];
/// Ends a training in seconds.
const SHORT: &str = "--set data.limit=64 --epochs 1";
/// Ends a training at 96x96 in seconds.
const SMALL: &str =
    "--dataset fashion-mnist-sample --set data.limit=16 --set training.batch_size=8 --epochs 1";
/// Starts a server and ends it.
const SERVER: &str = "--addr 127.0.0.1:0 > served 2>&1 & server=$!; \
    for _ in $(seq 200); do grep -q http served && break; sleep 0.1; done; \
    kill -TERM $server; wait $server";

/// How a command of a page is tested if it does not run as it is.
enum Rule {
    /// With these arguments, so that it ends in seconds.
    With(&'static str),
    /// By this command.
    As(&'static str),
    /// Not here; says where.
    Elsewhere(&'static str),
}

use Rule::{As, Elsewhere, With};

const RULES: [(&str, Rule); 20] = [
    ("cargo run --release -p nin-cli -- train", Elsewhere("the module `training`")),
    ("cargo test", Elsewhere("this is it")),
    (
        "cargo xtask gpu --machine NAME --output results/gpu.json",
        Elsewhere("nothing: it measures a GPU for minutes"),
    ),
    ("nin-cli serve", With(SERVER)),
    ("nin-cli serve --checkpoint runs/pictures", With(SERVER)),
    ("nin-cli serve --checkpoint runs/quickstart", With(SERVER)),
    ("nin-cli train", With(SHORT)),
    ("nin-cli train --data photos", With("--epochs 1")),
    ("nin-cli find --data photos", With("--epochs 1 --trials 2")),
    ("nin-cli data fetch fashion-mnist", Elsewhere("the module `fetch`, without a network")),
    ("nin-cli train --config d2l-fashion-mnist-96", With(SMALL)),
    ("nin-cli train --config steady-fashion-mnist-96", With(SMALL)),
    ("nin-cli train --config d2l-fashion-mnist-96 --seeds 5", With(SMALL)),
    (
        "nin-cli train --config d2l-fashion-mnist-96 --seeds 20",
        As("nin-cli train --config d2l-fashion-mnist-96 --seeds 2 --dataset fashion-mnist-sample \
            --set data.limit=16 --set training.batch_size=8 --epochs 1"),
    ),
    ("nin-cli train --backend wgpu", Elsewhere("the module `wgpu`, where there is an adapter")),
    (
        "nin-cli train --backend wgpu --set training.precision=f16",
        Elsewhere("the module `wgpu`, where there is an adapter with f16"),
    ),
    ("nin-cli train --adapter 1", Elsewhere("the module `wgpu`, and the unit tests of adapters")),
    ("nin-cli bench --config steady-fashion-mnist-96", With("--steps 1 --batch-size 2")),
    (
        "nin-cli eval --checkpoint pretrained:record-fashion-mnist",
        With("--dataset fashion-mnist-sample"),
    ),
    (
        "nin-cli eval --checkpoint weights/record-large-fashion-mnist.safetensors --flips",
        With("--dataset fashion-mnist-sample"),
    ),
];

fn rule(command: &str) -> Option<&'static Rule> {
    RULES.iter().find(|(shown, _)| *shown == command).map(|(_, rule)| rule)
}

/// Writes the files that the commands of the pages expect.
fn write_files(root: &Path) {
    photos::write_photos(root);
    for picture in ["new-photo.jpg", "shirt.jpg"] {
        photos::draw(&root.join(picture), 0, 300);
    }
    let network = "weights/steady-fashion-mnist-96.safetensors"; // the book's network
    let export =
        format!("nin-cli export --checkpoint {network} --to safetensors --output book.safetensors");
    assert_eq!(run(root, &export).1, Some(0));
}

#[test]
fn every_command_of_readme_and_of_the_short_pages_runs() {
    for (name, page) in PAGES {
        let root = workplace();
        write_files(root.path());
        let blocks = blocks(page).unwrap();
        let scripts = blocks.iter().filter(|block| block.language == Language::Sh);
        let mut commands = scripts.flat_map(Block::lines).peekable();
        assert!(commands.peek().is_some(), "{name} has no command");
        for shown in commands {
            let command = match rule(shown) {
                Some(Elsewhere(place)) => {
                    println!("{shown}: tested in {place}");
                    continue;
                }
                Some(With(more)) => format!("{shown} {more}"),
                Some(As(command)) => (*command).to_owned(),
                None => shown.to_owned(),
            };
            let command = format!("export HOME=\"$PWD\"\n{command}");
            let (output, code) = run(root.path(), &command);
            assert_eq!(code, Some(0), "{name}: {shown}\n{output}");
        }
    }
}

#[test]
fn every_rule_is_of_a_command_on_a_page() {
    for (command, _) in &RULES {
        let is_shown = |page: &str| {
            let blocks = blocks(page).unwrap();
            blocks.iter().any(|block| block.lines().any(|line| line == *command))
        };
        assert!(PAGES.iter().any(|(_, page)| is_shown(page)), "no page shows `{command}`");
    }
}
