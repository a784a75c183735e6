//! An XML document as a tree: reads what Jenkins sends (XML 1.0 and 1.1), writes what it takes. It stands alone since
//! it knows nothing of jobs. Text is escaped here and nowhere else; nothing joins user text into markup.

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::QName;
use quick_xml::reader::Reader;
use quick_xml::writer::Writer;

/// Deeper documents are refused: no job is, and the tree is walked by recursion.
const MAX_DEPTH: usize = 100;
/// Elements and attributes together, beyond which documents are refused: one of four bytes takes fifty times as much in
/// memory, and no job has as many.
const MAX_NODES: usize = 20_000;
/// Attributes of one element, beyond which it is refused: each is compared with those before it, and Jenkins writes three.
const MAX_ATTRIBUTES: usize = 100;
/// Longest name of an element or attribute, in bytes: Jenkins' are names of Java classes.
const LONGEST_NAME: usize = 1000;

/// An element: its attributes and either child elements or text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Child elements in order.
    pub children: Vec<Element>,
    /// Text; meaningful without children only.
    pub text: String,
}

impl Element {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element with text.
    pub fn leaf(name: &str, text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::new(name) }
    }

    /// The same with an attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with children.
    #[must_use]
    pub fn with(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text at the end of a path of child names; empty where there is none.
    pub fn text_at(&self, path: &[&str]) -> &str {
        let found = path.iter().try_fold(self, |element, name| element.child(name));
        found.map_or("", |element| element.text.as_str())
    }

    /// The value of an attribute; empty where there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// The child of that name, made if it is missing.
    pub fn ensure(&mut self, name: &str) -> &mut Element {
        let at = self.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
            self.children.push(Element::new(name));
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    /// Puts a child in the place of those of its name, or at the end.
    pub fn put(&mut self, child: Element) {
        match self.children.iter().position(|old| old.name == child.name) {
            Some(at) => {
                let name = child.name.clone();
                self.children[at] = child;
                let mut observed = 0;
                self.children.retain(|other| {
                    observed += usize::from(other.name == name);
                    other.name != name || observed == 1
                });
            }
            None => self.children.push(child),
        }
    }

    /// Takes all children of that name away.
    pub fn remove(&mut self, name: &str) {
        self.children.retain(|child| child.name != name);
    }
}

/// Text as Jenkins can give it back: without what no XML document can hold (U+0000, U+FFFE, U+FFFF), and with a line end
/// for U+2028, which Jenkins writes raw into its files and which XML 1.1 reads as a line end (seen on 2.568).
pub fn representable(text: &str) -> String {
    let kept = |character| match character {
        '\0' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        '\u{2028}' => '\n',
        other => other,
    };
    text.chars().map(kept).collect()
}

/// Reads a document.
///
/// # Errors
/// A clause that says what is wrong with it.
pub fn parse(source: &str) -> Result<Element, String> {
    let mut version = XmlVersion::Implicit1_0;
    let mut reader = Reader::from_str(source.trim_start_matches('\u{feff}').trim_start());
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Decl(declaration) => version = declaration.xml_version().map_err(|error| error.to_string())?,
            Event::Start(_) if open.len() >= MAX_DEPTH => return Err("it is nested too deeply".into()),
            Event::Start(start) => open.push(started(&start, version, &mut nodes)?),
            Event::Empty(start) => close(started(&start, version, &mut nodes)?, &mut open, &mut root),
            Event::End(_) => {
                let done = open.pop().ok_or("an element ends that did not start")?;
                close(done, &mut open, &mut root);
            }
            Event::Text(text) => append(&mut open, &text.xml_content(version)),
            Event::CData(text) => append(&mut open, &text.xml_content(version)),
            Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?),
            Event::DocType(_) => return Err("it declares a document type".into()),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or_else(|| "it is empty".into()),
            Event::Eof => return Err("it breaks off".into()),
        }
    }
}

