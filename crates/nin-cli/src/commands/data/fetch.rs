//! `data fetch`: downloads a known data set into the folder where `train` finds it.

use std::process::ExitCode;
use std::time::Duration;

use nin_data::{
    CIFAR10, CIFAR100, FASHION_MNIST, FASHION_MNIST_SAMPLE, Locations, MNIST, known_files,
};

use crate::arguments::FetchArguments;
use crate::error::CommandError;
use crate::fetch::Fetcher;
use crate::output::{note, print_text};
use crate::terminal::printable;

/// The addresses of the known data sets.
const FASHION_MNIST_SERVERS: [&str; 2] = [
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
];
const MNIST_SERVERS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
];

pub fn run(arguments: &FetchArguments) -> anyhow::Result<ExitCode> {
    let name = arguments.name.as_str();
    let (Some(files), Some(servers)) = (known_files(name), servers(name)) else {
        let hint = match name {
            CIFAR10 | CIFAR100 => {
                "download its binary version from https://www.cs.toronto.edu/~kriz/cifar.html, \
                 unpack it, and pass its folder with --data"
                    .to_owned()
            }
            _ => format!(
                "choose {FASHION_MNIST} or {MNIST}; {FASHION_MNIST_SAMPLE} is embedded and needs \
                 no files"
            ),
        };
        let message = format!("cannot fetch the data set `{name}`");
        return Err(CommandError::new(message, hint).into());
    };
    let Some(folder) = Locations::from_environment().writable(name) else {
        return Err(CommandError::new(
            "no folder to download to",
            "set the environment variable NIN_DATA to a folder",
        )
        .into());
    };
    let addresses = match &arguments.from {
        Some(address) => vec![address.clone()],
        None => servers.map(str::to_owned).to_vec(),
    };
    let fetcher = Fetcher::new(addresses, Duration::from_secs(arguments.timeout.into()))?;
    for file in files {
        note(format!("{name}: {}", file.name));
        fetcher.fetch(&file, &folder)?;
    }
    print_text(&printable(&folder.display().to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn servers(name: &str) -> Option<[&'static str; 2]> {
    match name {
        FASHION_MNIST => Some(FASHION_MNIST_SERVERS),
        MNIST => Some(MNIST_SERVERS),
        _ => None,
    }
}
