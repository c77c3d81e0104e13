//! Burn's and CubeCL's configuration.
//!
//! On first use, both look for `burn.toml` in the working directory and its parents, and panic on a foreign file
//! or a missing directory. This program takes their defaults and the environment.

use burn_std::config::{BurnConfig, RuntimeConfig};

/// Sets both. Call this once, before anything is computed.
pub fn configure() {
    BurnConfig::set(BurnConfig::default().override_from_env());
    #[cfg(feature = "wgpu")]
    {
        use cubecl_runtime::config::CubeClRuntimeConfig;
        use cubecl_runtime::config::cache::CacheConfig;

        let mut config = CubeClRuntimeConfig::default();
        // The default is `target` next to the nearest Cargo.toml.
        if let Some(cache) = nin_data::Locations::from_environment().cache {
            config.autotune.cache = CacheConfig::File(cache.join("cubecl"));
        }
        CubeClRuntimeConfig::set(config.override_from_env());
    }
}
