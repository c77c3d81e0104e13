//! Winograd's minimal filtering F(4x4, RxR): the six transforms, for one panel at a time.
//!
//! All are made from one set of points 0, +-p, +-q, .., infinity (Toom and Cook's construction). With points in pairs,
//! two rows of every transform share their even and their odd part, which halves the work. `B`, `A` and `G` are the
//! names of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308: an output tile is
//! `At [(G g Gt) * (Bt d B)] A`; gradients are the exact adjoints.

use std::marker::PhantomData;

use super::Vector;
use crate::arch::Operation;
use crate::panels::PANEL;

/// Outputs of a tile along each axis.
pub(crate) const OUT: usize = 4;

/// The largest transformed tile along each axis.
const MOST: usize = 8;

/// Tiles that are prefetched before they are read: they lie in as many places as a tile has points, more than the
/// hardware's prefetcher follows.
const AHEAD: usize = 2;

/// Pairs of points at most.
const PAIRS: usize = 3;

/// F(4x4, RxR), given by its points.
pub(crate) trait Scheme: Copy + Send + Sync + 'static {
    /// Pairs of points.
    const PAIRS: usize;
    /// The positive one of each pair, zero where there is none.
    const POINTS: [f64; PAIRS];

    /// The kernel's size.
    const KERNEL: usize = Self::TILE + 1 - OUT;
    /// Inputs of a tile along each axis.
    const TILE: usize = 2 * Self::PAIRS + 2;
    /// The constants that follow from the points.
    const TABLE: Table = Table::new(Self::PAIRS, Self::POINTS);
}

/// F(4x4, 3x3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct F43;

impl Scheme for F43 {
    const PAIRS: usize = 2;
    const POINTS: [f64; PAIRS] = [1.0, 2.0, 0.0];
}

/// F(4x4, 5x5).
#[derive(Debug, Clone, Copy)]
pub(crate) struct F45;

impl Scheme for F45 {
    const PAIRS: usize = 3;
    const POINTS: [f64; PAIRS] = [1.0, 2.0, 0.5];
}

/// What the transforms multiply by.
#[derive(Debug)]
pub(crate) struct Table {
    /// `power[pair][k] = p^k`.
    power: [[f32; MOST]; PAIRS],
    /// Coefficients in `x^2` of the product of `x^2 - q^2` over all pairs.
    all: [f32; PAIRS + 1],
    /// The same without one pair.
    without: [[f32; PAIRS]; PAIRS],
    /// One over the product of the differences to all other points; the last is that of the point zero.
    norm: [f32; PAIRS + 1],
}

impl Table {
    const fn new(pairs: usize, points: [f64; PAIRS]) -> Self {
        let mut table = Self {
            power: [[0.0; MOST]; PAIRS],
            all: [0.0; 4],
            without: [[0.0; PAIRS]; PAIRS],
            norm: [0.0; 4],
        };
        let all = product(pairs, points, PAIRS);
        let mut k = 0;
        while k <= pairs {
            table.all[k] = all[k] as f32;
            k += 1;
        }
        table.norm[PAIRS] = (1.0 / all[0]) as f32;
        let mut pair = 0;
        while pair < pairs {
            let without = product(pairs, points, pair);
            let square = points[pair] * points[pair];
            let (mut power, mut value, mut square_power) = (1.0, 0.0, 1.0);
            k = 0;
            while k < MOST {
                table.power[pair][k] = power as f32;
                power *= points[pair];
                k += 1;
            }
            k = 0;
            while k < pairs {
                table.without[pair][k] = without[k] as f32;
                value += without[k] * square_power;
                square_power *= square;
                k += 1;
            }
            table.norm[pair] = (1.0 / (2.0 * square * value)) as f32;
            pair += 1;
        }
        table
    }
}

