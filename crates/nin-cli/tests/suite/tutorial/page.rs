//! The blocks of a Markdown page.

/// The fence of a block.
const FENCE: &str = "```";
/// Before a block: arguments that the test appends to its command, so that it ends in seconds.
const SHORTENED: (&str, &str) = ("<!-- in its test: ", " -->");

/// The language of a block. Any other is an error, so that no block is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Commands after `$`, each with its output.
    Console,
    /// A script, whose output is not shown.
    Sh,
    /// Doctests of a library crate.
    Rust,
    /// Code of the book.
    Python,
    /// Output, or commands that need another machine; `commands` says where they are tested.
    Text,
    /// A piece of a manifest.
    Toml,
}

impl Language {
    fn named(name: &str) -> Option<Self> {
        match name {
            "console" => Some(Self::Console),
            "sh" => Some(Self::Sh),
            "rust" | "rust,no_run" => Some(Self::Rust),
            "python" => Some(Self::Python),
            "text" => Some(Self::Text),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Returns whether it contains commands.
    pub(super) fn is_run(self) -> bool {
        matches!(self, Self::Console | Self::Sh)
    }
}

/// A block of code.
#[derive(Debug)]
pub(super) struct Block {
    /// The line of its first fence, from 1.
    pub(super) line: usize,
    pub(super) language: Language,
    text: String,
    /// Arguments that the test appends to the command.
    shortened: String,
}

impl Block {
    /// Yields each command with its output.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let commands = match self.language {
            Language::Sh => vec![(self.text.clone(), String::new())],
            _ => prompts(&self.text),
        };
        let shorten = |command: String| format!("{} {}", command.trim_end(), self.shortened);
        commands
            .into_iter()
            .map(|(command, shown)| {
                let whole = if self.shortened.is_empty() { command } else { shorten(command) };
                (whole, shown)
            })
            .collect()
    }

    /// Yields the lines of a script without comments.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let without_comment = |line| str::split(line, " #").next().unwrap_or_default().trim();
        self.text.lines().map(without_comment).filter(|line| !line.is_empty())
    }
}

fn prompts(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, shown))) => {
                shown.push_str(line);
                shown.push('\n');
            }
            (None, None) => panic!("a console block begins with `$ `, found `{line}`"),
        }
    }
    commands
}

/// Returns the blocks of a page in order, or what is wrong with one.
pub(super) fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut shortened = String::new();
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix(FENCE)) {
            (None, Some(name)) => {
                let line = number + 1;
                let language = Language::named(name)
                    .ok_or_else(|| format!("line {line}: no test for a block in `{name}`"))?;
                let shortened = std::mem::take(&mut shortened);
                open = Some(Block { line, language, text: String::new(), shortened });
            }
            (None, None) => {
                let (before, after) = SHORTENED;
                if let Some(rest) = line.strip_prefix(before) {
                    let more = rest.strip_suffix(after).ok_or("a comment is not closed")?;
                    shortened = String::from(more);
                }
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
        }
    }
    match open {
        None => Ok(blocks),
        Some(block) => Err(format!("line {}: the block is not closed", block.line)),
    }
}
