//! Secrets and their fingerprints. A [`Secret`] can be neither printed nor serialised; what is compared, stored
//! or shown is its keyed fingerprint.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// A text that must not be seen: without `Debug`, `Display` and `Serialize` on purpose.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself: only for the call that carries it to its destination.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is too short to be taken out of texts: it would be found everywhere.
    pub fn is_short(&self) -> bool {
        self.reveal().trim().chars().count() < SHORTEST
    }
}

/// Secrets of fewer characters, blanks at the ends left out, are not looked for in texts.
pub const SHORTEST: usize = 4;

/// The key of all fingerprints of one installation: without it, a fingerprint tells nothing about a weak secret.
#[derive(Clone)]
pub struct FingerprintKey(Secret);

impl FingerprintKey {
    /// A key from its stored text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text))
    }

    /// 32 hex digits that change when one of the parts does.
    pub fn fingerprint<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        // HMAC takes keys of any length, so this cannot fail; an empty fingerprint would only cause a rewrite.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.reveal().as_bytes()) else { return String::new() };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let mut text = hex::encode(mac.finalize().into_bytes());
        text.truncate(32);
        text
    }
}

/// A secret together with its fingerprint.
#[derive(Clone)]
pub struct SealedSecret {
    /// The secret itself.
    pub value: Secret,
    /// Its keyed fingerprint.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_the_key_and_on_where_the_parts_end() {
        let key = FingerprintKey::new("k");
        assert_eq!(key.fingerprint(["a", "b"]), key.fingerprint(["a", "b"]));
        assert_ne!(key.fingerprint(["a", "b"]), key.fingerprint(["ab", ""]));
        assert_ne!(key.fingerprint(["a"]), FingerprintKey::new("l").fingerprint(["a"]));
        assert_eq!(key.fingerprint(["a"]).len(), 32);
    }
}
