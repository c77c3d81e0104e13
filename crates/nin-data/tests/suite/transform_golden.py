"""Writes transform_golden.txt: generated images, normalized and whitened by numpy as pylearn2 defines it.

python3 crates/nin-data/tests/suite/transform_golden.py > crates/nin-data/tests/suite/transform_golden.txt
(numpy 2; pylearn2's ZCA calls `numpy.linalg.eigh`.)
"""

import numpy as np

IMAGES, CHANNELS, HEIGHT, WIDTH = 60, 3, 2, 3
LENGTH = CHANNELS * HEIGHT * WIDTH
SCALE, BIAS = 55.0, 0.1


def pixels() -> np.ndarray:
    """Returns [images, channels * height * width] bytes; neighbours are similar, as in photographs."""
    image, at = np.indices((IMAGES, LENGTH))
    base = (image * 7919 + image * image * 31) % 200
    return (base + (at * 13 + image * at * 5) % 56).astype(np.uint8)


def contrast(values: np.ndarray) -> np.ndarray:
    """Computes pylearn2.expr.preprocessing.global_contrast_normalize(X, scale=55.) with other defaults."""
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1)) / SCALE
    norms[norms < 1e-8] = 1.0
    return centred / norms[:, None]


def zca(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and matrix of pylearn2.datasets.preprocessing.ZCA(filter_bias=0.1)."""
    mean = values.mean(axis=0)
    centred = values - mean
    covariance = centred.T @ centred / len(values)
    eigenvalues, vectors = np.linalg.eigh(covariance + BIAS * np.identity(LENGTH))
    return mean, (vectors * eigenvalues**-0.5) @ vectors.T


def show(name: str, rows: np.ndarray) -> None:
    for row in np.atleast_2d(rows):
        print(name, *(f"{value:.9g}" for value in row))


values = (pixels().astype(np.float32) / np.float32(255)).astype(np.float64)
planes = values.reshape(IMAGES, CHANNELS, -1)
show("channel_mean", planes.mean(axis=(0, 2)))
show("channel_deviation", planes.std(axis=(0, 2)))
show("contrast", contrast(values)[:4])
mean, matrix = zca(contrast(values))
show("zca_mean", mean)
show("zca_matrix", matrix)
show("zca", ((contrast(values) - mean) @ matrix)[:4])
