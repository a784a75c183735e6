//! Looking for secrets where somebody may read: a canary in all the forms that it may be written in, and a log that can
//! be read.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_sandbox::jenkins::Jenkins;
use serde_json::json;

/// What is written there can be read.
#[derive(Clone, Default)]
pub struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// The canaries as they may be written: plain, in JSON, in a URL, in XML, in base64, in a Basic header.
pub fn forms(canaries: &[&str]) -> Vec<String> {
    let user = Jenkins::credentials().0;
    let mut forms = Vec::new();
    for canary in canaries {
        let quoted = json!(canary).to_string().trim_matches('"').to_owned();
        let twice = json!(quoted).to_string().trim_matches('"').to_owned();
        let signs = [('"', "%22"), ('\\', "%5C"), ('/', "%2F"), ('+', "%2B"), ('=', "%3D"), ('&', "%26")];
        let encoded = signs.iter().fold((*canary).to_owned(), |text, (sign, escape)| text.replace(*sign, escape));
        let in_xml = canary.replace('&', "&amp;").replace('"', "&quot;");
        forms.extend([
            (*canary).to_owned(),
            quoted,
            twice,
            encoded,
            in_xml,
            STANDARD.encode(canary),
            STANDARD.encode(format!("{user}:{canary}")),
        ]);
    }
    forms
}

/// Sends the logs of this thread there. A line that another thread's test comes to for the first time at this very moment may
/// be taken for one that nobody wants: once that thread has had its time, all are looked at again.
pub fn logging(subscriber: impl tracing::Subscriber + Send + Sync + 'static) -> tracing::subscriber::DefaultGuard {
    let guard = tracing::subscriber::set_default(subscriber);
    std::thread::sleep(std::time::Duration::from_millis(20));
    tracing::callsite::rebuild_interest_cache();
    guard
}
