//! The lesson: a page that trains a network on the embedded sample, in the browser.

use image::ExtendedColorType;
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, ImageDataset, Locations};
use nin_model::Initialization;
use nin_train::recipe::{Recipe, RecipeBuilder};
use serde_json::{Value, json};

use super::bundle::bundle;
use super::files::lesson::{CURVES, HTML, LESSON, SEEN, STYLE, TRAINING, WORKER};
use super::files::{self, Module, WASM};
use super::one_file::{
    Workers, bytes_element, element, head, json_element, packed_element, png_address,
    script_element,
};
use crate::pictures::encode_png;

/// nin-web as WebAssembly, gzipped; `.ci/wasm` builds it.
const PROGRAM: &[u8] = include_bytes!("../../web/nin-lesson.wasm.gz");

/// The recipe of the page. Augmentation draws from nin-data, which is not in the page.
const RECIPE: &str = "quickstart";
const CHANGE: &str = "augmentation.flip=false";

/// The modules of the page's script, each after those that it imports.
pub(super) const MODULES: [Module; 5] = [WASM, CURVES, SEEN, TRAINING, LESSON];
/// The modules of its worker's script.
pub(super) const WORKER_MODULES: [Module; 2] = [WASM, WORKER];

/// The initialization of the two draws that the page compares, and their seeds. Of 2,500 seeds, two close all ten classes and
/// two close none.
const DRAWS: (Initialization, [u64; 2]) = (Initialization::PyTorch, [430, 2208]);
/// Steps of these two trainings.
const DRAW_STEPS: usize = 200;

/// Returns the page.
///
/// # Errors
/// Fails if the parts cannot be packed.
pub fn lesson_page() -> anyhow::Result<String> {
    let mut recipe = RecipeBuilder::named(RECIPE)?;
    recipe.assign(CHANGE)?;
    let recipe = recipe.build()?;
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
    let script = format!("\n{}", bundle(&MODULES));
    let style = format!("\n{}{STYLE}", files::STYLE);
    let parts = [
        json_element("description", &description(&recipe, &data)?),
        packed_element("program", PROGRAM),
        bytes_element("training-images", &images_with_labels(&data.train)?)?,
        bytes_element("test-images", &images_with_labels(&data.test)?)?,
        element("worker", &bundle(&WORKER_MODULES)),
        script_element(&script),
    ];
    Ok(HTML
        .replace("{{head}}", &head(&script, &style, Workers::Own))
        .replace("{{data}}", &parts.concat()))
}

/// Returns what the page shows, and the settings of its training.
fn description(recipe: &Recipe, data: &DataSet) -> anyhow::Result<Value> {
    let classes = data.class_names.len();
    let architecture = recipe.architecture(1, classes)?;
    let size = data.train.image_size().unwrap_or([28, 28]);
    let shapes = architecture.shapes([1, size[0], size[1]])?;
    let layer = |layer: &nin_model::LayerShape| json!({ "name": layer.name, "output": layer.output, "parameters": layer.parameters });
    let of_class =
        |class: usize| data.test.labels().iter().position(|&label| usize::from(label) == class);
    let shown: Vec<usize> = (0..classes).filter_map(of_class).collect();
    let mut pictures = Vec::new();
    for &index in &shown {
        let image = data.test.image(index)?;
        let png = encode_png(&image.pixels, image.size, ExtendedColorType::L8)?;
        pictures.push(png_address(&png));
    }
    let (initialization, seeds) = DRAWS;
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "layers": shapes.layers.iter().map(layer).collect::<Vec<_>>(),
        "counts": { "train": data.train.len(), "test": data.test.len() },
        "shown": shown,
        "pictures": pictures,
        "initializations": Initialization::names(),
        "settings": {
            "architecture": architecture,
            "classes": data.class_names,
            "dataset": FASHION_MNIST_SAMPLE,
            "input_size": size,
            "initialization": recipe.model.initialization,
            "optimizer": recipe.optimizer,
            "schedule": recipe.schedule,
            "seed": recipe.training.seed,
            "epochs": recipe.training.epochs,
            "batch_size": recipe.training.batch_size,
        },
        "collapse": {
            "steps": DRAW_STEPS,
            "initialization": initialization,
            "draws": seeds.map(|seed| json!({ "seed": seed })),
        },
    }))
}

/// Returns all pixels, image by image, and then the class of each image.
fn images_with_labels(images: &ImageDataset) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for index in 0..images.len() {
        bytes.extend_from_slice(&images.image(index)?.pixels);
    }
    // The sample has ten classes.
    bytes.extend(images.labels().iter().map(|&label| label as u8));
    Ok(bytes)
}
