//! Test images to try the network on: a few of the embedded sample, if the network knows their classes.

use hyper::body::Bytes;
use image::ExtendedColorType;
use nin_data::{DataSet, FASHION_MNIST, FASHION_MNIST_SAMPLE, Locations};
use nin_model::ModelMetadata;

use crate::pictures::encode_png;

/// Images per class.
const OF_EACH_CLASS: usize = 2;

/// Images as PNG, each with its class, ordered by class.
#[derive(Clone, Default)]
pub struct Gallery(Vec<(String, Bytes)>);

impl Gallery {
    /// Returns the gallery for a network. It is empty unless the network was trained on Fashion-MNIST.
    pub fn of(metadata: &ModelMetadata) -> anyhow::Result<Self> {
        if ![FASHION_MNIST, FASHION_MNIST_SAMPLE].contains(&metadata.dataset.as_str()) {
            return Ok(Self::default());
        }
        let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
        let mut pictures = Vec::new();
        for class in 0..data.class_names.len() {
            let of_class = (0..data.test.len())
                .filter_map(|index| data.test.image(index).ok())
                .filter(|image| usize::from(image.label) == class);
            for image in of_class.take(OF_EACH_CLASS) {
                let png = encode_png(&image.pixels, image.size, ExtendedColorType::L8)?;
                pictures.push((data.class_names[class].clone(), Bytes::from(png)));
            }
        }
        Ok(Self(pictures))
    }

    /// Returns the class of each image.
    pub fn labels(&self) -> Vec<&str> {
        self.0.iter().map(|(label, _)| label.as_str()).collect()
    }

    /// Returns the images, as PNG.
    pub fn pictures(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, png)| &**png)
    }

    /// Returns an image by its number in a request's path.
    pub fn png(&self, number: &str) -> Option<Bytes> {
        let number: usize = number.parse().ok()?;
        self.0.get(number).map(|(_, png)| png.clone())
    }
}
