//! XML in and out for S3: a small element tree of what came, replies and errors. Nothing of S3's rules.

use bytes::Bytes;
use http::Response;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::Refusal;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An element: its local name, its text, its children.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text at a path of child names; empty where it is absent.
    pub(super) fn at(&self, path: &[&str]) -> &str {
        let mut element = self;
        for name in path {
            let Some(child) = element.child(name) else { return "" };
            element = child;
        }
        &element.text
    }

    /// The element as XML text without namespaces.
    pub(super) fn write(&self) -> String {
        let inner: String = match self.children.is_empty() {
            true => escaped(&self.text),
            false => self.children.iter().map(Element::write).collect(),
        };
        format!("<{0}>{inner}</{0}>", self.name)
    }
}

/// The refusal of XML that cannot be read or lacks what must be there.
pub(super) fn malformed() -> Refusal {
    Refusal::new(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// The root element of a document, which must have this name.
///
/// # Errors
/// `MalformedXML`.
pub(super) fn parse(text: &str, root: &str) -> Result<Element, Refusal> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(start) => open.push(named(start.local_name().into_inner())),
            Event::Empty(start) => close(&mut open, named(start.local_name().into_inner()))?,
            Event::End(_) => {
                let element = open.pop().ok_or_else(malformed)?;
                close(&mut open, element)?;
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => append(&mut open, &resolved(&reference)?),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::Eof => break,
            _ => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(document), true) => {
            let found = document.children.into_iter().next().filter(|element| element.name == root);
            found.ok_or_else(malformed)
        }
        _ => Err(malformed()),
    }
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn close(open: &mut [Element], mut element: Element) -> Result<(), Refusal> {
    if !element.children.is_empty() {
        element.text.clear();
    }
    open.last_mut().ok_or_else(malformed)?.children.push(element);
    Ok(())
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolved(reference: &str) -> Result<String, Refusal> {
    let number = reference.strip_prefix("#x").map(|digits| u32::from_str_radix(digits, 16));
    let number = number.or_else(|| reference.strip_prefix('#').map(str::parse));
    if let Some(number) = number {
        return number.ok().and_then(char::from_u32).map(String::from).ok_or_else(malformed);
    }
    match reference {
        "amp" => Ok("&".into()),
        "lt" => Ok("<".into()),
        "gt" => Ok(">".into()),
        "quot" => Ok("\"".into()),
        "apos" => Ok("'".into()),
        _ => Err(malformed()),
    }
}

/// Text that can stand in an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\r', "&#13;")
}

/// `<name>text</name>`.
pub(super) fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// A reply with these headers; the body's length is filled in by the transport.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap_or_default()
}

/// A document as the reply.
pub(super) fn document(root: &str, inner: &str) -> Response<Bytes> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">{inner}</{root}>");
    reply(200, &[("content-type", "application/xml")], text)
}

/// A reply with more headers, as far as they have a value.
pub(super) fn with(mut reply: Response<Bytes>, headers: &[(&'static str, &str)]) -> Response<Bytes> {
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        if let Ok(value) = http::HeaderValue::try_from(*value) {
            reply.headers_mut().insert(*name, value);
        }
    }
    reply
}

/// A refusal as S3 writes it; a HEAD request gets no body. `home` is the region of the bucket, if there is one.
pub(super) fn refuse(refusal: &Refusal, bucket: &str, key: &str, home: Option<&str>, head: bool) -> Response<Bytes> {
    let region = home.filter(|_| matches!(refusal.status, 301 | 403)).unwrap_or_default();
    let mut headers = vec![("x-amz-bucket-region", region)];
    if refusal.code == "NoSuchKey" && refusal.message.contains("delete marker") {
        headers.push(("x-amz-delete-marker", "true"));
    }
    if head {
        return reply(refusal.status, &headers, Bytes::new());
    }
    let resource = if key.is_empty() { leaf("BucketName", bucket) } else { leaf("Key", key) };
    let details: String = refusal.details.iter().map(|(name, value)| leaf(name, value)).collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{}{}{details}{resource}<RequestId>SANDBOX</RequestId></Error>",
        leaf("Code", &refusal.code),
        leaf("Message", &refusal.message),
    );
    headers.push(("content-type", "application/xml"));
    reply(refusal.status, &headers, text)
}
