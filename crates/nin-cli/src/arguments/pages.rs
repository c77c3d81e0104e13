//! Parses every command that README.md and the pages of docs/ show.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::Arguments;

const FENCE: &str = "```";
/// Languages of blocks with commands. An indented block has no language, and may have commands.
const SHELLS: [&str; 2] = ["sh", "console"];
/// Programs that run the command that follows them.
const WRAPPERS: [&str; 3] = ["time", "nohup", "perf"];

/// A command of a page.
#[derive(Debug, PartialEq)]
struct Shown {
    /// The words, beginning with the program.
    words: Vec<String>,
    /// Whether it is part of a sentence, where it may lack what the sentence is not about.
    is_inline: bool,
}

/// Returns the commands of this program on a page.
fn commands(page: &str) -> Vec<Shown> {
    let (blocks, prose) = split(page);
    let continued = blocks.replace("\\\n", " ");
    let lines = continued.lines().flat_map(segments).filter_map(program);
    let mut shown: Vec<_> = lines.map(|words| Shown { words, is_inline: false }).collect();
    for span in prose.split('`').skip(1).step_by(2) {
        // A bare name, such as `nin-cli export`, is no command.
        let is_command = span.starts_with("nin-cli ") && span.contains(" --");
        let inline = segments(span).into_iter().filter(|_| is_command).filter_map(program);
        shown.extend(inline.map(|words| Shown { words, is_inline: true }));
    }
    shown
}

/// Separates the lines of code, without prompts and the output of commands, from everything else.
fn split(page: &str) -> (String, String) {
    let (mut blocks, mut prose) = (String::new(), String::new());
    let mut language: Option<&str> = None;
    let mut is_continued = false;
    for line in page.lines() {
        let (to, text) = match (language, line.strip_prefix(FENCE)) {
            (_, Some(name)) => {
                language = if language.is_some() { None } else { Some(name) };
                continue;
            }
            (Some("console"), None) => match line.strip_prefix("$ ") {
                Some(command) => (&mut blocks, command),
                None if is_continued => (&mut blocks, line),
                None => continue,
            },
            (Some(name), None) if SHELLS.contains(&name) => (&mut blocks, line),
            (Some(_), None) => continue,
            (None, None) => match line.strip_prefix("    ") {
                Some(code) => (&mut blocks, code),
                None => (&mut prose, line),
            },
        };
        is_continued = text.ends_with('\\');
        to.push_str(text);
        to.push('\n');
    }
    (blocks, prose)
}

/// Splits a line of shell into the words of its commands, without comments and redirections.
fn segments(line: &str) -> Vec<Vec<String>> {
    let mut segments = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut is_file = false; // the next word is the file of a redirection
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '#') if word.is_none() => break,
            (None, '>' | '<') => {
                // The number in `2>` is no argument.
                word.take_if(|word| word.chars().all(|letter| letter.is_ascii_digit()));
                finish(&mut segments, &mut word, &mut is_file);
                is_file = true;
            }
            (None, '|' | ';' | '&') => {
                finish(&mut segments, &mut word, &mut is_file);
                segments.push(Vec::new());
            }
            (None, _) if letter.is_whitespace() => finish(&mut segments, &mut word, &mut is_file),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    finish(&mut segments, &mut word, &mut is_file);
    segments
}

/// Adds a finished word to the last command, unless it is the file of a redirection.
fn finish(segments: &mut [Vec<String>], word: &mut Option<String>, is_file: &mut bool) {
    if let (Some(words), Some(word)) = (segments.last_mut(), word.take())
        && !std::mem::take(is_file)
    {
        words.push(word);
    }
}

/// Returns the words of a command from the program on, if it is this program.
fn program(words: Vec<String>) -> Option<Vec<String>> {
    let is_nin = |word: &String| {
        Path::new(word).file_name().is_some_and(|name| name == "nin-cli")
            && !word.contains("crates/")
    };
    let first = words.iter().position(|word| !word.contains('='))?;
    let start = match words[first].as_str() {
        "cargo" if words.iter().any(is_nin) => words.iter().position(|word| word == "--")?,
        wrapper if WRAPPERS.contains(&wrapper) => words.iter().position(is_nin)?,
        _ if is_nin(&words[first]) => first,
        _ => return None,
    };
    let mut words = words;
    words.drain(..start);
    Some(words)
}

/// Returns what is wrong with a command.
fn fault(shown: &Shown) -> Option<String> {
    let error = Arguments::try_parse_from(&shown.words).err()?;
    let is_fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument => shown.is_inline,
        _ => false,
    };
    (!is_fine).then(|| format!("{}\n{error}", shown.words.join(" ")))
}

/// Returns README.md and every page under docs/.
fn pages(repository: &Path) -> Vec<PathBuf> {
    let mut pages = vec![repository.join("README.md")];
    let mut folders = vec![repository.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn every_command_on_the_pages_is_parsed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !repository.join("docs").is_dir() {
        println!("skipped: this crate is not in its repository");
        return;
    }
    let (mut faults, mut found) = (Vec::new(), 0);
    for page in pages(&repository) {
        let text = fs::read_to_string(&page).unwrap();
        let shown = commands(&text);
        found += shown.len();
        let name = page.display();
        faults.extend(shown.iter().filter_map(fault).map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Misparsed pages have few commands.
    assert!(found >= 80, "{found}");
}

#[test]
fn commands_are_found_wherever_a_page_shows_them() {
    let page = "Text, `nin-cli eval --checkpoint x`, `nin-cli export`, `cargo test`.\n\
                ```sh\n# nin-cli no\nNIN_CPU=avx2 nin-cli train --set 'a=b c' # comment\n\
                nin-cli predict a \\\n  --top 1 > nin-cli 2> said\ncat x | target/release/nin-cli predict -\n\
                cargo run --release -p nin-cli -- shapes\ncargo install --path crates/nin-cli --locked\n```\n\
                ```console\n$ nin-cli devices\nnin-cli is no command here\n```\n\
                ```text\nnin-cli no\n```\n\n    nin-cli man\n    perf record -e x nin-cli bench\n";
    let found: Vec<_> = commands(page).iter().map(|shown| shown.words[1..].join(" ")).collect();
    let expected = [
        "train --set a=b c",
        "predict a --top 1",
        "predict -",
        "shapes",
        "devices",
        "man",
        "bench",
        "eval --checkpoint x",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_command_that_the_program_refuses_is_noticed() {
    for (page, is_fine) in [
        ("```sh\nnin-cli train --epochs 3\n```", true),
        ("```sh\nnin-cli train --epoch 3\n```", false),
        ("```sh\nnin-cli train --backend cuda\n```", false),
        ("```sh\nnin-cli eval\n```", false),
        ("```sh\nnin-cli train --help\n```", true),
        ("`nin-cli import --from x`", true),
        ("`nin-cli import --form x`", false),
    ] {
        let shown = commands(page);
        assert_eq!(shown.len(), 1, "{page}");
        assert_eq!(fault(&shown[0]).is_none(), is_fine, "{page}");
    }
}
