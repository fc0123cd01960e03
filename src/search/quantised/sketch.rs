//! From vectors to bits, and what bits tell of a cosine.
//!
//! Of a row at unit length the bank's mean c is taken, which leaves r of length n. The code is the signs b of P r, with
//! P a random rotation of D values. For a query q at unit length, cos = q.c + c.r + (q - c).r, and
//! f <b, P (q - c)> with f = n^2 / |P r|_1 estimates (q - c).r without bias (Gao and Long, RaBitQ, SIGMOD 2024). Over
//! rotations its error has about a normal distribution of deviation
//! f |q - c| sqrt((1 - t^2) (1 - p^2) D / (D - 1)), where t = |P r|_1 / (n sqrt D), about 0.8, is how well the signs
//! point where r does, and p is the cosine of r and q - c: what is near to the query is told more precisely.

use super::rotation::RandomRotation;

/// Bits of a value of the query.
pub(super) const PLANES: usize = 4;

/// What turns rows into codes: the same for all rows of a space.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SketchFrame {
    pub rotation: RandomRotation,
    /// The mean of rows at unit length, `[width]`.
    pub centre: Vec<f32>,
    /// Its dot product with itself.
    pub centre_square: f32,
    /// Values of a rotated vector.
    pub dims: usize,
}

/// What is kept of a row beside its bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    /// c.r.
    pub offset: f32,
    /// f; NaN for a row that takes no part in searches.
    pub scale: f32,
    /// 1 - t^2.
    pub spread: f32,
}

impl SketchFrame {
    pub fn new(rotation: RandomRotation, centre: Vec<f32>) -> Self {
        let (centre_square, dims) = (dot(&centre, &centre), RandomRotation::dims(centre.len()));
        Self { rotation, centre, centre_square, dims }
    }

    /// Writes the bits of a stored row, `[dims / 64]`. `room` is to work in.
    pub fn encode(&self, row: &[f32], inv_norm: f32, room: &mut Vec<f32>, bits: &mut [u64]) -> Factors {
        bits.fill(0);
        if inv_norm.is_nan() {
            return Factors { offset: 0.0, scale: f32::NAN, spread: 0.0 };
        }
        room.clear();
        room.extend(row.iter().zip(&self.centre).map(|(value, centre)| value * inv_norm - centre));
        let (offset, square) = (dot(&self.centre, room), dot(room, room));
        room.resize(self.dims, 0.0);
        self.rotation.apply(room);
        for (bits, values) in bits.iter_mut().zip(room.as_chunks::<64>().0) {
            let set = values.iter().enumerate().map(|(place, value)| u64::from(*value >= 0.0) << place);
            *bits = set.sum();
        }
        let sum: f32 = room.iter().map(|value| value.abs()).sum();
        if sum == 0.0 {
            return Factors { offset, scale: 0.0, spread: 0.0 };
        }
        let spread = (1.0 - sum * sum / (square * self.dims as f32)).clamp(0.0, 1.0);
        Factors { offset, scale: square / sum, spread }
    }
}

/// A query, ready to be compared with codes.
#[derive(Debug)]
pub(super) struct Sketch {
    /// Its values in units of `step`, odd numbers from -15 to 15, a bit of each in each plane: `[PLANES, dims / 64]`.
    pub planes: Vec<u64>,
    step: f32,
    /// The largest sum of products of signs and such values.
    full: i32,
    /// q.c.
    base: f32,
    /// |q - c|^2.
    square: f32,
    /// The same of what was rounded off.
    rounded: f32,
    /// D / (D - 1).
    correction: f32,
    centre_square: f32,
}

impl Sketch {
    /// Of a query at unit length.
    pub fn new(frame: &SketchFrame, unit: &[f32]) -> Self {
        let mut turned: Vec<f32> = unit.iter().zip(&frame.centre).map(|(q, c)| q - c).collect();
        let square = dot(&turned, &turned);
        turned.resize(frame.dims, 0.0);
        frame.rotation.apply(&mut turned);
        let levels = (1 << PLANES) - 1;
        let largest = turned.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        // A query at the mean itself leaves nothing to compare.
        let step = if largest > 0.0 { largest / levels as f32 } else { 1.0 };
        let words = frame.dims / 64;
        let (mut planes, mut rounded) = (vec![0u64; PLANES * words], 0.0);
        for (place, value) in turned.iter().enumerate() {
            let level = ((value / step + levels as f32) / 2.0).round().clamp(0.0, levels as f32);
            let error = value - step * (2.0 * level - levels as f32);
            rounded += error * error;
            for plane in 0..PLANES {
                planes[plane * words + place / 64] |= (level as u64 >> plane & 1) << (place % 64);
            }
        }
        Self {
            planes,
            step,
            full: levels * frame.dims as i32,
            base: dot(unit, &frame.centre),
            square,
            rounded,
            correction: frame.dims as f32 / (frame.dims as f32 - 1.0),
            centre_square: frame.centre_square,
        }
    }

    /// What is told of rows by the bits in which they differ ([`super::popcount::Counter::count`]): the cosine, and how large
    /// it may be at most where it is off by `bound` in units of the row's scale.
    ///
    /// With whatever instructions it is compiled for, it computes the same.
    #[inline(always)]
    pub fn estimate(
        &self,
        (differing, bound): (&[u32], f32),
        (offsets, scales): (&[f32], &[f32]),
        (out, most): (&mut [f32], &mut [f32]),
    ) {
        let factors = offsets.iter().zip(scales);
        let outs = out.iter_mut().zip(most);
        for (((out, most), differing), (offset, scale)) in outs.zip(differing).zip(factors) {
            let product = (self.full - 2 * *differing as i32) as f32 * self.step;
            *out = self.base + offset + scale * product;
            *most = *out + scale * bound;
        }
    }

