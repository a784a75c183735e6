//! Names and numbers of AWS as types: an account is no region, a portfolio is no product, and none of them is any text.
//! The schema takes its bounds from here. A value is made by `parse` alone, which checks the form; the only others are
//! those that follow from values that were checked. Nothing here asks whether what is named exists.

use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::partitions::{Partition, partition_pattern};

/// The form of a text: how many characters it has, the pattern that it matches, and that as a sentence.
#[derive(Debug)]
pub struct Form {
    /// Fewest characters.
    pub min: u32,
    /// Most characters.
    pub max: u32,
    /// A regular expression that CEL and this crate read alike, for the whole text.
    pub pattern: &'static str,
    /// What a text of this form is: "an AWS account id of 12 digits".
    pub what: &'static str,
    /// The schema's sentence, which stands beside the whole object and so names the field where there is but one.
    pub message: &'static str,
}

/// A text that does not have the form of what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {wanted}")]
pub struct FormError {
    /// The text.
    pub value: String,
    /// What it should be: "an AWS account id of 12 digits".
    pub wanted: &'static str,
}

fn check(text: &str, form: &Form, pattern: &Option<Regex>) -> Result<(), FormError> {
    // The schema counts characters; what the patterns allow has one byte each.
    if (form.min as usize..=form.max as usize).contains(&text.len())
        && pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
    {
        return Ok(());
    }
    Err(FormError { value: text.to_owned(), wanted: form.what })
}

