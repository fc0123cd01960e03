//! The one place that picks and opens a device for tensors.

use burn::tensor::{Device, DeviceKind};
use burn_wgpu::WgpuSetup;
use serde::{Deserialize, Serialize};

use crate::memory::{self, MemoryBudget};

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
        memory: memory::budget(),
    })
}

fn cpu(reason: String) -> OpenDevice {
    let threads = crate::threads::count();
    let name = format!("burn-flex, {threads} threads");
    let memory = memory::budget();
    OpenDevice { device: Device::flex(), is_gpu: false, name, reason, problem: None, setup: None, memory }
}
