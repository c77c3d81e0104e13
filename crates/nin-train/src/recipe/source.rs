//! Builds a recipe from its sources, and checks that each key is known and has the right type.

use std::io::Read;
use std::path::Path;

use toml::{Table, Value};

use super::builtin::BuiltinRecipe;
use super::document::{Recipe, RecipeKeys};
use super::error::RecipeError;
use super::nearest::{nearest, nearest_key};
use super::{retired, validate};

/// Longest recipe that is read, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// Keys that take a name or a list.
const NAME_OR_LIST: [&str; 1] = ["training.class_weights"];

/// Builds a recipe. Keys that are set override the file, which overrides the defaults.
#[derive(Debug, Clone)]
pub struct RecipeBuilder {
    name: String,
    table: Table,
}

impl RecipeBuilder {
    /// Starts from a built-in recipe, or from the file at this path.
    ///
    /// # Errors
    /// [`RecipeError::NotFound`], and those of [`RecipeBuilder::from_file`].
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        if let Some(recipe) = BuiltinRecipe::find(name) {
            return Self::from_text(name, name, recipe.text);
        }
        let path = Path::new(name);
        if path.extension().is_none() && !path.exists() {
            return Err(RecipeError::NotFound {
                name: name.to_owned(),
                nearest: nearest(name, BuiltinRecipe::names()),
            });
        }
        Self::from_file(path)
    }

    /// Starts from the file at this path, of at most 1 MiB.
    ///
    /// # Errors
    /// [`RecipeError::Read`], [`RecipeError::TooLong`], [`RecipeError::NotUtf8`], and those of
    /// [`RecipeBuilder::from_text`].
    pub fn from_file(path: &Path) -> Result<Self, RecipeError> {
        let origin = path.display().to_string();
        let name = path
            .file_stem()
            .map_or_else(|| origin.clone(), |stem| stem.to_string_lossy().into_owned());
        let text = read_text(path, &origin)?;
        Self::from_text(&name, &origin, &text)
    }

    /// Starts from TOML text. Errors name `origin` as the source.
    ///
    /// # Errors
    /// [`RecipeError::Syntax`], [`RecipeError::UnknownKey`], [`RecipeError::WrongType`].
    pub fn from_text(name: &str, origin: &str, text: &str) -> Result<Self, RecipeError> {
        let table = text.parse::<Table>().map_err(|error| RecipeError::Syntax {
            origin: origin.to_owned(),
            reason: one_line(&error, text),
        })?;
        let mut builder = Self { name: name.to_owned(), table: Table::new() };
        builder.merge(table, origin)?;
        Ok(builder)
    }

    /// Returns the name of the recipe, after which a run's folder is named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of a key such as `data.dataset`; `None` if it has its default.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let (tables, last) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = &self.table;
        for name in tables.split('.').filter(|name| !name.is_empty()) {
            table = table.get(name)?.as_table()?;
        }
        table.get(last)
    }

    /// Resets a key, or a whole section, to its default.
    pub fn forget(&mut self, key: &str) {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        if name.is_empty() {
            self.table.remove(section);
        } else if let Some(keys) = self.table.get_mut(section).and_then(Value::as_table_mut) {
            keys.remove(name);
        }
    }

    /// Sets a key by `KEY=VALUE`, such as `optimizer.momentum=0.9`. A value that is not TOML is a string.
    ///
    /// # Errors
    /// [`RecipeError::NotAssignment`], [`RecipeError::UnknownKey`], [`RecipeError::WrongType`].
    pub fn assign(&mut self, assignment: &str) -> Result<(), RecipeError> {
        let not_assignment = || RecipeError::NotAssignment { text: assignment.to_owned() };
        let (key, text) = assignment.split_once('=').ok_or_else(not_assignment)?;
        let key = key.trim();
        if key.is_empty() {
            return Err(not_assignment());
        }
        let text = text.trim();
        let value = format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        self.set(key, value, "--set")
    }

    /// Sets a key. Errors name `origin` as the source.
    ///
    /// # Errors
    /// [`RecipeError::UnknownKey`], [`RecipeError::WrongType`].
    pub fn set(
        &mut self,
        key: &str,
        value: impl Into<Value>,
        origin: &str,
    ) -> Result<(), RecipeError> {
        let mut parts = key.rsplit('.');
        let last = parts.next().unwrap_or_default();
        let mut table = Table::from_iter([(last.to_owned(), value.into())]);
        for part in parts {
            table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
        }
        self.merge(table, origin)
    }

    /// Checks each value and returns the recipe.
    ///
    /// # Errors
    /// [`RecipeError::Value`], [`RecipeError::Refused`] or [`RecipeError::Model`] if a value is invalid.
    pub fn build(self) -> Result<Recipe, RecipeError> {
        // The default recipe has every known key, with a value of its type.
        validate::whole_numbers(&self.table, &Recipe::default().to_table()?)?;
        validate::bounds(&self.table)?;
        let keys: RecipeKeys =
            Value::Table(self.table).try_into().map_err(|error: toml::de::Error| {
                let reason = validate::in_words(&error.to_string());
                RecipeError::Value { origin: self.name, reason }
            })?;
        let recipe = Recipe::try_from(keys)?;
        recipe.validate()?;
        Ok(recipe)
    }

    fn merge(&mut self, mut table: Table, origin: &str) -> Result<(), RecipeError> {
        retired::drop_retired(&mut table, origin)?;
        let known = Recipe::default().to_table()?;
        check_keys(&table, &known, "", &known, origin)?;
        merge_tables(&mut self.table, table);
        Ok(())
    }
}

