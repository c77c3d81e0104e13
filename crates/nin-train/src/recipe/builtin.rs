//! The built-in recipes: the files of `configs/`.

/// A built-in recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinRecipe {
    /// The name of its file, without the extension.
    pub name: &'static str,
    /// The content of its file, in TOML.
    pub text: &'static str,
}

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(BuiltinRecipe {
            name: $name,
            text: include_str!(concat!("../../configs/", $name, ".toml")),
        }),+]
    };
}

const ALL: &[BuiltinRecipe] = embedded![
    "quickstart",
    "d2l-fashion-mnist",
    "d2l-fashion-mnist-96",
    "steady-fashion-mnist",
    "steady-fashion-mnist-96",
    "record-fashion-mnist",
    "record-large-fashion-mnist",
    "record-muon-fashion-mnist",
    "record-plain-fashion-mnist",
    "paper-fashion-mnist",
    "paper-mnist",
    "paper-cifar10",
    "paper-cifar10-augmented",
    "pictures",
];

impl BuiltinRecipe {
    /// Returns every built-in recipe, starting with the default of `nin-cli train`.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().copied()
    }

    /// Returns the name of every built-in recipe.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(|recipe| recipe.name)
    }

    /// Returns the default recipe of `nin-cli train`.
    pub fn quickstart() -> Self {
        ALL[0]
    }

    /// Returns the default recipe of `nin-cli train` for a folder of pictures.
    pub fn pictures() -> Self {
        Self::find("pictures").unwrap_or(ALL[0])
    }

    /// Returns the recipe with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|recipe| recipe.name == name)
    }

    /// Returns a one-line description, the first line of the file.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::RecipeBuilder;

    #[test]
    fn every_built_in_recipe_builds_and_says_what_it_is() {
        for recipe in BuiltinRecipe::all() {
            let built = RecipeBuilder::named(recipe.name).and_then(RecipeBuilder::build);
            assert!(built.is_ok(), "{}: {built:?}", recipe.name);
            assert!(
                recipe.text.starts_with("# ") && recipe.summary().len() > 10,
                "{}",
                recipe.name
            );
        }
    }

    #[test]
    fn the_books_recipe_is_the_default_recipe() {
        let book =
            RecipeBuilder::named("d2l-fashion-mnist").and_then(RecipeBuilder::build).unwrap();
        let default = crate::recipe::Recipe::default();
        assert_eq!((&book.data, &book.optimizer), (&default.data, &default.optimizer));
        assert_eq!((&book.training, &book.schedule), (&default.training, &default.schedule));
        assert_eq!(book.model, default.model);
    }
}
