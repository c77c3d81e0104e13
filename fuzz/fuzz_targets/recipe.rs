//! Recipes in TOML, and single keys of the command line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_train::recipe::RecipeBuilder;

fuzz_target!(|text: &str| {
    // What stands behind a zero byte is taken as `--set KEY=VALUE`.
    let (file, assignment) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(mut builder) = RecipeBuilder::from_text("fuzz", "fuzz.toml", file) else { return };
    let _ = builder.assign(assignment);
    let Ok(recipe) = builder.build() else { return };
    // What was accepted can be written, and reads back as it was.
    let written = recipe.to_toml().expect("an accepted recipe can be written");
    let again = RecipeBuilder::from_text("fuzz", "fuzz.toml", &written)
        .and_then(RecipeBuilder::build)
        .expect("a written recipe can be read");
    assert_eq!(again, recipe);
    if let Ok(architecture) = recipe.architecture(1, 10) {
        let side = recipe.data.input_size.unwrap_or(0);
        let _ = architecture.shapes([architecture.input_channels(), side, side]);
    }
});