impl Recipe {
    /// Reads a resolved `recipe.toml`.
    ///
    /// # Errors
    /// Those of [`RecipeBuilder::from_file`] and [`RecipeBuilder::build`].
    pub fn from_file(path: &Path) -> Result<Self, RecipeError> {
        RecipeBuilder::from_file(path)?.build()
    }
}

fn read_text(path: &Path, origin: &str) -> Result<String, RecipeError> {
    let unreadable = |source| RecipeError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(RecipeError::TooLong {
            path: path.to_owned(),
            expected: LONGEST_FILE,
            found: length.max(bytes.len() as u64),
        });
    }
    String::from_utf8(bytes).map_err(|error| RecipeError::NotUtf8 {
        origin: origin.to_owned(),
        position: error.utf8_error().valid_up_to(),
    })
}

/// Returns position and message on one line, without the multi-line excerpt of the `toml` crate.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    let Some(span) = error.span() else {
        return message;
    };
    let before = &text.as_bytes()[..span.start.min(text.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("line {line}, column {column}: {message}")
}

fn check_keys(
    table: &Table,
    known: &Table,
    prefix: &str,
    all: &Table,
    origin: &str,
) -> Result<(), RecipeError> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let Some(example) = known.get(name) else {
            return Err(RecipeError::UnknownKey {
                nearest: nearest_key(&key, value.is_table(), all),
                key,
                origin: origin.to_owned(),
            });
        };
        match (value, example) {
            (Value::Table(table), Value::Table(known)) => {
                check_keys(table, known, &format!("{key}."), all, origin)?;
            }
            (Value::Integer(_), Value::Float(_)) => {}
            (value, example) if value.same_type(example) => {}
            (Value::Array(_), _) if NAME_OR_LIST.contains(&&*key) => {}
            (value, example) => {
                let or_list = NAME_OR_LIST.contains(&&*key).then_some(" or an array");
                return Err(RecipeError::WrongType {
                    expected: with_article(example.type_str()) + or_list.unwrap_or_default(),
                    key,
                    origin: origin.to_owned(),
                    found: format!("{} ({})", with_article(value.type_str()), value),
                });
            }
        }
    }
    Ok(())
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn merge_tables(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge_tables(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptimizerKind;
    use super::*;

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        RecipeBuilder::from_text("test", "test.toml", text)?.build()
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse("").unwrap(), Recipe::default());
    }

    #[test]
    fn a_recipe_reads_back_as_it_was_written() {
        let recipe =
            parse("[model]\nblocks = [{kernel = 3, widths = [4, 4, \"classes\"]}]").unwrap();
        assert_eq!(parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let error = parse("[optimizer]\nlearning-rate = 0.1").unwrap_err();
        assert_eq!(error.to_string(), "unknown key `optimizer.learning-rate` in `test.toml`");
        assert_eq!(error.hint(), "did you mean `optimizer.learning_rate`?");
        let error = parse("momentum = 0.9").unwrap_err();
        assert_eq!(error.hint(), "did you mean `optimizer.momentum`?");
    }

    #[test]
    fn wrong_types_name_both() {
        let error = parse("[training]\nepochs = \"ten\"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`training.epochs` in `test.toml` is a string (\"ten\"), expected an integer"
        );
    }

    #[test]
    fn syntax_errors_say_where() {
        let error = parse("[training]\nepochs = = 3").unwrap_err().to_string();
        assert!(error.starts_with("`test.toml` is not TOML: line 2, column 10: "), "{error}");
    }

    #[test]
    fn single_keys_win_over_the_file() {
        let mut builder =
            RecipeBuilder::from_text("t", "t", "[training]\nepochs = 3\nseed = 1").unwrap();
        builder.assign("training.epochs=5").unwrap();
        builder.assign("optimizer.kind=adamw").unwrap();
        let recipe = builder.build().unwrap();
        assert_eq!((recipe.training.epochs, recipe.training.seed), (5, 1));
        assert_eq!(recipe.optimizer.kind, OptimizerKind::ADAMW);
    }

    #[test]
    fn muon_has_a_momentum_unless_the_file_says_zero() {
        let muon = parse("[optimizer]\nkind = \"muon\"").unwrap();
        assert_eq!(muon.optimizer.kind, OptimizerKind::MUON);

        let adamw = parse("[optimizer]\nkind = \"adamw\"").unwrap().to_toml().unwrap();
        let mut builder = RecipeBuilder::from_text("t", "t", &adamw).unwrap();
        builder.assign("optimizer.kind=muon").unwrap();
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains("`optimizer.momentum`") && error.contains("0.95"), "{error}");
    }
}
