//! One model on images that another program prepared: its vectors, and how long a pass takes.
//!
//! `tokens.py`, beside this file, runs it beside the model's own library and compares.
//! Arguments: MODEL, a safetensors file with `images` `[batch, 3, height, width]`, where the vectors go, how often the
//! pass is timed, f32 or bf16, spaces.

#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use bagssl::files;
use bagssl::model::{EmbedPrecision, Mode, Space, store};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

fn main() -> anyhow::Result<()> {
    // As the program itself does.
    bagssl::threads::choose(std::env::var("RAYON_NUM_THREADS").ok().and_then(|count| count.parse().ok()));
    bagssl::threads::lead();
    bagssl::memory::choose(bagssl::memory::MemoryBudget::of_this_machine());
    // `cargo bench` adds flags of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [model, from, to, times, precision, spaces @ ..] = &words[..] else {
        anyhow::bail!("expected MODEL, IMAGES, OUT, TIMES, PRECISION and spaces")
    };
    let device = Device::flex();
    let clock = Instant::now();
    let mut model = store::open(&model.into(), &device)?;
    let precision = if precision == "bf16" { EmbedPrecision::Bf16 } else { EmbedPrecision::F32 };
    precision.ensure_on(&device)?;
    model.encoder = model.encoder.laid_out(precision);
    println!("open {:.3}", clock.elapsed().as_secs_f64());
    let bytes = files::read(Path::new(from), files::MOST_WEIGHTS)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let view = file.tensor("images")?;
    let values: Vec<f32> =
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let images = Tensor::<4>::from_data(TensorData::new(values, view.shape().to_vec()), &device);
    let mut found: BTreeMap<&str, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for name in spaces {
        let array = match name.parse()? {
            Space::Token(layer) => {
                let map = model.encoder.maps(images.clone(), &[layer]).remove(0);
                (map.dims().to_vec(), map.into_data().try_to_vec().expect("f32"))
            }
            space => {
                let vectors = model.encoder.embed(images.clone(), &[space], Mode::Eval).remove(0);
                (vectors.dims().to_vec(), vectors.into_data().try_to_vec().expect("f32"))
            }
        };
        found.insert(name, array);
    }
    let views = found.iter().map(|(name, (shape, values))| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).expect("all values"))
    });
    files::write_bytes_atomic(Path::new(to), &safetensors::serialize(views, None)?)?;
    for _ in 0..times.parse::<usize>()? {
        let clock = Instant::now();
        let map = model.encoder.embed(images.clone(), &[Space::H], Mode::Eval).remove(0);
        std::hint::black_box(map.into_data());
        println!("pass {:.4}", clock.elapsed().as_secs_f64());
    }
    Ok(())
}