    /// The most that one deviation of the error can be, in units of a row's scale, where the signs are off by `spread`.
    pub fn widest(&self, spread: f32) -> f32 {
        (self.square * spread * self.correction + self.rounded).sqrt()
    }

    /// One deviation of the error of a row whose cosine is estimated as `estimate`.
    pub fn deviation(&self, estimate: f32, offset: f32, scale: f32, spread: f32) -> f32 {
        // Of a row at unit length; of a zero row it is more, and the deviation too large, which does no harm.
        let square = (1.0 - 2.0 * offset - self.centre_square).max(0.0);
        let product = (estimate - self.base - offset).max(0.0);
        let likeness = product * product / (square * self.square).max(f32::MIN_POSITIVE);
        let off = self.square * spread * self.correction * (1.0 - likeness.min(1.0));
        scale * (off + self.rounded).sqrt()
    }
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    super::super::dots(a, b, &mut out);
    out[0]
}

#[cfg(test)]
mod tests {
    use super::super::popcount::Counter;
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_distr::StandardNormal;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn all_instructions_estimate_the_same_to_the_bit() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        let mut draw = |count: usize| (0..count).map(|_| rng.sample(StandardNormal)).collect::<Vec<f32>>();
        let (centre, query) = (draw(200), unit(draw(200)));
        let frame = SketchFrame::new(RandomRotation::random(RandomRotation::dims(200), 1), centre);
        let sketch = Sketch::new(&frame, &query);
        let (offsets, mut scales) = (draw(77), draw(77));
        scales[9] = f32::NAN;
        let differing: Vec<u32> = (0..77).map(|row| row * 40).collect();
        let of = |counter: &Counter| {
            let (mut estimates, mut most) = (vec![0.0; 77], vec![0.0; 77]);
            let out = (&mut estimates[..], &mut most[..]);
            counter.estimate(&sketch, (&differing, 0.3), (&offsets, &scales), out);
            [estimates, most].concat().into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        };
        let all: Vec<_> = Counter::available().iter().map(of).collect();
        assert!(all.iter().all(|one| *one == all[0]));
    }

    fn unit(values: Vec<f32>) -> Vec<f32> {
        let norm = dot(&values, &values).sqrt();
        values.into_iter().map(|value| value / norm).collect()
    }

    /// Over many rotations, of one row and one query: errors in deviations of the bound.
    fn errors(row: &[f32], query: &[f32], centre: &[f32], rotations: u64) -> Vec<f64> {
        let truth = dot(row, query);
        let of_rotation = |seed: u64| {
            let frame = SketchFrame::new(
                RandomRotation::random(RandomRotation::dims(row.len()), seed),
                centre.to_vec(),
            );
            let mut bits = vec![0; frame.dims / 64];
            let factors = frame.encode(row, 1.0, &mut vec![], &mut bits);
            let sketch = Sketch::new(&frame, query);
            let (mut differing, mut estimate, mut most) = ([0], [0.0], [0.0]);
            Counter::available()[0].count(&sketch.planes, &bits, &mut differing);
            let of_row = (&[factors.offset][..], &[factors.scale][..]);
            sketch.estimate((&differing, 0.0), of_row, (&mut estimate, &mut most));
            let deviation = sketch.deviation(truth, factors.offset, factors.scale, factors.spread);
            assert!(deviation <= factors.scale * sketch.widest(factors.spread) * 1.0001);
            f64::from((estimate[0] - truth) / deviation)
        };
        (0..rotations).map(of_rotation).collect()
    }

    #[test]
    fn the_estimate_is_unbiased_and_its_error_as_large_as_it_says() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        for (width, nearness) in [(512, 0.0), (512, 1.0), (512, 3.0), (200, 1.0), (64, 0.5)] {
            let mut draw = || -> Vec<f32> { (0..width).map(|_| rng.sample(StandardNormal)).collect() };
            let centre: Vec<f32> = draw().iter().map(|value| 0.02 * value).collect();
            let row = unit(draw());
            let near = row.iter().zip(unit(draw())).map(|(row, other)| nearness * row + other).collect();
            let errors = errors(&row, &unit(near), &centre, 1500);
            let count = errors.len() as f64;
            let mean = errors.iter().sum::<f64>() / count;
            let deviation = (errors.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
            let beyond = errors.iter().filter(|error| **error < -3.0).count() as f64 / count;
            // Four standard errors of the mean of so many; the deviation is told within a few hundredths.
            assert!(mean.abs() < 4.0 / count.sqrt() * deviation, "{width}, {nearness}: bias {mean}");
            assert!((0.85..1.1).contains(&deviation), "{width}, {nearness}: deviation {deviation}");
            assert!(beyond < 0.006, "{width}, {nearness}: {beyond} of the rows are lost at 3 deviations");
        }
    }

    #[test]
    fn rows_without_a_direction_are_told_exactly_or_not_at_all() {
        let frame = SketchFrame::new(RandomRotation::random(64, 1), vec![0.5, 0.5]);
        let mut bits = [0];
        assert!(frame.encode(&[f32::NAN, 1.0], f32::NAN, &mut vec![], &mut bits).scale.is_nan());
        let at_centre = frame.encode(&[0.5, 0.5], 1.0, &mut vec![], &mut bits);
        assert_eq!((at_centre.offset, at_centre.scale), (0.0, 0.0));
    }
}
