//! AWS's partitions: which regions each has, and the domains of its services and its console. The one table of this, from AWS's own
//! metadata (`partitions.json`, which every SDK holds and hides; a test compares this with what the SDK makes of a
//! region). It knows no single region, so that a new one needs no release.

/// The partitions that the operator works in, as they stand in ARNs: a pattern for the text behind `arn:`. A macro, since
/// patterns are put together where they are written.
macro_rules! partition_pattern {
    () => {
        "aws(-cn|-eusc|-us-gov)?"
    };
}
pub(crate) use partition_pattern;

/// One partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// As it stands in ARNs.
    pub name: &'static str,
    /// What the names of its regions begin with. AWS gives a pattern; each is one of beginnings.
    pub begins: &'static [&'static str],
    /// Domain of its services' hosts.
    pub dns_suffix: &'static str,
    /// Domain of its console, which has a host for each region below it.
    pub console: &'static str,
}

/// The partition of each region that begins like none of [`PARTITIONS`], as SDKs have it.
const COMMERCIAL: Partition =
    Partition { name: "aws", begins: &[], dns_suffix: "amazonaws.com", console: "console.aws.amazon.com" };

/// The others that the operator works in.
const PARTITIONS: [Partition; 3] = [
    Partition { name: "aws-cn", begins: &["cn-"], dns_suffix: "amazonaws.com.cn", console: "console.amazonaws.cn" },
    Partition {
        name: "aws-eusc",
        begins: &["eusc-"],
        dns_suffix: "amazonaws.eu",
        console: "console.amazonaws-eusc.eu",
    },
    Partition {
        name: "aws-us-gov",
        begins: &["us-gov-"],
        dns_suffix: "amazonaws.com",
        console: "console.amazonaws-us-gov.com",
    },
];

impl Partition {
    /// The partition of a region that the operator works in: regions of isolated partitions have no form that
    /// [`super::identifiers::Region`] takes.
    pub fn of(region: &str) -> &'static Self {
        let of = |partition: &&Self| partition.begins.iter().any(|begin| region.starts_with(begin));
        PARTITIONS.iter().find(of).unwrap_or(&COMMERCIAL)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arns_are_taken_of_these_partitions_and_of_no_other() {
        let pattern = regex::Regex::new(concat!("^", partition_pattern!(), "$")).unwrap();
        for partition in PARTITIONS.iter().chain([&COMMERCIAL]) {
            assert!(pattern.is_match(partition.name), "{}", partition.name);
        }
        for name in ["aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-", "awscn", ""] {
            assert!(!pattern.is_match(name), "{name}");
        }
    }
}
