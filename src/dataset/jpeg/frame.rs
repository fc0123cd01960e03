//! A JPEG frame: its components, and how the samples of a scan come to them.

use anyhow::{Context, Result, ensure};

use super::bits::Bits;
use super::coefficients::{Band, ScanPart, progress, sequential};
use super::idct::{Coefficients, flat, idct};
use super::tables::Tables;

/// Most scans of a progressive picture; encoders make about ten.
const MAX_SCANS: usize = 400;

/// One colour of a frame.
pub struct Component {
    pub id: u8,
    /// Samples across and down for each group of blocks, 1 to 4.
    pub across: usize,
    pub down: usize,
    table: usize,
    /// Samples, without what fills the last blocks.
    pub width: usize,
    pub height: usize,
    /// Samples of a row of `samples`.
    pub stride: usize,
    pub samples: Vec<u8>,
    /// Blocks, of a progressive picture.
    blocks: Vec<Coefficients>,
    steps: Option<Box<[u16; 64]>>,
}

/// A picture that is decoded.
pub struct JpegFrame {
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
    pub most_across: usize,
    pub most_down: usize,
    is_progressive: bool,
    scans: usize,
}

impl Component {
    /// Writes the samples of the block at `(x, y)`, in blocks.
    #[inline]
    fn fill(&mut self, block: &Coefficients, is_flat: bool, (x, y): (usize, usize)) -> Result<()> {
        let steps = self.steps.as_ref().context("the JPEG file has no scan of one of its components")?;
        let out = &mut self.samples[8 * (y * self.stride + x)..];
        match is_flat {
            true => flat(block[0], steps[0], out, self.stride),
            false => idct(block, steps, out, self.stride),
        }
        Ok(())
    }
}

