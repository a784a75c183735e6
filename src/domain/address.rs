//! Which addresses are nobody's server, however they are written: one rule for URLs in a spec, for literals and for what
//! a name resolves to. It stands alone so that there cannot be two such rules; it resolves nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Whether an address is link-local, unspecified or one of EC2's own services (metadata, DNS, time), in any of the forms
/// in which IPv6 carries an IPv4 address.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            // `::1` is loopback, not the IPv4 address 0.0.0.1; `::` is unspecified.
            let inner = v6.to_ipv4().or_else(|| behind_nat64(v6));
            v6.is_unicast_link_local()
                || v6.is_unspecified()
                || is_of_ec2(v6)
                || inner.is_some_and(|v4| is_forbidden(v4.into()))
        }
    }
}

/// A URL that every client reads alike. What only some of them resolve, decode or take for a slash could lead another one
/// elsewhere than it was checked: backslashes, user names, hosts that are written in several ways, `..` and encoded slashes.
///
/// # Errors
/// What is wrong with it, in a clause.
pub fn unambiguous(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if let Some(odd) = text.chars().find(|sign| !sign.is_ascii_graphic() || matches!(sign, '\\' | '@')) {
        return Err(format!("holds {odd:?}, which not every client reads alike"));
    }
    let authority = format!("{}://{}", url.scheme(), url.authority());
    let rest = text
        .get(..authority.len())
        .filter(|start| start.eq_ignore_ascii_case(&authority))
        .map(|_| &text[authority.len()..]);
    let usual = [":443", ":80"].iter().any(|port| rest.is_some_and(|rest| rest.starts_with(port)));
    if !(usual || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))) {
        return Err(format!("names its host in an unusual way; write {authority}"));
    }
    let path = text.to_ascii_lowercase();
    let hidden = ["/../", "/./", "%2f", "%5c", "%2e"].iter().any(|part| path.contains(part));
    if hidden || path.ends_with("/..") || path.ends_with("/.") {
        return Err("holds a path that not every client resolves alike".to_owned());
    }
    Ok(url)
}

/// The address in a URL whose host is one.
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// `fd00:ec2::/32`: EC2 gives it to no instance.
fn is_of_ec2(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    (first, second) == (0xfd00, 0x0ec2)
}

/// The IPv4 address that the well-known prefix of RFC 6052, or the one of RFC 8215 for local use, leads to.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_metadata_service_is_forbidden_in_every_form_and_private_networks_are_not() {
        let forbidden = [
            "http://169.254.169.254",
            "http://169.254.169.254./",
            "http://2852039166",
            "http://0xA9FEA9FE:80",
            "http://0251.0376.0251.0376",
            "http://[::ffff:a9fe:a9fe]",
            "http://[::a9fe:a9fe]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[64:ff9b:1::a9fe:a9fe]",
            "http://[fd00:ec2::254]",
            "http://[fd00:ec2::23]",
            "http://[fd00:ec2:0:1::1]",
            "http://[fe80::1]",
            "http://0.0.0.0:8080",
            "http://[::]",
            "http://[::ffff:0.0.0.0]",
        ];
        let rows = forbidden.map(|url| (url, true)).into_iter().chain(
            [
                "https://10.0.0.1",
                "http://127.0.0.1:8080",
                "http://[::1]",
                "https://[fd00::1]",
                "https://[64:ff9b::808:808]",
            ]
            .map(|url| (url, false)),
        );
        for (url, expected) in rows {
            let address = literal(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(is_forbidden(address), expected, "{url}");
        }
        assert_eq!(literal(&Url::parse("https://ci.example").unwrap()), None);
    }

    #[test]
    fn a_url_that_clients_read_differently_is_refused() {
        let rows = [
            ("https://ci.example", true),
            ("https://CI.example/jenkins/", true),
            ("https://ci.example:8443/a%20b", true),
            ("https://ci.example:443/", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080/x", true),
            ("https://github.com/team-a/code.git", true),
            ("https://ci.granted.example\\x.evil.example", false),
            ("https://user@ci.example", false),
            ("https://ci%2eexample/", false),
            ("https://bücher.example", false),
            ("http://2852039166", false),
            ("https://git.example/team-a/../team-b/code", false),
            ("https://git.example/team-a/..%2fteam-b/code", false),
            ("https://git.example/team-a/%2E%2E/team-b/code", false),
            ("https://git.example/team-a/..", false),
            ("https://ci.example\u{a0}", false),
            ("nothing", false),
        ];
        for (url, expected) in rows {
            let told = unambiguous(url);
            assert_eq!(told.is_ok(), expected, "{url}: {told:?}");
        }
    }
}
