//! `completions` and `man`.

use crate::program::nin;

#[test]
fn completions_and_man_cover_every_command() {
    let root = tempfile::tempdir().unwrap();
    let help = nin(root.path(), &["--help"]).ok().stdout;
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   ")) // a continued description
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"predict") && commands.contains(&"export"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = nin(root.path(), &["completions", shell]).ok().stdout;
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert!(nin(root.path(), &["man"]).ok().stdout.contains(".TH nin-cli 1"));
    nin(root.path(), &["man", "--output", "pages"]).ok();
    for command in &commands {
        let page = root.path().join(format!("pages/nin-cli-{command}.1"));
        assert!(std::fs::read_to_string(&page).unwrap().contains("Examp"), "{command}");
    }
}