impl JpegFrame {
    /// From a frame header (SOF0 to SOF2) with 8 bits and `size`, the width and height that the caller has checked.
    pub fn new(data: &[u8], size: (u32, u32), is_progressive: bool) -> Result<Self> {
        ensure!(data.len() >= 6, "the JPEG frame header is too short");
        let side = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
        ensure!(size == (side(3).into(), side(1).into()), "the JPEG file has two frames");
        let (height, width, count) = (usize::from(side(1)), usize::from(side(3)), usize::from(data[5]));
        ensure!(
            matches!(count, 1 | 3 | 4),
            "JPEG with {count} channels is not supported; expected 1, 3 or 4"
        );
        let rest = data.get(6..6 + 3 * count).context("the JPEG frame header is too short")?;
        let factors = |c: &[u8]| (usize::from(c[1] >> 4), usize::from(c[1] & 15));
        let all: Vec<(usize, usize)> = rest.chunks_exact(3).map(factors).collect();
        let valid = all.iter().all(|(across, down)| (1..=4).contains(across) && (1..=4).contains(down));
        ensure!(valid, "a JPEG sampling factor is out of range; expected 1 to 4");
        let most_across = all.iter().map(|f| f.0).max().unwrap_or(1);
        let most_down = all.iter().map(|f| f.1).max().unwrap_or(1);
        let (groups_across, groups_down) = (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down));
        let component = |c: &[u8]| {
            let (across, down) = factors(c);
            let fits = most_across % across == 0 && most_down % down == 0;
            ensure!(fits, "JPEG with {across}:{most_across} samples is not supported; expected whole ratios");
            ensure!(c[2] < 4, "the JPEG frame names quantisation table {}; expected 0 to 3", c[2]);
            let (stride, rows) = (8 * across * groups_across, 8 * down * groups_down);
            Ok(Component {
                id: c[0],
                across,
                down,
                table: usize::from(c[2]),
                width: (width * across).div_ceil(most_across),
                height: (height * down).div_ceil(most_down),
                stride,
                // Mid grey, where broken data leave something out.
                samples: vec![128; stride * rows],
                blocks: if is_progressive { vec![[0; 64]; stride * rows / 64] } else { Vec::new() },
                steps: None,
            })
        };
        let components = rest.chunks_exact(3).map(component).collect::<Result<_>>()?;
        Ok(Self { width, height, components, most_across, most_down, is_progressive, scans: 0 })
    }

    /// Decodes a scan whose header is `head` and whose data begin at byte `at`; returns where the next marker is.
    pub fn scan(&mut self, head: &[u8], bytes: &[u8], at: usize, tables: &Tables) -> Result<usize> {
        self.scans += 1;
        ensure!(self.scans <= MAX_SCANS, "the JPEG file has more than {MAX_SCANS} scans");
        let (mut parts, band) = self.scan_header(head)?;
        for part in &parts {
            let component = &mut self.components[part.component];
            if component.steps.is_none() {
                let steps = tables.steps[component.table].clone();
                component.steps = Some(steps.context("a JPEG quantisation table is missing")?);
            }
        }
        let mut bits = Bits::new(bytes, at);
        let (mut left, mut run) = (tables.restart, 0);
        // A scan of one component has a block in each group, and none that only fill up.
        let (across, down) = match parts[..] {
            [ScanPart { component, .. }] => {
                let component = &self.components[component];
                (component.width.div_ceil(8), component.height.div_ceil(8))
            }
            _ => (self.width.div_ceil(8 * self.most_across), self.height.div_ceil(8 * self.most_down)),
        };
        let alone = parts.len() == 1;
        for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
            if tables.restart > 0 && left == 0 {
                bits.restart();
                (left, run) = (tables.restart, 0);
                parts.iter_mut().for_each(|part| part.previous = 0);
            }
            left = left.wrapping_sub(1);
            for part in &mut parts {
                let component = &mut self.components[part.component];
                let (wide, high) = if alone { (1, 1) } else { (component.across, component.down) };
                for (y, x) in
                    (0..high).flat_map(|inner| (0..wide).map(move |x_in| (y * high + inner, x * wide + x_in)))
                {
                    if self.is_progressive {
                        let block = &mut component.blocks[y * (component.stride / 8) + x];
                        progress(block, &band, part, &mut run, &mut bits, tables)?;
                    } else {
                        let mut block = [0; 64];
                        let is_flat = sequential(&mut block, part, &mut bits, tables)?;
                        component.fill(&block, is_flat, (x, y))?;
                    }
                }
            }
        }
        Ok(bits.seek_marker())
    }

    fn scan_header(&self, head: &[u8]) -> Result<(Vec<ScanPart>, Band)> {
        let count = usize::from(*head.first().context("a JPEG scan header is too short")?);
        ensure!((1..=4).contains(&count) && head.len() >= 4 + 2 * count, "a JPEG scan header is broken");
        let mut parts: Vec<ScanPart> = Vec::new();
        for pair in head[1..1 + 2 * count].chunks_exact(2) {
            let component = self.components.iter().position(|component| component.id == pair[0]);
            let component =
                component.context("a JPEG scan is of a component that the frame does not have")?;
            let is_new = parts.iter().all(|part| part.component != component);
            let (means, others) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            ensure!(is_new && means < 4 && others < 4, "a JPEG scan header is broken");
            parts.push(ScanPart { component, means, others, previous: 0 });
        }
        let rest = &head[1 + 2 * count..];
        let (start, end) = (usize::from(rest[0]), usize::from(rest[1]));
        let (high, low) = (rest[2] >> 4, u32::from(rest[2] & 15));
        if self.is_progressive {
            let valid = if start == 0 { end == 0 } else { start <= end && end < 64 && count == 1 };
            ensure!(valid && low <= 13, "a JPEG scan header is broken");
        }
        Ok((parts, Band { start, end, is_first: high == 0, low }))
    }

    /// Turns the blocks of a progressive picture into samples.
    pub fn finish(&mut self) -> Result<()> {
        for component in &mut self.components {
            let across = component.stride / 8;
            for (index, block) in std::mem::take(&mut component.blocks).iter().enumerate() {
                let is_flat = block[1..].iter().all(|&coefficient| coefficient == 0);
                component.fill(block, is_flat, (index % across, index / across))?;
            }
        }
        Ok(())
    }
}
