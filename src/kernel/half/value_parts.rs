//! Values of f32 as one or three of bf16.

/// What a value of f32 becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueParts {
    /// The nearest bf16.
    Rounded,
    /// Three of bf16 whose sum it is: its 24 bits, 8 at a time. Six products of them are one of f32, since the other three
    /// are below its last bit (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype For
    /// Higher-Precision Computations"). Of an infinite value they are no numbers.
    Whole,
}

impl ValueParts {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            ValueParts::Rounded => 1,
            ValueParts::Whole => 3,
        }
    }

    /// Those of a value; zeros behind them.
    pub fn of(self, value: f32) -> [u16; 3] {
        let less = |value: f32, part: u16| value - f32::from_bits(u32::from(part) << 16);
        let first = rounded(value);
        if self == ValueParts::Rounded {
            return [first, 0, 0];
        }
        let rest = less(value, first);
        let second = rounded(rest);
        [first, second, rounded(less(rest, second))]
    }
}

/// The nearest bf16, to even between two.
pub fn rounded(value: f32) -> u16 {
    half::bf16::from_f32(value).to_bits()
}