macro_rules! identifier {
    ($(#[$documentation:meta])* $name:ident, $form:expr) => {
        $(#[$documentation])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What a text must be like.
            pub const FORM: Form = $form;

            /// From a text.
            ///
            /// # Errors
            /// The text does not have the form; the error says what is allowed.
            pub fn parse(text: &str) -> Result<Self, FormError> {
                // A constant: that it compiles is tested below.
                static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($name::FORM.pattern).ok());
                check(text, &Self::FORM, &PATTERN).map(|()| Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = FormError;
            fn try_from(text: String) -> Result<Self, FormError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl From<&$name> for String {
            fn from(value: &$name) -> Self {
                value.0.clone()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

identifier! {
    /// An AWS account.
    AccountId, Form {
        min: 12,
        max: 12,
        pattern: "^[0-9]{12}$",
        what: "an AWS account id of 12 digits",
        message: "accountId is an AWS account id of 12 digits; quote it in YAML",
    }
}

identifier! {
    /// An AWS region, such as `eu-central-1`.
    Region, Form {
        min: 9,
        max: 32,
        // Isolated regions have one more part: us-iso-east-1, eu-isoe-west-1.
        pattern: "^([a-z]{2}|us-gov|eusc-[a-z]{2})-[a-z]+-[0-9]{1,2}$",
        what: "the code of an AWS region, such as eu-central-1; the operator does not work in isolated regions (us-iso..., eu-isoe...)",
        message: "region is the code of an AWS region, such as eu-central-1; the operator does not work in isolated regions (us-iso..., eu-isoe...)",
    }
}

identifier! {
    /// ARN of an IAM role: path and name in the characters that IAM allows, the name at most 64 (IAM quotas). The longest
    /// has the longest path (512) and name (64) in `arn:aws-us-gov:iam::111122223333:role`, the longest beginning.
    RoleArn, Form {
        min: 20,
        max: 613,
        pattern: concat!("^arn:", partition_pattern!(), ":iam::[0-9]{12}:role/([A-Za-z0-9_+=,.@/-]*/)?[A-Za-z0-9_+=,.@-]{1,64}$"),
        what: "the ARN of an IAM role, such as arn:aws:iam::111122223333:role/name, whose name has at most 64 characters",
        message: "must be the ARN of an IAM role, such as arn:aws:iam::111122223333:role/name; the name has at most 64 characters",
    }
}

identifier! {
    /// ARN of a CodeConnections (or CodeStar) connection.
    ConnectionArn, Form {
        min: 20,
        max: 256,
        pattern: concat!("^arn:", partition_pattern!(), ":(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[A-Za-z0-9-]+$"),
        what: "the ARN of a CodeConnections (or CodeStar) connection",
        message: "connectionArn is the ARN of a CodeConnections (or CodeStar) connection",
    }
}

identifier! {
    /// SHA-256 in hex.
    Sha256, Form {
        min: 64,
        max: 64,
        pattern: "^[0-9a-f]{64}$",
        what: "a SHA-256 of 64 hex digits in lower case, as sha256sum prints them",
        message: "sha256 is 64 hex digits in lower case, as sha256sum prints them",
    }
}

/// Service Catalog API reference, type Id.
const CATALOG_ID: Form = Form {
    min: 1,
    max: 100,
    pattern: "^[a-zA-Z0-9_-]+$",
    what: "an id of Service Catalog, which has up to 100 letters, digits, hyphens and underscores",
    message: "",
};

identifier! {
    /// Service Catalog's id of a portfolio: `port-…`.
    PortfolioId, CATALOG_ID
}

identifier! {
    /// Service Catalog's id of a product: `prod-…`.
    ProductId, CATALOG_ID
}

impl Region {
    /// The AWS partition of the region: `aws`, `aws-cn`, `aws-eusc` or `aws-us-gov`.
    pub fn partition(&self) -> &'static str {
        Partition::of(self).name
    }

    /// Domain of AWS's services in the region.
    pub fn dns_suffix(&self) -> &'static str {
        Partition::of(self).dns_suffix
    }

    /// Host of AWS's console in the region.
    pub fn console(&self) -> String {
        format!("{self}.{}", Partition::of(self).console)
    }
}

/// A role that SageMaker's console makes for projects (AWS docs, sagemaker-projects-studio-updates).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultRole {
    /// Service Catalog launches projects with it.
    Launch,
    /// What a project makes runs as it.
    Use,
}

impl RoleArn {
    /// One of the roles that SageMaker's console makes, with its path.
    pub fn default_role(region: &Region, account: &AccountId, role: DefaultRole) -> Self {
        let name = match role {
            DefaultRole::Launch => "AmazonSageMakerServiceCatalogProductsLaunchRole",
            DefaultRole::Use => "AmazonSageMakerServiceCatalogProductsUseRole",
        };
        Self(format!("arn:{}:iam::{account}:role/service-role/{name}", region.partition()))
    }

    /// The account that the role is in.
    pub fn account(&self) -> &str {
        self.split(':').nth(4).unwrap_or_default()
    }

    /// The role's name: IAM's calls take it without the path.
    pub fn name(&self) -> &str {
        self.rsplit('/').next().unwrap_or_default()
    }
}

impl ConnectionArn {
    /// The region that answers for the connection, which need not be the project's.
    pub fn region(&self) -> &str {
        self.split(':').nth(3).unwrap_or_default()
    }

    /// The account that it was made in.
    pub fn account(&self) -> &str {
        self.split(':').nth(4).unwrap_or_default()
    }
}

impl Sha256 {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(sha2::Sha256::digest(bytes)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_becomes_a_value_only_where_its_form_is_right() {
        type Parse = fn(&str) -> Result<String, FormError>;
        let account: Parse = |text| AccountId::parse(text).map(String::from);
        let region: Parse = |text| Region::parse(text).map(String::from);
        let role: Parse = |text| RoleArn::parse(text).map(String::from);
        let connection: Parse = |text| ConnectionArn::parse(text).map(String::from);
        let sum: Parse = |text| Sha256::parse(text).map(String::from);
        let portfolio: Parse = |text| PortfolioId::parse(text).map(String::from);
        let product: Parse = |text| ProductId::parse(text).map(String::from);
        let digits = "0a".repeat(32);
        let rows: [(&str, Parse, &str, bool); 24] = [
            ("an account has 12 digits", account, "111122223333", true),
            ("11 digits are too few", account, "11112222333", false),
            ("a line break does not count as the end", account, "111122223333\n", false),
            ("a region", region, "us-gov-west-1", true),
            ("a region of the European Sovereign Cloud", region, "eusc-de-east-1", true),
            ("a region of an isolated partition", region, "us-iso-east-1", false),
            ("another of those", region, "us-isob-east-1", false),
            ("one in Europe", region, "eu-isoe-west-1", false),
            ("a local zone is no region", region, "us-west-2-lax-1", false),
            ("a role of the European Sovereign Cloud", role, "arn:aws-eusc:iam::111122223333:role/a", true),
            ("a role of an isolated partition", role, "arn:aws-iso:iam::111122223333:role/a", false),
            ("a region without a number", region, "nowhere-at-all", false),
            ("a region with a path", region, "eu-west-1/../x", false),
            ("a role with a path", role, "arn:aws-cn:iam::111122223333:role/a/b/c", true),
            ("a user is no role", role, "arn:aws:iam::111122223333:user/c", false),
            ("a pattern is no role", role, "arn:aws:iam::111122223333:role/*", false),
            ("a connection", connection, "arn:aws:codestar-connections:eu-west-1:111122223333:connection/0a1b", true),
            ("a host is no connection", connection, "arn:aws:codeconnections:eu-west-1:111122223333:host/0a1b", false),
            ("a SHA-256", sum, &digits, true),
            ("one digit less", sum, &digits[1..], false),
            ("capital letters", sum, &digits.to_uppercase(), false),
            ("a portfolio", portfolio, "port-abc123", true),
            ("a blank is in no id", product, "prod 1", false),
            ("an empty text is no id", product, "", false),
        ];
        for (case, parse, text, fits) in rows {
            let parsed = parse(text);
            assert_eq!(parsed.as_deref().ok(), fits.then_some(text), "{case}");
            if let Err(error) = parsed {
                assert!(error.to_string().starts_with(&format!("{text:?} is not ")), "{case}: {error}");
            }
        }
    }

    #[test]
    fn a_value_is_read_from_json_only_where_its_form_is_right() {
        assert_eq!(serde_json::from_str::<Region>("\"eu-west-1\"").unwrap(), "eu-west-1");
        let refusal = serde_json::from_str::<Region>("\"nowhere\"").unwrap_err().to_string();
        assert!(refusal.contains("\"nowhere\" is not the code of an AWS region"), "{refusal}");
        assert_eq!(serde_json::to_string(&Region::parse("eu-west-1").unwrap()).unwrap(), "\"eu-west-1\"");
    }

    #[test]
    fn what_follows_from_a_value_has_its_form_too() {
        let account = AccountId::parse("111122223333").unwrap();
        let regions = [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
        ];
        for (region, partition) in regions {
            let region = Region::parse(region).unwrap();
            assert_eq!(region.partition(), partition);
            for (role, end) in [(DefaultRole::Launch, "ProductsLaunchRole"), (DefaultRole::Use, "ProductsUseRole")] {
                let role = RoleArn::default_role(&region, &account, role);
                assert_eq!((RoleArn::parse(&role), role.name().ends_with(end)), (Ok(role.clone()), true));
            }
        }
        let sum = Sha256::of(b"text");
        assert_eq!(Sha256::parse(&sum), Ok(sum));
    }
}
