//! Opens an adapter for burn-wgpu, so that no error of it is lost.
//!
//! burn-wgpu computes on a thread of its own. wgpu calls a handler there for errors outside of any call, by default one
//! that panics, and CubeCL logs panics of that thread and goes on. Both are recorded with
//! [`report_device_failure`] instead, which ends the run at the next value that it reads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::backend::Autodiff;
use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{RuntimeOptions, Wgpu, WgpuDevice, WgpuSetup, init_device};
use nin_model::{
    GpuPath, Precision, check_device, check_precision, device_failure, gpu_path,
    report_device_failure, set_gpu_path,
};

use super::adapters::Adapter;
use super::graphics::enumerate;
use super::self_test::{Fault, SelfTest};
use super::task::Task;
use crate::error::CommandError;

/// The names of CubeCL's threads start with this.
const DEVICE_THREAD: &str = "DSD-";

/// The device that this process opened: one, since a command computes on one.
static OPENED: OnceLock<WgpuDevice> = OnceLock::new();

/// Runs a task on an adapter. Opens and tests the adapter first, unless an earlier task did.
///
/// # Errors
/// The adapter cannot be opened or computes wrongly, or the task fails.
pub fn run<T: Task>(adapter: &Adapter, task: T) -> anyhow::Result<T::Output> {
    choose_kernels()?;
    let device = open(adapter)?;
    let result = guarded(&device, || {
        test(adapter, &device, task.precision())?;
        task.run::<Autodiff<Wgpu>>(device.clone())
    });
    // A driver that still computes, such as Mesa's llvmpipe, can crash the process while it exits.
    let _ = guarded(&device, || Ok(check_device::<Wgpu>(&device)?));
    result
}

/// Chooses how blocks are computed if the environment variable `NIN_GPU` says it.
fn choose_kernels() -> Result<(), CommandError> {
    let name = std::env::var_os("NIN_GPU").unwrap_or_default();
    let path = match name.to_string_lossy().as_ref() {
        "" | "kernels" => GpuPath::Kernels,
        "direct" => GpuPath::Direct,
        "winograd" => GpuPath::Winograd,
        "products" => GpuPath::Products,
        unknown => {
            let message = format!(
                "`NIN_GPU` is `{unknown}`, expected `kernels`, `direct`, `winograd` or `products`"
            );
            return Err(CommandError::new(message, "unset it to use the kernels"));
        }
    };
    set_gpu_path(path);
    Ok(())
}

/// Refuses an adapter that computes wrongly.
fn test(adapter: &Adapter, device: &WgpuDevice, precision: Precision) -> anyhow::Result<()> {
    static PASSED: Mutex<Vec<Precision>> = Mutex::new(Vec::new());
    // Where there is no f16, that is an error of its own, or a note.
    let has_it = check_precision::<Wgpu>(precision, device).is_ok();
    let precision = if has_it { precision } else { Precision::Fp32 };
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if passed.contains(&precision) {
        return Ok(());
    }
    if let Err(fault) = self_test(device, precision)? {
        let name = &adapter.name;
        return Err(CommandError::new(
            format!(
                "the adapter `{name}` computes wrongly: in a training step of the self-test, {fault}"
            ),
            "update its driver, choose another one with --adapter, or compute on the CPU with --backend flex",
        )
        .into());
    }
    passed.push(precision);
    Ok(())
}

/// Takes the step of the self-test, by Winograd's algorithm where there is a scheme for it: the network is so small that the
/// default path would not.
fn self_test(device: &WgpuDevice, precision: Precision) -> anyhow::Result<Result<(), Fault>> {
    let path = gpu_path();
    if path == GpuPath::Kernels {
        set_gpu_path(GpuPath::Winograd);
    }
    let result = SelfTest { precision }.run::<Autodiff<Wgpu>>(device.clone());
    set_gpu_path(path);
    result
}

/// Opens an adapter, or returns the device that is already open.
fn open(adapter: &Adapter) -> anyhow::Result<WgpuDevice> {
    if let Some(device) = OPENED.get() {
        return Ok(device.clone());
    }
    let (_, device) = connect(adapter)?;
    record_panics();
    Ok(OPENED.get_or_init(|| device).clone())
}

/// Opens an adapter whose errors are recorded.
fn connect(adapter: &Adapter) -> Result<(wgpu::Device, WgpuDevice), CommandError> {
    let setup = setup(adapter)?;
    let wgpu = setup.device.clone();
    let device = init_device(setup, RuntimeOptions::default());
    record_errors(&wgpu, &device);
    Ok((wgpu, device))
}

