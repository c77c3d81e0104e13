//! The receptive fields of the cells of a class map.

use crate::Architecture;

/// The positions of the cells of a class map over the input, the same along height and width.
///
/// The centre of cell `i` is at pixel `first + i * step`, where the centre of the first pixel is 0. Its receptive field is
/// `field` pixels wide. The cells cover the input evenly only if the padding of all layers does: in the book's network at
/// 224x224 the five centres are 33, 65, ..., 161.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapGeometry {
    /// The centre of the first cell, in pixels.
    pub first: f64,
    /// The distance between centres, in pixels.
    pub step: usize,
    /// The side of the receptive field, in pixels. It may extend beyond the input.
    pub field: usize,
}

impl MapGeometry {
    /// Returns the cell, of `cells`, whose centre is nearest to a pixel; `None` where the nearest centre is more than half a
    /// step away.
    pub fn cell(&self, pixel: usize, cells: usize) -> Option<usize> {
        let position = (pixel as f64 - self.first) / self.step as f64 + 0.5;
        (position >= 0.0).then_some(position as usize).filter(|&cell| cell < cells)
    }
}

impl Architecture {
    /// Returns the positions of the cells of the class maps over the input.
    pub fn map_geometry(&self) -> MapGeometry {
        let (mut first, mut step, mut field) = (0.0, 1_usize, 1_usize);
        let windows = self.blocks().iter().flat_map(|block| {
            let pool = block.pool.as_ref();
            [
                Some((block.kernel, block.stride, block.padding)),
                pool.map(|pool| (pool.kernel, pool.stride, pool.padding)),
            ]
        });
        for (kernel, stride, padding) in windows.flatten() {
            first += ((kernel - 1) as f64 / 2.0 - padding as f64) * step as f64;
            field = field.saturating_add((kernel - 1).saturating_mul(step));
            step = step.saturating_mul(stride);
        }
        MapGeometry { first, step, field }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builtin;

    #[test]
    fn the_books_cells_are_32_pixels_apart_and_begin_at_33() {
        let geometry = Builtin::D2l.architecture(1, 10).unwrap().map_geometry();
        // By hand: 11 s4; 3 s2; 5 p2; 3 s2; 3 p1; 3 s2; 3 p1.
        let field = 11 + 2 * 4 + 4 * 8 + 2 * 8 + 2 * 16 + 2 * 16 + 2 * 32;
        assert_eq!(geometry, MapGeometry { first: 33.0, step: 32, field });
        assert_eq!(
            [0, 16, 17, 48, 49, 176, 177].map(|pixel| geometry.cell(pixel, 5)),
            [None, None, Some(0), Some(0), Some(1), Some(4), None]
        );
    }

    #[test]
    fn a_network_without_strides_has_a_cell_a_pixel() {
        let block = crate::Block {
            kernel: 3,
            stride: 1,
            padding: 1,
            widths: [crate::Width::CLASSES; 3],
            pool: None,
            dropout: 0.0,
        };
        let architecture = Architecture::new("flat", 1, 2, vec![block]).unwrap();
        assert_eq!(architecture.map_geometry(), MapGeometry { first: 0.0, step: 1, field: 3 });
    }
}
