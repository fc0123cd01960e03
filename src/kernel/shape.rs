//! What a convolution maps to what.

/// A square convolution over a batch of maps in channels-last order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub batch: usize,
    /// Height and width of the input maps.
    pub size: [usize; 2],
    /// Channels in and out.
    pub channels: [usize; 2],
    /// Side of the kernel.
    pub side: usize,
    pub stride: usize,
    pub padding: usize,
    /// Whether Winograd's form may be used, whose rounding error is some five times larger.
    pub winograd: bool,
}

impl Shape {
    /// Height and width of the output maps.
    pub fn out_size(&self) -> [usize; 2] {
        self.size.map(|size| (size + 2 * self.padding - self.side) / self.stride + 1)
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
    pub relu: bool,
}
