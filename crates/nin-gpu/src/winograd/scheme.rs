//! The matrices of F(4x4, RxR).
//!
//! A product of polynomials is found from its values at some points: 0, pairs of `p` and `-p`, and infinity, the highest
//! coefficient. One matrix evaluates the kernel at the points, its counterpart goes back from the products, and the third
//! follows from both by transposition (Lavin and Gray, arXiv:1509.09308).

/// Outputs of a tile along each axis.
pub(crate) const OUT: usize = 4;

/// F(4x4, RxR), by the size of its kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// F(4x4, 3x3).
    F43,
    /// F(4x4, 5x5).
    F45,
}

/// A transform of one row or column of a tile: `[outputs of the transform][inputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Matrix {
    /// Input to points.
    Input(Scheme),
    /// Kernel to points.
    Kernel(Scheme),
    /// Products to outputs.
    Output(Scheme),
    /// The transpose of `Kernel`: sums of products to the gradient of the kernel.
    KernelTransposed(Scheme),
    /// The transpose of `Output`: gradient of the outputs to points.
    OutputTransposed(Scheme),
}

impl Scheme {
    /// Returns the scheme of a kernel.
    pub(crate) fn of(kernel: usize) -> Option<Self> {
        match kernel {
            3 => Some(Self::F43),
            5 => Some(Self::F45),
            _ => None,
        }
    }

    /// Returns the points along an axis, without infinity, which is the last. These are those of `nin-kernels`.
    fn finite_points(self) -> &'static [f64] {
        match self {
            Self::F43 => &[0.0, 1.0, -1.0, 2.0, -2.0],
            Self::F45 => &[0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5],
        }
    }

    /// Returns the inputs of a tile along each axis, as many as there are points.
    pub(crate) fn tile(self) -> usize {
        self.finite_points().len() + 1
    }

    /// Returns the points of a tile.
    pub(crate) fn points(self) -> usize {
        self.tile() * self.tile()
    }

    /// Returns the size of the kernel.
    pub(crate) fn kernel(self) -> usize {
        self.tile() + 1 - OUT
    }

    /// Returns the point whose value of the gradient of the outputs is their sum: one along both axes.
    pub(crate) fn sum_point(self) -> usize {
        self.tile() + 1
    }

    /// Returns the coefficient of `x^power` in the product of `x - q` over all points but one.
    fn coefficient(self, left_out: Option<usize>, power: usize) -> f64 {
        let mut coefficients = vec![1.0];
        for (at, &point) in self.finite_points().iter().enumerate() {
            if Some(at) != left_out {
                coefficients.push(0.0);
                for k in (0..coefficients.len()).rev() {
                    let lower = if k > 0 { coefficients[k - 1] } else { 0.0 };
                    coefficients[k] = lower - point * coefficients[k];
                }
            }
        }
        coefficients.get(power).copied().unwrap_or(0.0)
    }

    /// Returns the product of the differences between a point and all others.
    fn norm(self, at: usize) -> f64 {
        let points = self.finite_points();
        let others = points.iter().enumerate().filter(|&(other, _)| other != at);
        others.map(|(_, &other)| points[at] - other).product()
    }

    /// Returns a power of a point; at infinity, only the highest counts.
    fn power(self, at: usize, power: usize, highest: usize) -> f64 {
        match self.finite_points().get(at) {
            Some(point) => point.powi(power as i32),
            None => f64::from(u8::from(power == highest)),
        }
    }
}

impl Matrix {
    fn scheme(self) -> Scheme {
        match self {
            Self::Input(scheme)
            | Self::Kernel(scheme)
            | Self::Output(scheme)
            | Self::KernelTransposed(scheme)
            | Self::OutputTransposed(scheme) => scheme,
        }
    }

    /// Returns the number of results.
    pub(crate) fn rows(self) -> usize {
        let scheme = self.scheme();
        match self {
            Self::Input(_) | Self::Kernel(_) | Self::OutputTransposed(_) => scheme.tile(),
            Self::Output(_) => OUT,
            Self::KernelTransposed(_) => scheme.kernel(),
        }
    }

    /// Returns the number of values that are transformed.
    pub(crate) fn columns(self) -> usize {
        let scheme = self.scheme();
        match self {
            Self::Input(_) | Self::Output(_) | Self::KernelTransposed(_) => scheme.tile(),
            Self::Kernel(_) => scheme.kernel(),
            Self::OutputTransposed(_) => OUT,
        }
    }

    /// Returns an entry.
    pub(crate) fn at(self, row: usize, column: usize) -> f32 {
        let entry = match self {
            Self::Input(scheme) => {
                scheme.coefficient((row + 1 < scheme.tile()).then_some(row), column)
            }
            Self::Kernel(scheme) => {
                let norm = if row + 1 < scheme.tile() { scheme.norm(row) } else { 1.0 };
                scheme.power(row, column, scheme.kernel() - 1) / norm
            }
            Self::Output(scheme) => scheme.power(column, row, OUT - 1),
            Self::KernelTransposed(scheme) => return Self::Kernel(scheme).at(column, row),
            Self::OutputTransposed(scheme) => return Self::Output(scheme).at(column, row),
        };
        entry as f32
    }

    /// Returns the multiplications of a transform of a whole tile along both axes.
    pub(crate) fn products(self) -> usize {
        let (rows, columns) = (self.rows(), self.columns());
        let entries = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let entries = entries.filter(|&(row, column)| self.at(row, column) != 0.0).count();
        entries * (columns + rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of values around 1: the entries are those of 32 bits, and up to 21.
    const TOLERANCE: f64 = 1e-5;

    fn transform(matrix: Matrix, values: &[f64]) -> Vec<f64> {
        assert_eq!(values.len(), matrix.columns());
        let sum = |row| {
            (0..matrix.columns())
                .map(move |column| f64::from(matrix.at(row, column)) * values[column])
        };
        (0..matrix.rows()).map(|row| sum(row).sum()).collect()
    }

    #[test]
    fn products_at_the_points_are_a_convolution() {
        for scheme in [Scheme::F43, Scheme::F45] {
            let numbers = |len: usize, salt: usize| -> Vec<f64> {
                (0..len).map(|at| ((at + salt) * 7919 % 1009) as f64 / 1009.0 - 0.5).collect()
            };
            let (input, kernel) = (numbers(scheme.tile(), 1), numbers(scheme.kernel(), 20));
            let at_points = transform(Matrix::Input(scheme), &input);
            let factors = transform(Matrix::Kernel(scheme), &kernel);
            let products: Vec<f64> =
                at_points.iter().zip(&factors).map(|(left, right)| left * right).collect();
            for (at, found) in transform(Matrix::Output(scheme), &products).into_iter().enumerate()
            {
                let expected: f64 =
                    kernel.iter().zip(&input[at..]).map(|(left, right)| left * right).sum();
                assert!((found - expected).abs() < TOLERANCE, "{scheme:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_point_has_the_sum_of_the_outputs() {
        for scheme in [Scheme::F43, Scheme::F45] {
            let matrix = Matrix::OutputTransposed(scheme);
            let row = scheme.sum_point() / scheme.tile();
            assert_eq!(row, scheme.sum_point() % scheme.tile());
            assert_eq!([0, 1, 2, 3].map(|column| matrix.at(row, column)), [1.0; OUT]);
        }
    }
}
