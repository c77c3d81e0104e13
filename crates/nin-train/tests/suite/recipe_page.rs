//! Checks docs/recipe.md: its tables list exactly the keys of a recipe with their defaults, and the values they allow
//! are the ones that a recipe accepts.

use std::collections::{BTreeMap, BTreeSet};

use nin_train::recipe::{NetworkRecipe, Recipe, RecipeBuilder};
use toml::Table;

const PAGE: &str = include_str!("../../../../docs/recipe.md");

/// The keys of one block with a pool.
const BLOCK: &str = r#"kernel = 3, widths = [8, 8, "classes"], pool = { kernel = 3, stride = 2 }"#;

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: String,
    default: String,
    allowed: String,
}

/// Reads the tables, by the name in backticks in their heading, `[model]` as `model`.
fn tables() -> BTreeMap<String, Vec<Row>> {
    let mut tables: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut section = String::new();
    for line in PAGE.lines() {
        if line.starts_with("##") {
            quoted(line)[0].trim_matches(['[', ']']).clone_into(&mut section);
        } else if line.starts_with("| `") {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [key, default, allowed, does] = cells[..] else { panic!("four cells: {line}") };
            assert!(!does.is_empty(), "{line}");
            let [key, default] = [key, default].map(|cell| cell.trim_matches('`').to_owned());
            let row = Row { key, default, allowed: allowed.to_owned() };
            tables.entry(section.clone()).or_default().push(row);
        }
    }
    tables
}

/// Returns the texts in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the keys of a table, including optional ones, which serde lists in its error about an unknown key.
fn keys_of(text: &str) -> BTreeSet<String> {
    let error = toml::from_str::<Recipe>(text).unwrap_err().message().to_owned();
    let (_, expected) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
    quoted(expected).into_iter().map(str::to_owned).collect()
}

fn keys(rows: &[Row]) -> BTreeSet<String> {
    let keys: BTreeSet<_> = rows.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys.len(), rows.len(), "a key twice: {rows:?}");
    keys
}

fn built(key: &str, value: &str) -> Result<Recipe, String> {
    // Only the smallest network is small enough for the largest number of channels and classes.
    let is_size = ["model.input_channels", "model.classes"].contains(&key);
    let smallest = "[model]\nblocks = [{ kernel = 1, widths = [1, 1, \"classes\"] }]";
    let text = if is_size { smallest } else { "" };
    let mut builder = RecipeBuilder::from_text("page", "page", text).unwrap();
    builder
        .assign(&format!("{key}={value}"))
        .and_then(|()| builder.build())
        .map_err(|error| format!("{error}; {}", error.hint()))
}

fn blocks(inside: &str) -> Result<Table, toml::de::Error> {
    let recipe: Recipe = toml::from_str(&format!("[model]\nblocks = [{{ {inside} }}]"))?;
    let NetworkRecipe::Blocks { blocks, .. } = recipe.model.network else { unreachable!("blocks") };
    Ok(Table::try_from(blocks[0]).unwrap())
}

#[test]
fn the_sections_are_those_of_a_recipe() {
    let mut sections: BTreeSet<_> = tables().into_keys().collect();
    for nested in ["model.blocks", "pool"] {
        assert!(sections.remove(nested), "{nested}");
    }
    assert_eq!(sections, keys_of("no-such = 1"));
}

#[test]
fn keys_and_defaults_are_those_of_a_recipe() {
    let mut shown = BTreeMap::new();
    for (section, rows) in tables() {
        if section == "model.blocks" || section == "pool" {
            continue;
        }
        assert_eq!(keys(&rows), keys_of(&format!("[{section}]\nno-such = 1")), "{section}");
        for row in rows {
            shown.insert(format!("{section}.{}", row.key), row.default);
        }
    }
    assert_eq!(shown, Recipe::default().entries().unwrap());
}

