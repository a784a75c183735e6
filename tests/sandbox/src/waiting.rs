//! Answers that wait: a receive call asks its queue again until a message is there or its time is over. Apart from the
//! sandbox because no other call waits. It must not know what a message is.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use crate::aws::dispatch::{self, Answer};
use crate::sandbox::{Sandbox, pause};
use crate::wire::Address;

/// How often a queue is looked at again for a caller who waits for a message.
const LOOKS_AGAIN: Duration = Duration::from_millis(100);

impl Sandbox {
    /// The answer to a request, which waits for messages of a queue for as long as it says.
    pub(crate) async fn patient(&self, address: &Address, request: &Request<Bytes>, id: &str) -> Answer {
        let began = self.now();
        loop {
            let (answer, patience) = self.world(|world| {
                let answer = dispatch::answer(world, address, request, id);
                let patience = dispatch::patience(world, address, &answer);
                (answer, patience)
            });
            let waited = Duration::try_from(self.now().duration_since(began)).unwrap_or_default();
            if waited >= patience {
                return answer;
            }
            pause((patience - waited).min(LOOKS_AGAIN)).await;
        }
    }
}
