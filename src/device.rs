//! The one place that picks and opens a device for tensors.

use std::path::Path;

use burn::tensor::{Device, DeviceKind};
use burn_wgpu::WgpuSetup;
use serde::{Deserialize, Serialize};

use crate::files;

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU through wgpu, or a software adapter if there is nothing else.
    Gpu,
    /// The CPU backend.
    Cpu,
}

/// An open device.
pub struct OpenDevice {
    /// Without gradients.
    pub device: Device,
    /// Whether tensors live behind wgpu.
    pub is_gpu: bool,
    /// Name of the adapter, or of the CPU backend.
    pub name: String,
    /// Why it was picked, one sentence.
    pub reason: String,
    /// What went wrong with a device that would have been better.
    pub problem: Option<String>,
    /// The wgpu handles behind a GPU, for a window that draws on the same device.
    pub setup: Option<WgpuSetup>,
    /// What the explorer may keep in main memory.
    pub memory: MemoryBudget,
}

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Bytes of main memory that an explorer may fill, and who gets how much of it. Weights, the window and
/// a training run are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget(u64);

impl MemoryBudget {
    /// At least 64 MiB, so that something can be shown.
    pub fn new(bytes: u64) -> Self {
        Self(bytes.max(64 * MIB))
    }

    /// Half of the memory that is free now; 4 GiB where the system does not say.
    pub fn of_this_machine() -> Self {
        let said = |path| files::read_to_string(Path::new(path), files::MOST_WORDS).ok();
        let free = said("/proc/meminfo").and_then(|text| available(&text));
        let limit = said("/sys/fs/cgroup/memory.max");
        let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
        Self::new(free.map_or(4 * GIB, |free| free.min(limit) / 2))
    }

    /// All of it.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// For the vectors that the galleries search.
    pub fn bank(self) -> u64 {
        self.0 / 8 * 5
    }

    /// For the vectors of the image on show.
    pub fn maps(self) -> u64 {
        self.0 / 8
    }

    /// For a second model's weights and vectors.
    pub fn compared(self) -> u64 {
        (self.0 / 8).min(512 * MIB)
    }

    /// For decoded images, of each of the three threads that cut out neighbours.
    pub fn images(self) -> u64 {
        (self.0 / 24).min(256 * MIB)
    }
}

/// Bytes that new programs can have without swapping, by Linux's table.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Opens a device.
///
/// # Errors
/// `Gpu` where no Vulkan, Metal or DirectX adapter can be opened.
pub fn open(choice: DeviceChoice) -> anyhow::Result<OpenDevice> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu("asked for with --device cpu".into())),
        DeviceChoice::Gpu => gpu("asked for with --device gpu"),
        DeviceChoice::Auto => match hardware_adapter() {
            Some(name) => gpu("a GPU is there").or_else(|error| {
                log::warn!("{name} is there but could not be opened: {error:#}");
                let problem = format!("{name} is there but could not be opened: {error:#}; the CPU is used");
                let cpu = cpu(format!("{name} is there but could not be opened"));
                Ok(OpenDevice { problem: Some(problem), ..cpu })
            }),
            None => Ok(cpu("no GPU was found; software drawing would be slower than the CPU backend".into())),
        },
    }
}

/// Name of the first adapter that is real hardware.
fn hardware_adapter() -> Option<String> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let mut infos = adapters.iter().map(|adapter| adapter.get_info());
    infos.find(|info| info.device_type != wgpu::DeviceType::Cpu).map(|info| info.name)
}

fn gpu(reason: &str) -> anyhow::Result<OpenDevice> {
    let options = Device::wgpu_options().device_kind(DeviceKind::DefaultDevice);
    let (device, setup) = options.init_with_setup().map_err(|error| {
        anyhow::anyhow!("no GPU could be opened ({error}); --device cpu works everywhere")
    })?;
    let info = setup.adapter.get_info();
    let name = format!("{} ({})", info.name, info.backend);
    Ok(OpenDevice {
        device,
        is_gpu: true,
        name,
        reason: reason.into(),
        problem: None,
        setup: Some(setup),
        memory: MemoryBudget::of_this_machine(),
    })
}

fn cpu(reason: String) -> OpenDevice {
    let threads = crate::threads::count();
    let name = format!("burn-flex, {threads} threads");
    let memory = MemoryBudget::of_this_machine();
    OpenDevice { device: Device::flex(), is_gpu: false, name, reason, problem: None, setup: None, memory }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_stay_within_the_budget() {
        for bytes in [64 * MIB, 300 * MIB, 5 * GIB, 1 << 40] {
            let budget = MemoryBudget::new(bytes);
            assert!(budget.bank() + budget.maps() + budget.compared() + 3 * budget.images() <= bytes);
            assert!(budget.bank() > bytes / 2);
        }
        assert_eq!(MemoryBudget::new(1).bytes(), 64 * MIB);
    }

    #[test]
    fn free_memory_is_read_from_the_table() {
        assert_eq!(available("MemTotal: 100 kB\nMemAvailable:   23 kB\n"), Some(23 * 1024));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
    }
}
