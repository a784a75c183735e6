//! Addresses of pages in AWS's console, for the people who read a status. It stands alone as the one place that knows how the
//! console writes them. It calls nothing, and makes no address of what has none: SageMaker's projects and model package groups are
//! shown in Studio, whose addresses belong to a domain and a user.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::crd::identifiers::Region;

/// What a part of an address leaves as it is (RFC 3986, unreserved).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn page(region: &Region, service: &str, page: &str) -> String {
    format!("https://{}/{service}/home?region={region}#{page}", region.console())
}

/// The events of a stack, by its ARN or its name.
pub fn stack_events(region: &Region, stack: &str) -> String {
    page(region, "cloudformation", &format!("/stacks/events?stackId={}", utf8_percent_encode(stack, PART)))
}

/// A product of Service Catalog, as an administrator sees it.
pub fn product(region: &Region, id: &str) -> String {
    page(region, "servicecatalog", &format!("admin-products/{}", utf8_percent_encode(id, PART)))
}

/// A log group. The console writes its name encoded twice, with `$` in the place of the first `%`.
pub fn log_group(region: &Region, name: &str) -> String {
    let name = utf8_percent_encode(name, PART).to_string().replace('%', "$25");
    page(region, "cloudwatch", &format!("logsV2:log-groups/log-group/{name}"))
}

/// Where Studio is opened.
pub fn studio(region: &Region) -> String {
    page(region, "sagemaker", "/studio-landing")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_partition_has_a_console_of_its_own() {
        let rows = [
            ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/studio-landing"),
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/sagemaker/home?region=cn-north-1#/studio-landing"),
            (
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/sagemaker/home?region=us-gov-west-1#/studio-landing",
            ),
            (
                "eusc-de-east-1",
                "https://eusc-de-east-1.console.amazonaws-eusc.eu/sagemaker/home?region=eusc-de-east-1#/studio-landing",
            ),
        ];
        for (region, address) in rows {
            assert_eq!(studio(&Region::parse(region).unwrap()), address);
        }
    }

    #[test]
    fn each_page_is_addressed_as_the_console_writes_it() {
        let region = Region::parse("us-west-2").unwrap();
        let host = "https://us-west-2.console.aws.amazon.com";
        let arn = "arn:aws:cloudformation:us-west-2:123456789012:stack/test-stack/abc-123";
        let rows = [
            (
                stack_events(&region, arn),
                "/cloudformation/home?region=us-west-2#/stacks/events?stackId=arn%3Aaws%3Acloudformation%3Aus-west-2%3A123456789012%3Astack%2Ftest-stack%2Fabc-123",
            ),
            (product(&region, "prod-abc"), "/servicecatalog/home?region=us-west-2#admin-products/prod-abc"),
            (
                log_group(&region, "/aws/lambda/trigger"),
                "/cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/$252Faws$252Flambda$252Ftrigger",
            ),
        ];
        for (address, expected) in rows {
            assert_eq!(address, format!("{host}{expected}"));
        }
    }
}