/// Coefficients in `x^2` of the product of `x^2 - q^2` over the pairs, one of them left out.
const fn product(pairs: usize, points: [f64; PAIRS], left_out: usize) -> [f64; PAIRS + 1] {
    let mut coefficients = [1.0, 0.0, 0.0, 0.0];
    let mut pair = 0;
    while pair < pairs {
        if pair != left_out {
            let square = points[pair] * points[pair];
            let mut k = PAIRS;
            while k > 0 {
                coefficients[k] = coefficients[k - 1] - square * coefficients[k];
                k -= 1;
            }
            coefficients[0] *= -square;
        }
        pair += 1;
    }
    coefficients
}

type Line<V> = [V; MOST];
type Square<V> = [[V; MOST]; MOST];

/// Sum of `coefficients[k] * values[first + 2 k]` for the first `terms`, the last coefficient being one.
#[inline(always)]
unsafe fn every_other<V: Vector>(
    values: &Line<V>,
    first: usize,
    coefficients: &[f32],
    terms: usize,
) -> V {
    let mut sum = values[first + 2 * (terms - 1)];
    for k in (0..terms - 1).rev() {
        // SAFETY: the caller has the instruction set, here and in all transforms below.
        sum = unsafe { values[first + 2 * k].mul_add(V::splat(coefficients[k]), sum) };
    }
    sum
}

/// `Bt`: an input tile into the transformed domain. Points lie in the order 0, +p, -p, +q, -q, .., infinity.
#[inline(always)]
unsafe fn input<S: Scheme, V: Vector>(d: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut v = [V::splat(0.0); MOST];
        v[0] = every_other(d, 0, &table.all, S::PAIRS + 1);
        v[S::TILE - 1] = every_other(d, 1, &table.all, S::PAIRS + 1);
        for pair in 0..S::PAIRS {
            let even = every_other(d, 2, &table.without[pair], S::PAIRS);
            let odd = every_other(d, 1, &table.without[pair], S::PAIRS)
                .mul(V::splat(table.power[pair][1]));
            v[2 * pair + 1] = even.add(odd);
            v[2 * pair + 2] = even.sub(odd);
        }
        v
    }
}

/// `B`, the adjoint of [`input`].
#[inline(always)]
unsafe fn input_adjoint<S: Scheme, V: Vector>(v: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut d = [V::splat(0.0); MOST];
        for k in 0..=S::PAIRS {
            d[2 * k] = v[0].mul(V::splat(table.all[k]));
            d[2 * k + 1] = v[S::TILE - 1].mul(V::splat(table.all[k]));
        }
        for pair in 0..S::PAIRS {
            let sum = v[2 * pair + 1].add(v[2 * pair + 2]);
            let difference =
                v[2 * pair + 1].sub(v[2 * pair + 2]).mul(V::splat(table.power[pair][1]));
            for k in 0..S::PAIRS {
                let coefficient = V::splat(table.without[pair][k]);
                d[2 * k + 2] = sum.mul_add(coefficient, d[2 * k + 2]);
                d[2 * k + 1] = difference.mul_add(coefficient, d[2 * k + 1]);
            }
        }
        d
    }
}

/// `At`: out of the transformed domain, into four outputs.
#[inline(always)]
unsafe fn output<S: Scheme, V: Vector>(m: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let mut y = [V::splat(0.0); MOST];
        y[0] = m[0];
        y[OUT - 1] = m[S::TILE - 1];
        for pair in 0..S::PAIRS {
            let sum = m[2 * pair + 1].add(m[2 * pair + 2]);
            let difference = m[2 * pair + 1].sub(m[2 * pair + 2]);
            let power = &S::TABLE.power[pair];
            y[0] = y[0].add(sum);
            y[1] = difference.mul_add(V::splat(power[1]), y[1]);
            y[2] = sum.mul_add(V::splat(power[2]), y[2]);
            y[3] = difference.mul_add(V::splat(power[3]), y[3]);
        }
        y
    }
}

