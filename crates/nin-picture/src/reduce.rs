//! Reduces large pictures before they are fitted to the input size.

use nin_preprocessing::{Preprocessing, Resizer};

use super::Picture;

impl Picture {
    /// Reduces a large picture for an input of `[height, width]`: resizes it, keeping the aspect ratio, so that
    /// its shorter side is twice the longer side of the input. Smaller pictures stay as they are.
    #[must_use]
    pub fn reduced(self, input: [usize; 2]) -> Self {
        match reduced_size(self.size, input) {
            Some(size) => {
                let planes = Resizer::new(self.size, size).planes(&self.planes);
                self.recycle();
                Self { planes, size }
            }
            None => self,
        }
    }

    /// Reduces the picture ([`Picture::reduced`]) and fits it to the input size. Values stay bytes, neither
    /// scaled nor normalized.
    #[must_use]
    pub fn fitted(self, preprocessing: &Preprocessing) -> Self {
        let Self { planes, size } = self.reduced(preprocessing.input_size);
        Self { planes: preprocessing.fitted(&planes, size), size: preprocessing.input_size }
    }
}

/// Returns the `[height, width]` that a picture is reduced to, or `None` if it stays as it is.
fn reduced_size(from: [usize; 2], input: [usize; 2]) -> Option<[usize; 2]> {
    let shorter = from[0].min(from[1]);
    let target = 2 * input[0].max(input[1]);
    // Rounds to the nearest pixel, halves up.
    let scaled = |side: usize| (2 * side * target + shorter) / (2 * shorter);
    (shorter > target).then(|| from.map(scaled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_pictures_are_reduced() {
        assert_eq!(reduced_size([375, 500], [96, 96]), Some([192, 256]));
        assert_eq!(reduced_size([500, 333], [96, 64]), Some([288, 192]));
        assert_eq!(reduced_size([193, 1000], [96, 96]), Some([192, 995]));
        assert_eq!(reduced_size([192, 1000], [96, 96]), None);
    }
}
