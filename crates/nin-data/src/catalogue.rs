//! Data sets known by name.

/// Zalando's Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747).
pub const FASHION_MNIST: &str = "fashion-mnist";
/// The sample of Fashion-MNIST that is embedded in the program.
pub const FASHION_MNIST_SAMPLE: &str = "fashion-mnist-sample";
/// The handwritten digits of LeCun, Cortes and Burges.
pub const MNIST: &str = "mnist";
/// Krizhevsky's 32x32 photographs of ten classes.
pub const CIFAR10: &str = "cifar10";
/// Krizhevsky's 32x32 photographs of a hundred classes.
pub const CIFAR100: &str = "cifar100";

/// The number of classes of MNIST and Fashion-MNIST.
const TEN: usize = 10;

/// Returns the number of classes of a known data set in MNIST's format; for others it follows from the
/// labels.
pub(crate) fn known_classes(name: &str) -> Option<usize> {
    matches!(name, FASHION_MNIST | FASHION_MNIST_SAMPLE | MNIST).then_some(TEN)
}

/// The four files of a data set: training images, training labels, test images, test labels.
pub(crate) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

const CLOTHES: [&str; TEN] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const PHOTOGRAPHS: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// SHA-256 of the uncompressed files of Fashion-MNIST, in the order of [`FILES`]. Compressed files differ
/// between distributors.
const FASHION_MNIST_SUMS: [&str; 4] = [
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
];

/// SHA-256 of the uncompressed files of MNIST, as its mirrors (CVDF, PyTorch) publish them.
const MNIST_SUMS: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/// Returns the published checksums of a data set, in the order of [`FILES`].
pub(crate) fn known_sums(name: &str) -> Option<[&'static str; 4]> {
    match name {
        FASHION_MNIST => Some(FASHION_MNIST_SUMS),
        MNIST => Some(MNIST_SUMS),
        _ => None,
    }
}

/// A file of a known data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFile {
    /// The name of the file, without `.gz`.
    pub name: &'static str,
    /// The SHA-256 of the uncompressed content, in hexadecimal.
    pub sha256: &'static str,
    /// Whether the file holds images rather than labels.
    pub holds_images: bool,
}

/// Returns the four files of a known data set, or `None` if their checksums are unknown.
pub fn known_files(name: &str) -> Option<[KnownFile; 4]> {
    let sums = known_sums(name)?;
    Some(std::array::from_fn(|index| KnownFile {
        name: FILES[index],
        sha256: sums[index],
        holds_images: index.is_multiple_of(2),
    }))
}

/// Returns the class names of a known data set, or the class numbers for any other.
pub fn class_names(name: &str, classes: usize) -> Vec<String> {
    let known = match name {
        FASHION_MNIST | FASHION_MNIST_SAMPLE => Some(CLOTHES),
        CIFAR10 => Some(PHOTOGRAPHS),
        _ => None,
    };
    if let Some(names) = known.filter(|names| classes <= names.len()) {
        return names.map(str::to_owned).to_vec();
    }
    let classes = classes.max(known_classes(name).unwrap_or_default());
    (0..classes).map(|class| class.to_string()).collect()
}
