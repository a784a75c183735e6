//! Text in little memory: deflated, with another text of its like as the dictionary, as all objects say much the same. It stands
//! alone since it knows bytes only; what they say, and when they are needed again, is not its business.

use std::sync::{Arc, Weak};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// A dictionary is replaced after so many texts: objects change, and so do the programs that write them.
const RENEWED_AFTER: usize = 1000;
/// The longest text that becomes a dictionary, in bytes, and how many there are at most that texts still need: somebody may
/// change what is typical as often as he likes.
const LONGEST_DICTIONARY: usize = 16 * 1024;
const DICTIONARIES: usize = 32;
/// How much longer than the text deflate may make it, in bytes, before it is kept as it is.
const SLACK: usize = 64;

/// A text.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    bytes: Box<[u8]>,
    /// How long the text is, in bytes.
    length: usize,
    /// `None`: the bytes are the text.
    dictionary: Option<Arc<[u8]>>,
}

impl Packed {
    /// The text.
    pub(super) fn unpack(&self) -> Vec<u8> {
        // What was deflated here can be inflated: there is no other way to one of these.
        self.inflate().unwrap_or_default()
    }

    fn inflate(&self) -> Option<Vec<u8>> {
        let Some(dictionary) = &self.dictionary else { return Some(self.bytes.to_vec()) };
        let mut inflate = Decompress::new(false);
        if !dictionary.is_empty() {
            inflate.set_dictionary(dictionary).ok()?;
        }
        let mut text = Vec::with_capacity(self.length + SLACK);
        let status = inflate.decompress_vec(&self.bytes, &mut text, FlushDecompress::Finish).ok()?;
        (status == Status::StreamEnd).then_some(text)
    }
}

/// Packs one text after the other.
pub(super) struct Packer {
    deflate: Compress,
    dictionary: Arc<[u8]>,
    /// How many texts the dictionary has served.
    served: usize,
    /// The dictionaries before it that texts may still need.
    former: Vec<Weak<[u8]>>,
}

impl Default for Packer {
    fn default() -> Self {
        let deflate = Compress::new(Compression::default(), false);
        Self { deflate, dictionary: Arc::new([]), served: RENEWED_AFTER, former: Vec::new() }
    }
}

impl Packer {
    /// Packs a text. `is_typical`: many others will be like it, so that it may become the dictionary.
    pub(super) fn pack(&mut self, text: Vec<u8>, is_typical: bool) -> Packed {
        if is_typical && self.served >= RENEWED_AFTER && text.len() <= LONGEST_DICTIONARY {
            self.renew(&text);
        }
        self.served += 1;
        let length = text.len();
        let packed = self.deflated(&text).filter(|bytes| bytes.len() < length).map(|bytes| Packed {
            bytes: bytes.into(),
            length,
            dictionary: Some(self.dictionary.clone()),
        });
        // The format has no checksum, and what is kept here decides what is made and deleted elsewhere.
        let packed = packed.filter(|packed| packed.inflate().is_some_and(|again| again == text));
        packed.unwrap_or_else(|| Packed { bytes: text.into(), length, dictionary: None })
    }

    /// Takes a text as the dictionary from now on, unless too many former ones are still needed.
    fn renew(&mut self, text: &[u8]) {
        self.former.retain(|former| former.strong_count() > 0);
        if self.former.len() + 1 < DICTIONARIES {
            self.former.push(Arc::downgrade(&self.dictionary));
            (self.dictionary, self.served) = (text.into(), 0);
        }
    }

    fn deflated(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        self.deflate.reset();
        if !self.dictionary.is_empty() {
            self.deflate.set_dictionary(&self.dictionary).ok()?;
        }
        let mut bytes = Vec::with_capacity(text.len() + SLACK);
        let status = self.deflate.compress_vec(text, &mut bytes, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(n: usize) -> Vec<u8> {
        let condition = |kind: &str| format!(r#"{{"type":"{kind}","status":"True","message":"exists as declared"}}"#);
        let conditions = ["Ready", "ProjectReady", "JobsReady", "RouteReady"].map(condition).join(",");
        format!(r#"{{"metadata":{{"name":"project-{n:05}"}},"status":{{"conditions":[{conditions}]}}}}"#).into_bytes()
    }

    #[test]
    fn a_text_that_is_like_the_dictionary_takes_a_tenth() {
        let mut packer = Packer::default();
        let early = packer.pack(object(0), false);
        let texts: Vec<Packed> = (1..2500).map(|n| packer.pack(object(n), true)).collect();
        for (n, packed) in [early].iter().chain(&texts).enumerate() {
            assert_eq!(packed.unpack(), object(n), "text {n}");
        }
        for packed in &texts {
            assert!(packed.bytes.len() * 10 < packed.length, "{} of {} bytes", packed.bytes.len(), packed.length);
        }
        let mut dictionaries: Vec<_> = texts.iter().flat_map(|packed| &packed.dictionary).map(Arc::as_ptr).collect();
        dictionaries.dedup();
        assert_eq!(dictionaries.len(), 3, "one for each thousand");
    }

    #[test]
    fn what_does_not_get_shorter_is_kept_as_it_is() {
        let mut packer = Packer::default();
        for text in [vec![], vec![b'x'], (0..=255).collect()] {
            let packed = packer.pack(text.clone(), false);
            assert!(packed.dictionary.is_none());
            assert_eq!(packed.unpack(), text);
        }
        let long = vec![b'x'; 1024 * 1024];
        let packed = packer.pack(long.clone(), true);
        assert!(packed.bytes.len() < 4096 && packer.dictionary.is_empty(), "too long for a dictionary");
        assert_eq!(packed.unpack(), long);
    }

    #[test]
    fn there_are_never_many_dictionaries() {
        let mut packer = Packer::default();
        let mut texts = Vec::new();
        for n in 0..100 {
            packer.served = RENEWED_AFTER;
            texts.push(packer.pack(object(n), true));
        }
        let dictionaries: std::collections::BTreeSet<_> =
            texts.iter().flat_map(|packed| &packed.dictionary).map(Arc::as_ptr).collect();
        assert_eq!(dictionaries.len(), DICTIONARIES);
        for (n, packed) in texts.iter().enumerate() {
            assert_eq!(packed.unpack(), object(n));
        }
        texts.clear();
        let (before, text) = (packer.dictionary.clone(), object(1000));
        packer.served = RENEWED_AFTER;
        packer.pack(text, true);
        assert!(!Arc::ptr_eq(&before, &packer.dictionary), "those that nobody needs are gone");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(texts in prop::collection::vec(("[a-d]{0,400}", 0..200_usize, any::<bool>()), 1..12)) {
            let mut packer = Packer { served: RENEWED_AFTER - 3, ..Packer::default() };
            for (part, times, is_typical) in texts {
                let text = part.repeat(times).into_bytes();
                prop_assert_eq!(packer.pack(text.clone(), is_typical).unpack(), text);
            }
        }
    }
}
