//! The archives that the operator bundles: the check-in of seed code, and the seed code itself. They are packed at
//! build time (`build.rs`) and known by their checksum; nothing here looks into them.

use std::sync::LazyLock;

use crate::crd::identifiers::Sha256;

pub struct Archive {
    /// Of its bytes.
    pub sha256: Sha256,
    pub body: &'static [u8],
}

macro_rules! bundled {
    ($name:literal) => {
        LazyLock::new(|| {
            let body: &'static [u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".zip"));
            Archive { sha256: Sha256::of(body), body }
        })
    };
}

/// What the build that checks seed code in runs: its buildspec and script.
pub static BOOTSTRAP: LazyLock<Archive> = bundled!("bootstrap");
/// The built-in seed code of the repository for data preprocessing.
pub static PREPROCESS: LazyLock<Archive> = bundled!("preprocess");
/// The built-in seed code of the repository that builds models.
pub static BUILD: LazyLock<Archive> = bundled!("build");
/// The built-in seed code of the repository that deploys models for batches.
pub static DEPLOY: LazyLock<Archive> = bundled!("deploy");
/// The built-in seed code of the repository that deploys models to an endpoint.
pub static ENDPOINT: LazyLock<Archive> = bundled!("endpoint");