fn started(start: &BytesStart<'_>, version: XmlVersion, nodes: &mut usize) -> Result<Element, String> {
    node(start.name(), nodes)?;
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        node(attribute.key, nodes)?;
        if element.attributes.len() >= MAX_ATTRIBUTES {
            return Err(format!("it has an element with more than {MAX_ATTRIBUTES} attributes"));
        }
        let value = attribute.normalized_value(version).map_err(|error| error.to_string())?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Counts one more element or attribute.
fn node(name: QName<'_>, nodes: &mut usize) -> Result<(), String> {
    *nodes += 1;
    if *nodes > MAX_NODES {
        return Err(format!("it has more than {MAX_NODES} elements and attributes"));
    }
    if name.as_ref().len() > LONGEST_NAME {
        return Err(format!("it has a name of more than {LONGEST_NAME} bytes"));
    }
    Ok(())
}

fn close(mut done: Element, open: &mut [Element], root: &mut Option<Element>) {
    if !done.children.is_empty() {
        done.text.clear();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None => *root = Some(done),
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(reference: &str) -> Result<String, String> {
    let number = |digits: &str| match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    let character = match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        other => other.strip_prefix('#').and_then(number).and_then(char::from_u32),
    };
    character.map(String::from).ok_or_else(|| format!("it names the unknown entity {reference}"))
}

/// Writes a document as XML 1.1: Jenkins' own version, and the one that takes control characters as references.
///
/// # Errors
/// Those of writing into memory: none in practice.
pub fn write(root: &Element) -> std::io::Result<String> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.1", Some("UTF-8"), None)))?;
    write_element(&mut writer, root)?;
    String::from_utf8(writer.into_inner()).map_err(std::io::Error::other)
}

fn write_element(writer: &mut Writer<Vec<u8>>, element: &Element) -> std::io::Result<()> {
    let values: Vec<String> = element.attributes.iter().map(|(_, value)| escaped(value)).collect();
    let attributes = element.attributes.iter().zip(&values);
    let start = BytesStart::new(element.name.as_str())
        .with_attributes(attributes.map(|((name, _), value)| Attribute { key: QName(name), value: value.into() }));
    if element.children.is_empty() && element.text.is_empty() {
        return writer.write_event(Event::Empty(start));
    }
    writer.write_event(Event::Start(start))?;
    if element.children.is_empty() {
        writer.write_event(Event::Text(BytesText::from_escaped(escaped(&element.text))))?;
    }
    for child in &element.children {
        write_element(writer, child)?;
    }
    writer.write_event(Event::End(BytesEnd::new(element.name.as_str())))
}

/// Escapes markup, and what XML 1.1 forbids raw or would normalise: control characters and odd line ends.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '\n' | '\t' => out.push(character),
            odd if odd.is_control() || odd == '\u{2028}' => out.push_str(&format!("&#x{:x};", u32::from(odd))),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn hostile_text_comes_back_as_it_went() {
        let rows = [
            ("the end of a CDATA section", "a]]>b<![CDATA["),
            ("markup", "</description><evil a='1'/>&amp;&lt;"),
            ("quotes", "it's \"so\" `too`"),
            ("control characters", "\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}"),
            ("line ends", "a\nb\r\nc\rd\u{2028}e"),
            ("emoji and others beyond the basic plane", "🚀 𝔘 é"),
            ("blanks at both ends", "  x\t"),
            ("Groovy and shell", "${evil} $(rm -rf /) \\"),
        ];
        for (name, text) in rows {
            let root = Element::new("r")
                .with([Element::leaf("t", text).with_attribute("a", &text.replace(['\n', '\t'], " "))]);
            let written = write(&root).unwrap();
            let read = parse(&written).unwrap();
            assert_eq!(read.children[0].text, text, "{name}: {written}");
            assert_eq!(read.children.len(), 1, "{name}");
        }
    }

    #[test]
    fn both_versions_and_forms_are_read_alike() {
        let expected = parse("<a><b>it's</b><c/></a>").unwrap();
        for source in [
            "<?xml version='1.1' encoding='UTF-8'?>\n<a>\n  <b>it&apos;s</b>\n  <c></c>\n</a>",
            "\u{feff}<?xml version=\"1.0\"?><!-- note --><a><b>it&#39;s</b><c/></a>\n",
            "<a><b><![CDATA[it's]]></b><c/></a>",
        ] {
            assert_eq!(parse(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn a_document_of_few_bytes_takes_no_more_memory_for_being_made_of_attributes_or_names() {
        let with = |each: usize, elements: usize| {
            let attributes: String = (0..each).map(|n| format!(" a{n}='1'")).collect();
            format!("<a>{}</a>", format!("<b{attributes}/>").repeat(elements))
        };
        let named = |length: usize| format!("<a><{0} {0}='1'/></a>", "n".repeat(length));
        let nodes = Err("it has more than 20000 elements and attributes".to_owned());
        let rows = [
            ("as many elements as are read", with(0, 19_999), Ok(())),
            ("one element more", with(0, 20_000), nodes.clone()),
            ("as many with their attributes", with(3, 4_999), Ok(())),
            ("few elements with attributes in which the budget ends", with(3, 5_000), nodes),
            ("as many attributes as one element takes", with(100, 100), Ok(())),
            (
                "all attributes in one element",
                with(101, 1),
                Err("it has an element with more than 100 attributes".to_owned()),
            ),
            ("names as long as a class may have", named(1000), Ok(())),
            ("a name that is longer", named(1001), Err("it has a name of more than 1000 bytes".to_owned())),
        ];
        for (name, source, expected) in rows {
            assert_eq!(parse(&source).map(drop), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES));
        for bad in ["", "text", "<a>", "<a></b>", "<a>&nbsp;</a>", "<!DOCTYPE a><a/>", &"<a>".repeat(200), &wide] {
            assert!(parse(bad).is_err(), "{bad:.20}");
        }
        assert_eq!(representable("a\0b\u{ffff}c\u{2028}d"), "a\u{fffd}b\u{fffd}c\nd");
    }
}
