//! MNIST-style data sets for Burn.
