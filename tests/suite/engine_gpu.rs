//! The explorer and the comparison with cosines on a GPU, against the CPU alone. The network runs on the CPU in
//! both, since software Vulkan compiles its kernels for minutes; without an adapter the tests say so and pass.

use std::sync::Arc;

use bagssl::device::{DeviceChoice, OpenDevice};
use bagssl::engine::{
    Command, CompareCommand, ExploreConfig, Gallery, Heatmap, QuerySpec, Snapshot, open_device,
};
use bagssl::kernel::similarity::BOUND;
use bagssl::patch::{PatchGrid, PatchRef};

use super::engine::{Started, guests_beside, small};

/// Stride 1 and 64 images: more than the 1 MiB of vectors from which on a GPU is asked.
fn dense() -> ExploreConfig {
    ExploreConfig {
        grid: PatchGrid { patch: 16, stride: 1 },
        gallery_stride: 8,
        gallery_images: 64,
        neighbours: 119,
        ..small()
    }
}

fn started(device: OpenDevice) -> Started {
    let started = Started::on(device, dense());
    for command in [
        CompareCommand::Show(true),
        CompareCommand::Images(64),
        CompareCommand::OpenOther { spec: "demo".into() },
    ] {
        started.engine.send(Command::Compare(command));
    }
    started
}

/// The CPU, with cosines on a GPU; `None` without an adapter.
fn with_gpu() -> Option<OpenDevice> {
    let gpu = open_device(DeviceChoice::Gpu).map_err(|error| println!("skipped: {error:#}")).ok()?;
    let mut device = open_device(DeviceChoice::Cpu).unwrap();
    device.setup = gpu.setup;
    Some(device)
}

fn is_whole(shown: &Snapshot) -> bool {
    let query = shown.query.as_ref().is_some_and(|query| query.id == 7 && query.known == 49 * 49);
    // The query's image is searched beside the 64 of the sample if it is none of them.
    let galleries = shown
        .galleries
        .as_ref()
        .is_some_and(|g| g.query_id == 7 && g.searched == (64 + guests_beside(64, 2)) * 49);
    let compared = shown.views.compare.as_ref().is_some_and(|compare| {
        let other =
            compare.other.as_ref().is_some_and(|other| other.query_id == 7 && other.known == other.total);
        other && compare.galleries.as_ref().is_some_and(|g| g.b.query_id == 7 && g.images == (64, 64))
    });
    query && galleries && compared
}

fn answer(started: &Started) -> Arc<Snapshot> {
    let patch = PatchRef { image: 2, y: 16, x: 32, size: 16 };
    started.until("the model", |shown| shown.query.is_some() && shown.config == Some(dense()));
    started.engine.send(Command::Query { id: 7, data: 1, query: QuerySpec::one(patch), image: 2 });
    started.until("the answer", is_whole)
}

fn assert_same_maps(gpu: &[Heatmap], cpu: &[Heatmap]) {
    for (gpu, cpu) in gpu.iter().zip(cpu) {
        let difference = |(a, b): (&f32, &f32)| (a - b).abs();
        let largest = gpu.values.iter().zip(cpu.values.iter()).map(difference).fold(0.0, f32::max);
        assert!(largest <= BOUND, "{}: {largest}", gpu.space);
        assert!(largest > 0.0, "{}: the same to the last bit, so the GPU was not asked", gpu.space);
    }
}

fn assert_same_neighbours(gpu: &[Gallery], cpu: &[Gallery]) {
    for (gpu, cpu) in gpu.iter().zip(cpu) {
        let nearest = |gallery: &Gallery| -> Vec<_> {
            gallery.neighbours.iter().map(|n| (n.patch, n.cosine.to_bits())).collect()
        };
        assert_eq!(nearest(gpu), nearest(cpu));
        assert_eq!(gpu.neighbours.len(), 119);
    }
}

#[test]
fn the_explorer_and_the_comparison_show_the_same_with_a_gpu() {
    let Some(device) = with_gpu() else { return };
    let (gpu, cpu) = (started(device), started(open_device(DeviceChoice::Cpu).unwrap()));
    let (gpu, cpu) = (answer(&gpu), answer(&cpu));
    assert_same_maps(&gpu.query.as_ref().unwrap().maps, &cpu.query.as_ref().unwrap().maps);
    let galleries = |shown: &Snapshot| shown.galleries.clone().unwrap();
    assert_same_neighbours(&galleries(&gpu).spaces, &galleries(&cpu).spaces);
    let compare = |shown: &Snapshot| shown.views.compare.clone().unwrap();
    let (gpu, cpu) = (compare(&gpu), compare(&cpu));
    assert_same_maps(&gpu.other.as_ref().unwrap().maps, &cpu.other.as_ref().unwrap().maps);
    let (gpu, cpu) = (gpu.galleries.clone().unwrap(), cpu.galleries.clone().unwrap());
    assert_same_neighbours(&gpu.a.spaces, &cpu.a.spaces);
    assert_same_neighbours(&gpu.b.spaces, &cpu.b.spaces);
}