#[test]
fn keys_and_defaults_of_blocks_are_those_of_a_block() {
    let tables = tables();
    let unknown = [
        ("model.blocks", format!("[model]\nblocks = [{{ no-such = 1, {BLOCK} }}]")),
        ("pool", "[model]\nblocks = [{ pool = { no-such = 1 } }]".to_owned()),
    ];
    for (table, text) in unknown {
        assert_eq!(keys(&tables[table]), keys_of(&text), "{table}");
    }
    let block = blocks(BLOCK).unwrap();
    let pool = block["pool"].as_table().unwrap().clone();
    for (table, values) in [("model.blocks", block), ("pool", pool)] {
        for Row { key, default, .. } in &tables[table] {
            let value = &values[key];
            let mut without = values.clone();
            without.remove(key);
            let inside = without.iter().map(|(key, value)| format!("{key} = {value}"));
            let mut inside = inside.collect::<Vec<_>>().join(", ");
            if table == "pool" {
                inside = format!("kernel = 3, widths = [8, 8, 8], pool = {{ {inside} }}");
            }
            match default.as_str() {
                "required" => assert!(blocks(&inside).is_err(), "{table}: {key}"),
                "none" => assert!(!blocks(&inside).unwrap().contains_key(key), "{table}: {key}"),
                default => {
                    assert_eq!(value.to_string(), default, "{table}: {key}");
                    assert!(blocks(&inside).is_ok(), "{table}: {key}");
                }
            }
        }
    }
}

#[test]
fn values_that_the_page_allows_are_taken_and_those_beyond_are_not() {
    let mut names = 0;
    let (mut taken, mut refused) = (0, 0);
    for (section, rows) in tables() {
        if section == "model.blocks" || section == "pool" {
            continue;
        }
        for Row { key, allowed, .. } in rows {
            let key = format!("{section}.{key}");
            for value in quoted(&allowed) {
                built(&key, value).unwrap_or_else(|error| panic!("{key}={value}: {error}"));
                taken += 1;
            }
            for value in beyond(&allowed) {
                assert!(built(&key, &value).is_err(), "{key}={value} is accepted");
                refused += 1;
            }
            // The error about an unknown name lists the known ones.
            let is_name = Recipe::default().entries().unwrap()[&key].starts_with('"');
            if let (true, Err(error)) = (is_name, built(&key, "no-such")) {
                let shown: BTreeSet<_> = quoted(&allowed)
                    .into_iter()
                    .map(|name| name.trim_matches('"'))
                    .filter(|name| !name.is_empty())
                    .collect();
                let (_, listed) = error.split_once("no-such").unwrap();
                let listed = listed.split_once("in `").map_or(listed, |(listed, _)| listed);
                let words: BTreeSet<_> = listed
                    .split(|letter: char| letter.is_whitespace() || "`,;:".contains(letter))
                    .collect();
                assert!(shown.is_subset(&words), "{key}: {error}");
                let prose = [
                    "",
                    "expected",
                    "one",
                    "of",
                    "or",
                    "initializations",
                    "built-in",
                    "architectures",
                ];
                let unshown: Vec<_> =
                    words.difference(&shown).filter(|word| !prose.contains(word)).collect();
                assert!(unshown.is_empty(), "{key}: {unshown:?} of {error}");
                names += 1;
            }
        }
    }
    assert!(names == 13 && taken >= 80 && refused > 40, "{names} {taken} {refused}");
}

/// Returns the values just outside of the allowed ones of a cell.
fn beyond(allowed: &str) -> Vec<String> {
    let mut values = Vec::new();
    let ends: Vec<f64> = quoted(allowed).into_iter().filter_map(|end| end.parse().ok()).collect();
    let is_whole = allowed.starts_with("whole");
    if allowed.contains("above 0") {
        values.push("0".to_owned());
    }
    if allowed.contains("below 1") {
        values.push("1".to_owned());
    }
    if let Some(low) = ends.first() {
        values.push(if is_whole { format!("{}", low - 1.0) } else { format!("{}", low - 1e-9) });
    }
    // No value exceeds TOML's largest integer.
    if let Some(high) = ends.last().filter(|&&high| allowed.contains("` to `") && high < 1e18) {
        values.push(if is_whole { format!("{}", high + 1.0) } else { format!("{}", high * 1.001) });
    }
    values
}

#[test]
fn a_page_that_differs_would_be_noticed() {
    let rows = &tables()["training"];
    assert_eq!(rows.iter().find(|row| row.key == "epochs").unwrap().default, "10");
    assert_eq!(beyond("whole, `1` to `9`"), ["0", "10"]);
    assert_eq!(beyond("number, `0` to below 1"), ["1", "-0.000000001"]);
}
