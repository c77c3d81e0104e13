"""Prints the golden values of `corruption.rs`: the test's image, blurred by SciPy.

pip install numpy scipy
python corruption_golden.py > corruption_golden.in
"""
import numpy
from scipy.ndimage import gaussian_filter

image = numpy.array([(at * 2_654_435_761 % 2**32) >> 24 for at in range(48)], dtype=float).reshape(8, 6)
blurred = gaussian_filter(image, sigma=1.0, mode="nearest")
print("[" + ", ".join(str(int(numpy.floor(value + 0.5))) for value in blurred.flat) + "]")