/// Runs a computation on the device. Its panics become errors: CubeCL panics in the caller where its thread did.
fn guarded<T>(
    device: &WgpuDevice,
    compute: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match catch_unwind(AssertUnwindSafe(compute)) {
        Ok(result) => result,
        Err(panic) => {
            report_device_failure(device, message(&*panic));
            Err(device_failure(device)
                .map_or_else(|| anyhow::anyhow!("the device failed"), Into::into))
        }
    }
}

fn setup(adapter: &Adapter) -> Result<WgpuSetup, CommandError> {
    let unusable = |reason: String| {
        CommandError::new(
            format!("the adapter `{}` cannot be opened: {reason}", adapter.name),
            "choose another one with --adapter (`nin-cli devices` lists them), or compute on the CPU with \
             --backend flex",
        )
    };
    let (instance, adapters) = enumerate();
    let found = adapters.get(adapter.index);
    let found = found.ok_or_else(|| unusable("it is no longer there".to_owned()))?;
    // As CubeCL asks for it, without experimental features.
    let descriptor = wgpu::DeviceDescriptor {
        required_features: found.features()
            - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
            - wgpu::Features::all_experimental_mask(),
        required_limits: found.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..wgpu::DeviceDescriptor::default()
    };
    let (device, queue) = pollster::block_on(found.request_device(&descriptor))
        .map_err(|error| unusable(error.to_string()))?;
    Ok(WgpuSetup {
        instance: instance.clone(),
        adapter: found.clone(),
        device,
        queue,
        backend: AutoGraphicsApi::backend(),
    })
}

/// Records the errors that wgpu reports outside of any call, and the loss of the device.
fn record_errors(wgpu: &wgpu::Device, device: &WgpuDevice) {
    let failed = device.clone();
    wgpu.on_uncaptured_error(Arc::new(move |error| {
        report_device_failure(&failed, &error.to_string());
    }));
    let lost = device.clone();
    wgpu.set_device_lost_callback(move |_, reason| {
        report_device_failure(&lost, &format!("it is lost: {reason}"));
    });
}

/// Records the panics of CubeCL's threads, and panics that follow from them, instead of printing them.
fn record_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        let Some(device) = OPENED.get() else { return print(panic) };
        let on_device_thread =
            std::thread::current().name().is_some_and(|name| name.starts_with(DEVICE_THREAD));
        if on_device_thread {
            report_device_failure(device, message(panic.payload()));
        } else if device_failure(device).is_none() {
            print(panic);
        }
    }));
}

fn message(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use nin_model::HostTensor;
    use nin_testing::Need;

    use super::*;
    use crate::backend::graphics::adapters;

    /// Opens the best adapter anew; `None` if there is none, which CI does not accept.
    fn opened() -> Option<(wgpu::Device, WgpuDevice)> {
        let found = adapters();
        let Some(adapter) = Adapter::best(&found) else {
            Need::Vulkan.skip("no adapter for wgpu");
            return None;
        };
        Some(connect(adapter).unwrap())
    }

    fn read(device: &WgpuDevice) -> anyhow::Result<HostTensor> {
        guarded(device, || Ok(HostTensor::read("ones", &Tensor::<Wgpu, 1>::ones([3], device))?))
    }

    #[test]
    fn a_lost_device_is_an_error_and_others_go_on() {
        let Some((wgpu, lost)) = opened() else { return };
        let Some((_wgpu, other)) = opened() else { return };
        assert_eq!(read(&lost).unwrap().values, [1.0; 3]);
        wgpu.destroy();
        let error = read(&lost).unwrap_err().to_string();
        assert!(error.starts_with("the device failed: it is lost"), "{error}");
        assert_eq!(read(&other).unwrap().values, [1.0; 3]);
    }

    #[test]
    fn an_error_outside_of_any_call_is_an_error_of_the_next_read() {
        let Some((wgpu, device)) = opened() else { return };
        assert_eq!(read(&device).unwrap().values, [1.0; 3]);
        let _ = wgpu.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::MAX,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let error = read(&device).unwrap_err().to_string();
        assert!(error.contains("size"), "{error}");
    }

    #[test]
    fn the_adapter_passes_the_self_test_and_a_panic_is_an_error() {
        let Some((_wgpu, device)) = opened() else { return };
        for precision in [Precision::Fp32, Precision::F16] {
            if check_precision::<Wgpu>(precision, &device).is_ok() {
                self_test(&device, precision).unwrap().unwrap();
            }
        }
        let error = guarded::<()>(&device, || panic!("it broke")).unwrap_err();
        assert_eq!(error.to_string(), "the device failed: it broke");
        read(&device).unwrap_err();
    }
}
