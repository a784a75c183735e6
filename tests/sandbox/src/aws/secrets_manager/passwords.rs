//! GetRandomPassword. Apart from the secrets because it keeps nothing. Passwords follow from the world's ids, so that two runs
//! of a test have the same ones.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::invalid_parameter;
use crate::aws::{Call, Outcome, page};
use crate::world::World;

/// The kinds of characters, each with the member that leaves it out (API reference of GetRandomPassword).
const KINDS: [(&str, &str); 4] = [
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
];

/// Numbers that look random: the n-th is a digest of the seed and n.
struct Numbers {
    seed: String,
    count: u32,
}

impl Numbers {
    /// The next number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.count += 1;
        let digest = Sha256::digest(format!("{}/{}", self.seed, self.count));
        digest.iter().take(4).fold(0, |sum, byte| sum * 256 + usize::from(*byte)) % limit
    }

    fn one_of(&mut self, signs: &[char]) -> Option<char> {
        if signs.is_empty() { None } else { signs.get(self.below(signs.len())).copied() }
    }
}

pub(super) fn random(world: &mut World, call: &Call<'_>) -> Outcome {
    let flag = |member: &str| call.input.get(member).and_then(Value::as_bool);
    let length = page::size(call.input.get("PasswordLength"), "passwordLength", 1, 4096).map_err(invalid_parameter)?;
    let length = length.unwrap_or(32);
    let excluded = call.text("ExcludeCharacters");
    if excluded.chars().count() > 4096 {
        return Err(invalid_parameter("ExcludeCharacters must have 4096 characters at most."));
    }
    let kept = |signs: &str| signs.chars().filter(|sign| !excluded.contains(*sign)).collect::<Vec<char>>();
    let included = KINDS.iter().filter(|(member, _)| flag(member) != Some(true));
    let kinds: Vec<Vec<char>> = included.map(|(_, signs)| kept(signs)).filter(|kind| !kind.is_empty()).collect();
    let mut alphabet: Vec<char> = kinds.concat();
    if flag("IncludeSpace") == Some(true) {
        alphabet.extend(kept(" "));
    }
    // A space is not among what is required (API reference, RequireEachIncludedType, which is true unless said otherwise).
    let required = if flag("RequireEachIncludedType") == Some(false) { &[] } else { kinds.as_slice() };
    if alphabet.is_empty() {
        return Err(invalid_parameter("The options leave no character for a password."));
    }
    if required.len() > length {
        let message = format!("A password of {length} characters cannot have one of each of {} kinds.", required.len());
        return Err(invalid_parameter(message));
    }
    let mut numbers = Numbers { seed: world.ids.uuid(), count: 0 };
    let mut password: Vec<char> = required.iter().filter_map(|kind| numbers.one_of(kind)).collect();
    while password.len() < length {
        password.extend(numbers.one_of(&alphabet));
    }
    for last in (1..password.len()).rev() {
        password.swap(last, numbers.below(last + 1));
    }
    Ok(json!({ "RandomPassword": password.into_iter().collect::<String>() }))
}
