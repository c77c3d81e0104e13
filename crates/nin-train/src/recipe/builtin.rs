//! The recipes that are part of the program: the files of `configs/`.

/// A recipe that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinRecipe {
    /// The name, which is its file's without the ending.
    pub name: &'static str,
    /// The TOML text.
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
    "record-plain-fashion-mnist",
    "paper-fashion-mnist",
    "paper-mnist",
    "paper-cifar10",
    "pictures",
];

impl BuiltinRecipe {
    /// Every built-in recipe, the one that `train` takes by itself first.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().copied()
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(|recipe| recipe.name)
    }

    /// The recipe that `train` takes unless told otherwise.
    pub fn quickstart() -> Self {
        ALL[0]
    }

    /// The recipe that `train` takes for a folder of pictures unless told otherwise.
    pub fn pictures() -> Self {
        Self::find("pictures").unwrap_or(ALL[0])
    }

    /// The recipe of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|recipe| recipe.name == name)
    }

    /// The first line of the file's header: what the recipe is.
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
