//! CPU kernels of the Network in Network on plain slices.
