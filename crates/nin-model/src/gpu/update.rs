//! Updates of parameters by nin-gpu.

use std::cell::RefCell;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_wgpu::{WgpuDevice, WgpuRuntime};
use cubecl::Runtime;
use cubecl::server::Handle;
use nin_gpu::{AdamW, Sgd, Update, launch_updates};

use super::buffers::{GpuTensor, on_gpu, tensor_on};
use crate::operation::{tensor, uncast};

/// Updates and the devices that they run on.
type Gathered = Vec<(WgpuDevice, Update)>;

thread_local! {
    /// The updates of this thread since the start of [`together`]; `None` outside of it.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// Calls a function, then launches the updates that it asked for in as few kernels as the adapter allows. Within another call,
/// they wait for its end.
pub(crate) fn together<T>(function: impl FnOnce() -> T) -> T {
    /// Ends the gathering if the function panics.
    struct Gathering;
    impl Drop for Gathering {
        fn drop(&mut self) {
            GATHERED.set(None);
        }
    }
    if GATHERED.with_borrow(Option::is_some) {
        return function();
    }
    GATHERED.set(Some(Vec::new()));
    let gathering = Gathering;
    let result = function();
    let gathered = GATHERED.take().unwrap_or_default();
    drop(gathering);
    launch(gathered);
    result
}

/// Launches updates, those of each device together.
fn launch(updates: Gathered) {
    let mut updates = updates.into_iter().peekable();
    while let Some((device, first)) = updates.next() {
        let mut of_device = vec![first];
        while let Some((_, update)) = updates.next_if(|(other, _)| *other == device) {
            of_device.push(update);
        }
        let launched = launch_updates(&WgpuRuntime::client(&device), &of_device);
        launched.expect("each parameter was checked when its update was prepared");
    }
}

/// Takes a step of SGD if `B` is wgpu. Returns the weight and the momenta.
pub(crate) fn sgd<B: Backend, const D: usize>(
    sgd: &Sgd,
    [weight, gradient]: [&Tensor<B, D>; 2],
    momenta: Option<&Tensor<B, D>>,
) -> Option<[Tensor<B, D>; 2]> {
    let [weight, gradient] = [on_gpu(weight)?, on_gpu(gradient)?];
    let momenta = match momenta {
        Some(momenta) => Some(on_gpu(momenta)?),
        None => None,
    };
    let operands = [&weight.handle, &gradient.handle];
    let momenta = momenta.as_ref().map(|momenta| &momenta.handle);
    let update = sgd.update(&weight.client, weight.meta.num_elements(), operands, momenta).ok()?;
    take(&weight, update)
}

/// Takes a step of AdamW if `B` is wgpu. Returns the weight and both moving averages.
pub(crate) fn adamw<B: Backend, const D: usize>(
    adamw: &AdamW,
    [weight, gradient]: [&Tensor<B, D>; 2],
    means: Option<[&Tensor<B, D>; 2]>,
) -> Option<[Tensor<B, D>; 3]> {
    let [weight, gradient] = [on_gpu(weight)?, on_gpu(gradient)?];
    let means = match means {
        Some([first, second]) => Some([on_gpu(first)?, on_gpu(second)?]),
        None => None,
    };
    let operands = [&weight.handle, &gradient.handle];
    let means = means.as_ref().map(|means| means.each_ref().map(|mean| &mean.handle));
    let update = adamw.update(&weight.client, weight.meta.num_elements(), operands, means).ok()?;
    take(&weight, update)
}

/// Launches an update, or lets it wait for the others. Returns the tensors that it fills.
fn take<B: Backend, const D: usize, const N: usize>(
    weight: &GpuTensor,
    update: Update,
) -> Option<[Tensor<B, D>; N]> {
    let updated: [Handle; N] = update.updated().to_vec().try_into().ok()?;
    let update = (weight.device.clone(), update);
    let alone = GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(gathered) => {
            gathered.push(update);
            None
        }
        None => Some(update),
    });
    launch(Vec::from_iter(alone));
    let shape = weight.meta.shape();
    Some(updated.map(|values| tensor(uncast(tensor_on(weight, values, shape.clone())))))
}