/// `A`, the adjoint of [`output`].
#[inline(always)]
unsafe fn output_adjoint<S: Scheme, V: Vector>(y: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let mut m = [V::splat(0.0); MOST];
        m[0] = y[0];
        m[S::TILE - 1] = y[OUT - 1];
        for pair in 0..S::PAIRS {
            let power = &S::TABLE.power[pair];
            let even = y[2].mul_add(V::splat(power[2]), y[0]);
            let odd = y[3].mul(V::splat(power[3])).add(y[1].mul(V::splat(power[1])));
            m[2 * pair + 1] = even.add(odd);
            m[2 * pair + 2] = even.sub(odd);
        }
        m
    }
}

/// `G`: a kernel into the transformed domain.
#[inline(always)]
unsafe fn kernel<S: Scheme, V: Vector>(g: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut u = [V::splat(0.0); MOST];
        u[0] = g[0].mul(V::splat(table.norm[PAIRS]));
        u[S::TILE - 1] = g[S::KERNEL - 1];
        for pair in 0..S::PAIRS {
            let (mut even, mut odd) = (V::splat(0.0), V::splat(0.0));
            for k in 0..S::KERNEL {
                let term = V::splat(table.power[pair][k] * table.norm[pair]);
                if k % 2 == 0 {
                    even = g[k].mul_add(term, even);
                } else {
                    odd = g[k].mul_add(term, odd);
                }
            }
            u[2 * pair + 1] = even.add(odd);
            u[2 * pair + 2] = even.sub(odd);
        }
        u
    }
}

/// `Gt`, the adjoint of [`kernel`].
#[inline(always)]
unsafe fn kernel_adjoint<S: Scheme, V: Vector>(u: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut g = [V::splat(0.0); MOST];
        g[0] = u[0].mul(V::splat(table.norm[PAIRS]));
        g[S::KERNEL - 1] = u[S::TILE - 1];
        for pair in 0..S::PAIRS {
            let sum = u[2 * pair + 1].add(u[2 * pair + 2]);
            let difference = u[2 * pair + 1].sub(u[2 * pair + 2]);
            for k in 0..S::KERNEL {
                let term = V::splat(table.power[pair][k] * table.norm[pair]);
                let part = if k % 2 == 0 { sum } else { difference };
                g[k] = part.mul_add(term, g[k]);
            }
        }
        g
    }
}

/// A transform along both axes, from a square of `inputs` to one of `outputs`. A macro, because a closure cannot be told
/// to inline always.
macro_rules! both_axes {
    ($square:expr, $inputs:expr => $outputs:expr, $transform:expr) => {{
        let square: Square<V> = $square;
        let zero = V::splat(0.0);
        let mut half = [[zero; MOST]; MOST];
        for x in 0..$inputs {
            let mut column = [zero; MOST];
            for y in 0..$inputs {
                column[y] = square[y][x];
            }
            let column: Line<V> = $transform(&column);
            for y in 0..$outputs {
                half[y][x] = column[y];
            }
        }
        let mut full = [[zero; MOST]; MOST];
        for y in 0..$outputs {
            full[y] = $transform(&half[y]);
        }
        full
    }};
}

/// Tiles of one image along each axis, `[down, across]`.
pub(crate) type Tiles = [usize; 2];

/// One image's panel on its canvas (`4 * tiles + KERNEL - 1` pixels along each axis) into the transformed domain.
pub(crate) struct InputTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) canvas: &'a [f32],
    pub(crate) tiles: Tiles,
    /// From the first tile's place on: `[TILE * TILE][stride]`, 16 values for each tile.
    pub(crate) transformed: &'a mut [f32],
    pub(crate) stride: usize,
}

impl<S: Scheme> Operation for InputTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [down, across] = self.tiles;
        let width = across * OUT + S::KERNEL - 1;
        assert!(self.canvas.len() >= (down * OUT + S::KERNEL - 1) * width * PANEL);
        assert!(
            self.transformed.len() >= (S::TILE * S::TILE - 1) * self.stride + down * across * PANEL
        );
        let (canvas, transformed) = (self.canvas.as_ptr(), self.transformed.as_mut_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let mut square = [[V::splat(0.0); MOST]; MOST];
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            square[y][x] =
                                V::load(canvas.add(((top + y) * width + left + x) * PANEL + lane));
                        }
                    }
                    let square = both_axes!(square, S::TILE => S::TILE, input::<S, V>);
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            square[y][x].store(
                                transformed
                                    .add((y * S::TILE + x) * self.stride + tile * PANEL + lane),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The adjoint of [`InputTransform`]: adds every tile onto the canvas.
pub(crate) struct InputGradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) transformed: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) tiles: Tiles,
    /// Overwritten.
    pub(crate) canvas: &'a mut [f32],
}

