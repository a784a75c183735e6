//! The archives that the operator carries: the check-in of seed code, and the seed code itself. They are packed at
//! build time (`build.rs`) and known by their checksum; nothing here looks into them.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::domain::project::RepositoryRole;

/// A zip archive.
pub struct Archive {
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// Its bytes.
    pub body: &'static [u8],
}

macro_rules! carried {
    ($name:literal) => {
        LazyLock::new(|| {
            let body: &'static [u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".zip"));
            Archive { sha256: hex::encode(Sha256::digest(body)), body }
        })
    };
}

/// What the build that checks seed code in runs: its buildspec and script.
pub static BOOTSTRAP: LazyLock<Archive> = carried!("bootstrap");
static PREPROCESS: LazyLock<Archive> = carried!("preprocess");
static BUILD: LazyLock<Archive> = carried!("build");
static DEPLOY: LazyLock<Archive> = carried!("deploy");
static ENDPOINT: LazyLock<Archive> = carried!("endpoint");

/// The built-in seed code of a repository.
pub fn seed_code(role: RepositoryRole) -> &'static Archive {
    match role {
        RepositoryRole::Preprocess => &PREPROCESS,
        RepositoryRole::Build => &BUILD,
        RepositoryRole::Deploy => &DEPLOY,
        RepositoryRole::Endpoint => &ENDPOINT,
    }
}
