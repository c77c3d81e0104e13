//! Burn's and CubeCL's configuration.
//!
//! Both look for `burn.toml` in the working directory and its parents the first time they are asked, and
//! panic where it is not theirs or there is no such directory. This program takes their defaults and what
//! the environment says.

use burn_std::config::{BurnConfig, RuntimeConfig};

/// Sets both. To be called once, before anything is computed.
pub fn configure() {
    BurnConfig::set(BurnConfig::default().override_from_env());
    #[cfg(feature = "wgpu")]
    {
        use cubecl_runtime::config::CubeClRuntimeConfig;
        use cubecl_runtime::config::cache::CacheConfig;

        let mut config = CubeClRuntimeConfig::default();
        // By default it lies in `target` beside the next Cargo.toml.
        if let Some(cache) = nin_data::Locations::from_environment().cache {
            config.autotune.cache = CacheConfig::File(cache.join("cubecl"));
        }
        CubeClRuntimeConfig::set(config.override_from_env());
    }
}