impl<S: Scheme> Operation for InputGradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [down, across] = self.tiles;
        let width = across * OUT + S::KERNEL - 1;
        assert!(self.canvas.len() >= (down * OUT + S::KERNEL - 1) * width * PANEL);
        assert!(
            self.transformed.len() >= (S::TILE * S::TILE - 1) * self.stride + down * across * PANEL
        );
        self.canvas.fill(0.0);
        let (canvas, transformed) = (self.canvas.as_mut_ptr(), self.transformed.as_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let mut square = [[V::splat(0.0); MOST]; MOST];
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            let at = (y * S::TILE + x) * self.stride + tile * PANEL + lane;
                            square[y][x] = V::load(transformed.add(at));
                            if lane == 0 {
                                V::prefetch(transformed.wrapping_add(at + AHEAD * PANEL));
                            }
                        }
                    }
                    let square = both_axes!(square, S::TILE => S::TILE, input_adjoint::<S, V>);
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            let at = canvas.add(((top + y) * width + left + x) * PANEL + lane);
                            V::load(at).add(square[y][x]).store(at);
                        }
                    }
                }
            }
        }
    }
}

/// Out of the transformed domain into one image's panel, with bias and ReLU.
pub(crate) struct OutputTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) transformed: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) tiles: Tiles,
    /// 16 values.
    pub(crate) bias: &'a [f32],
    pub(crate) relu: bool,
    /// `[height, width]`, at most four times the tiles.
    pub(crate) size: [usize; 2],
    pub(crate) output: &'a mut [f32],
}

impl<S: Scheme> Operation for OutputTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let ([down, across], [height, width]) = (self.tiles, self.size);
        assert!(
            self.transformed.len() >= (S::TILE * S::TILE - 1) * self.stride + down * across * PANEL
        );
        assert!(self.output.len() >= height * width * PANEL && self.bias.len() >= PANEL);
        let (output_start, transformed) = (self.output.as_mut_ptr(), self.transformed.as_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let mut square = [[V::splat(0.0); MOST]; MOST];
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            let at = (y * S::TILE + x) * self.stride + tile * PANEL + lane;
                            square[y][x] = V::load(transformed.add(at));
                            if lane == 0 {
                                V::prefetch(transformed.wrapping_add(at + AHEAD * PANEL));
                            }
                        }
                    }
                    let square = both_axes!(square, S::TILE => OUT, output::<S, V>);
                    let bias = V::load(self.bias.as_ptr().add(lane));
                    for y in 0..OUT.min(height.saturating_sub(top)) {
                        for x in 0..OUT.min(width.saturating_sub(left)) {
                            let sum = square[y][x].add(bias);
                            let value = if self.relu { sum.relu() } else { sum };
                            value.store(
                                output_start.add(((top + y) * width + left + x) * PANEL + lane),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The adjoint of [`OutputTransform`]: one image's panel of the output's gradient into the transformed domain, with the
/// ReLU's mask and the bias's gradient.
pub(crate) struct GradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) gradient: &'a [f32],
    /// The output, where its ReLU is to be masked; else empty.
    pub(crate) gate: &'a [f32],
    pub(crate) size: [usize; 2],
    pub(crate) tiles: Tiles,
    pub(crate) transformed: &'a mut [f32],
    pub(crate) stride: usize,
    /// 16 values, overwritten: the sum over pixels.
    pub(crate) sums: &'a mut [f32],
}

impl<S: Scheme> Operation for GradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let ([down, across], [height, width]) = (self.tiles, self.size);
        assert!(
            self.transformed.len() >= (S::TILE * S::TILE - 1) * self.stride + down * across * PANEL
        );
        assert!(self.gradient.len() >= height * width * PANEL && self.sums.len() >= PANEL);
        assert!(self.gate.is_empty() || self.gate.len() >= height * width * PANEL);
        let (gradient, transformed) = (self.gradient.as_ptr(), self.transformed.as_mut_ptr());
        self.sums.fill(0.0);
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let mut square = [[V::splat(0.0); MOST]; MOST];
                    let mut sum = V::splat(0.0);
                    for y in 0..OUT {
                        for x in 0..OUT {
                            if top + y < height && left + x < width {
                                let at = ((top + y) * width + left + x) * PANEL + lane;
                                let mut value = V::load(gradient.add(at));
                                if !self.gate.is_empty() {
                                    value = value.gated_by(V::load(self.gate.as_ptr().add(at)));
                                }
                                sum = sum.add(value);
                                square[y][x] = value;
                            }
                        }
                    }
                    let sums = self.sums.as_mut_ptr().add(lane);
                    V::load(sums).add(sum).store(sums);
                    let square = both_axes!(square, OUT => S::TILE, output_adjoint::<S, V>);
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            square[y][x].store(
                                transformed
                                    .add((y * S::TILE + x) * self.stride + tile * PANEL + lane),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Sixteen kernels, `[KERNEL * KERNEL][16]`, into the transformed domain.
pub(crate) struct WeightTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) kernels: &'a [f32],
    /// `[TILE * TILE][16]`.
    pub(crate) transformed: &'a mut [f32],
}

