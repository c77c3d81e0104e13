//! Optional numbers that are 0 in a file, for `#[serde(with = "zero_is_none")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes `None` as 0.
///
/// # Errors
/// The serializer's.
#[allow(clippy::ref_option, reason = "serde passes a reference")]
pub(super) fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + Default + Serialize,
    S: Serializer,
{
    value.unwrap_or_default().serialize(serializer)
}

/// Reads 0 as `None`.
///
/// # Errors
/// The deserializer's.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Default + Deserialize<'de> + PartialEq,
    D: Deserializer<'de>,
{
    let value = T::deserialize(deserializer)?;
    Ok((value != T::default()).then_some(value))
}
