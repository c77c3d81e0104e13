//! The errors of a device.
//!
//! A GPU computes after the call that asks for it has returned. A kernel that cannot be launched, or a buffer that cannot
//! be allocated, is an error that no call returns: what reads the result finds zeros or old values. So every value that
//! leaves a device passes [`check_device`] first.

use std::any::TypeId;
use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::{Backend, DeviceId, DeviceOps};

use crate::ModelError;

/// The first failure of each device that failed.
static FAILURES: Mutex<Vec<(Key, String)>> = Mutex::new(Vec::new());

/// The type of a device and its ID within the type.
type Key = (TypeId, DeviceId);

/// Records that a device failed: from then on, [`check_device`] and [`HostTensor::read`](crate::HostTensor::read) return
/// [`ModelError::DeviceFailed`]. Of several failures of a device, the first is kept.
///
/// This is for errors that reach no caller, such as those of wgpu's `on_uncaptured_error`.
pub fn report_device_failure<D: DeviceOps>(device: &D, reason: &str) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    if !failures.iter().any(|(failed, _)| *failed == key(device)) {
        failures.push((key(device), root_cause(reason)));
    }
}

/// Returns the failure of a device, if one was recorded.
pub fn device_failure<D: DeviceOps>(device: &D) -> Option<ModelError> {
    let failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, reason) = failures.iter().find(|(failed, _)| *failed == key(device))?;
    Some(ModelError::DeviceFailed { reason: reason.clone() })
}

/// Waits until a device has computed everything that it was asked for.
///
/// # Errors
/// [`ModelError::DeviceFailed`] if an operation failed on the device, now or earlier.
pub fn check_device<B: Backend>(device: &B::Device) -> Result<(), ModelError> {
    if let Err(error) = B::sync(device) {
        report_device_failure(device, &error.to_string());
    }
    device_failure(device).map_or(Ok(()), Err)
}

fn key<D: DeviceOps>(device: &D) -> Key {
    (TypeId::of::<D>(), device.id())
}

/// Returns the root cause of a message of CubeCL or wgpu, which may be a chain of causes with a backtrace, on one line.
fn root_cause(reason: &str) -> String {
    let lines = reason.lines().map(str::trim).filter(|line| !line.is_empty());
    let message: Vec<_> =
        lines.take_while(|line| !line.to_lowercase().contains("backtrace")).collect();
    let message = message.join(" ");
    let cause = message.rsplit("Caused by:").next().unwrap_or(&message);
    let cause = cause.rsplit("on an `Err` value:").next().unwrap_or(cause);
    cause.trim_matches(|letter: char| letter.is_whitespace() || letter == '[').to_owned()
}

#[cfg(test)]
mod tests {
    use burn::tensor::backend::Device;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    /// Not `FlexDevice`: a failure lasts as long as the process, and other tests compute with flex.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Card;

    impl Device for Card {
        fn from_id(_: DeviceId) -> Self {
            Self
        }

        fn to_id(&self) -> DeviceId {
            FlexDevice.id()
        }
    }

    impl DeviceOps for Card {}

    #[test]
    fn the_first_failure_of_a_device_stays_and_is_its_own() {
        assert_eq!(device_failure(&Card), None);
        report_device_failure(&Card, "\nthe device is lost\n  at once\nBACKTRACE\n1: main");
        report_device_failure(&Card, "a later failure");
        let error = device_failure(&Card).unwrap();
        assert_eq!(error.to_string(), "the device failed: the device is lost at once");
        check_device::<Flex>(&FlexDevice).unwrap();
    }

    #[test]
    fn of_a_chain_of_causes_the_root_is_kept() {
        let chain = "The server is in an invalid state\nCaused by:\n  [A launch error\nCaused by:\n  Too many \
                     resources were requested\nBacktrace:\n1: main]";
        assert_eq!(root_cause(chain), "Too many resources were requested");
        let panic =
            "called `Result::unwrap()` on an `Err` value: can't allocate\nNo backtrace available";
        assert_eq!(root_cause(panic), "can't allocate");
    }
}
