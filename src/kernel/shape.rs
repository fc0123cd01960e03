//! What a convolution maps to what.

/// A square convolution over a batch of maps in channels-last order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many maps.
    pub batch: usize,
    /// Height and width of the input maps.
    pub size: [usize; 2],
    /// Channels in and out.
    pub channels: [usize; 2],
    /// Side of the kernel.
    pub side: usize,
    /// Pixels from one output's window to the next.
    pub stride: usize,
    /// Pixels of zeros around each map.
    pub padding: usize,
    /// Whether Winograd's form may be used, whose rounding error is some five times larger.
    pub winograd: bool,
}

impl Shape {
    /// Height and width of the output maps.
    pub fn out_size(&self) -> [usize; 2] {
        self.size.map(|size| (size + 2 * self.padding - self.side) / self.stride + 1)
    }

    /// Whether the maps' pixels are what is multiplied, as they are: 1x1 without steps.
    pub fn is_rows(&self) -> bool {
        self.side == 1 && self.stride == 1 && self.padding == 0
    }

    /// Passes a shape of which every count of values, and every place among them, is a `usize`.
    ///
    /// # Panics
    /// On others, on a kernel larger than the padded maps, and on strides of nothing.
    pub fn check(&self) {
        let padded = self.padding.checked_mul(2).map(|both| self.size.map(|size| size.checked_add(both)));
        let fits = padded.is_some_and(|sizes| sizes.iter().all(|size| size.is_some_and(|s| s >= self.side)));
        assert!(fits && self.side > 0 && self.stride > 0, "{self:?}");
        let [height, width] = self.out_size();
        let counts = [
            [self.batch, self.size[0], self.size[1], self.channels[0]],
            [self.batch, height, width, self.channels[1]],
            [self.channels[0], self.channels[1], self.side, self.side],
        ];
        let counted = |[a, b, c, d]: [usize; 4]| a.checked_mul(b)?.checked_mul(c)?.checked_mul(d);
        // As many as fit in memory at four bytes each.
        let most = isize::MAX as usize / 4;
        assert!(counts.into_iter().all(|count| counted(count).is_some_and(|c| c <= most)), "{self:?}");
    }

    /// Values of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.size[0] * self.size[1] * self.channels[0]
    }

    /// Values of the output.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.out_size();
        self.batch * height * width * self.channels[1]
    }

    /// Values of the weight.
    pub fn weight_len(&self) -> usize {
        self.channels[0] * self.channels[1] * self.side * self.side
    }
}

/// What is done to an output value once it is summed: `relu?(scale value + bias + residual)`.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// One per output channel.
    pub scale: Option<&'a [f32]>,
    /// One per output channel.
    pub bias: Option<&'a [f32]>,
    /// In the output's shape.
    pub residual: Option<&'a [f32]>,
    /// Whether negative values become zero at the end.
    pub relu: bool,
}

impl Finish<'_> {
    /// Passes what has a value for every channel of `shape`'s output, or for every value.
    ///
    /// # Panics
    /// On others.
    pub fn check(&self, shape: &Shape) {
        let fits = |values: Option<&[f32]>, count: usize| values.is_none_or(|values| values.len() == count);
        let channels = shape.channels[1];
        assert!(fits(self.scale, channels) && fits(self.bias, channels), "channels of {shape:?}");
        assert!(fits(self.residual, shape.output_len()), "the residual of {shape:?}");
    }
}