impl<S: Scheme> Operation for WeightTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        assert!(self.kernels.len() >= S::KERNEL * S::KERNEL * PANEL);
        assert!(self.transformed.len() >= S::TILE * S::TILE * PANEL);
        for lane in (0..PANEL).step_by(V::LANES) {
            // SAFETY: the assertions bound every access; the features by the caller.
            unsafe {
                let mut square = [[V::splat(0.0); MOST]; MOST];
                for y in 0..S::KERNEL {
                    for x in 0..S::KERNEL {
                        square[y][x] =
                            V::load(self.kernels.as_ptr().add((y * S::KERNEL + x) * PANEL + lane));
                    }
                }
                let square = both_axes!(square, S::KERNEL => S::TILE, kernel::<S, V>);
                for y in 0..S::TILE {
                    for x in 0..S::TILE {
                        square[y][x].store(
                            self.transformed.as_mut_ptr().add((y * S::TILE + x) * PANEL + lane),
                        );
                    }
                }
            }
        }
    }
}

/// The adjoint of [`WeightTransform`].
pub(crate) struct WeightGradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    /// `[TILE * TILE][16]`.
    pub(crate) transformed: &'a [f32],
    /// `[KERNEL * KERNEL][16]`.
    pub(crate) kernels: &'a mut [f32],
}

impl<S: Scheme> Operation for WeightGradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        assert!(self.kernels.len() >= S::KERNEL * S::KERNEL * PANEL);
        assert!(self.transformed.len() >= S::TILE * S::TILE * PANEL);
        for lane in (0..PANEL).step_by(V::LANES) {
            // SAFETY: the assertions bound every access; the features by the caller.
            unsafe {
                let mut square = [[V::splat(0.0); MOST]; MOST];
                for y in 0..S::TILE {
                    for x in 0..S::TILE {
                        square[y][x] = V::load(
                            self.transformed.as_ptr().add((y * S::TILE + x) * PANEL + lane),
                        );
                    }
                }
                let square = both_axes!(square, S::TILE => S::KERNEL, kernel_adjoint::<S, V>);
                for y in 0..S::KERNEL {
                    for x in 0..S::KERNEL {
                        square[y][x].store(
                            self.kernels.as_mut_ptr().add((y * S::KERNEL + x) * PANEL + lane),
                        );
                    }
                }
            }
        }
    }
}
