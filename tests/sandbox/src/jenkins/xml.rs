//! XML as Jenkins reads and writes it: a small tree, a strict reader, and a writer with XStream's layout. It shares
//! nothing with the operator's own XML code on purpose: a fault in one of them must show against the other.

use quick_xml::XmlVersion;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// How deep a document may be; Jenkins has no such limit, but no job needs more.
const MAX_DEPTH: usize = 64;

/// An element with its attributes and what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Tag name.
    pub name: String,
    /// Attributes in order.
    pub attributes: Vec<(String, String)>,
    /// Child elements in order. An element with children has no text.
    pub children: Vec<Element>,
    /// The text of an element without children.
    pub text: String,
    /// Whether it is a text, or was sent as a pair of tags: empty, it is written as a pair of tags then.
    pub is_text: bool,
}

impl Element {
    /// An empty element.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element that holds text.
    pub fn leaf(name: &str, text: &str) -> Self {
        Self { text: text.to_owned(), is_text: true, ..Self::new(name) }
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of that name, to change it.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets the text of a child, making it if it is missing.
    pub fn set_child(&mut self, name: &str, text: &str) {
        match self.child_mut(name) {
            Some(child) => *child = Element::leaf(name, text),
            None => self.children.push(Element::leaf(name, text)),
        }
    }

    /// Every element in it, itself first.
    pub fn walk(&self) -> Vec<&Element> {
        let mut all = vec![self];
        for child in &self.children {
            all.extend(child.walk());
        }
        all
    }
}

/// Reads a document. Text beside child elements is dropped, as XStream does.
///
/// # Errors
/// What a strict parser says: unbalanced tags, raw control characters, unknown entities, a DOCTYPE.
pub fn parse(source: &str) -> Result<Element, String> {
    let raw_control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}');
    if let Some(bad) = source.chars().find(|c| raw_control(*c)) {
        return Err(format!("an invalid XML character (Unicode: 0x{:x}) was found", u32::from(bad)));
    }
    let mut version = XmlVersion::Implicit1_0;
    let mut reader = Reader::from_str(source.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Decl(declaration) => version = declaration.xml_version().map_err(|error| error.to_string())?,
            Event::Start(start) => {
                if open.len() >= MAX_DEPTH || (open.is_empty() && root.is_some()) {
                    return Err("markup in the document following the root element must be well-formed".into());
                }
                open.push(Element { is_text: true, ..element(&start, version)? });
            }
            Event::Empty(start) => close(element(&start, version)?, &mut open, &mut root)?,
            Event::End(_) => {
                let done = open.pop().ok_or("an end tag without its start")?;
                close(done, &mut open, &mut root)?;
            }
            Event::Text(text) => append(&mut open, &text.xml_content(version))?,
            Event::CData(text) => append(&mut open, &text.xml_content(version))?,
            Event::GeneralRef(reference) => {
                let text = resolve(&reference, version)?;
                append(&mut open, &text)?;
            }
            Event::DocType(_) => return Err("DOCTYPE is disallowed".into()),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or_else(|| "premature end of file".into()),
            Event::Eof => return Err("XML document structures must start and end within the same entity".into()),
        }
    }
}

fn element(start: &quick_xml::events::BytesStart<'_>, version: XmlVersion) -> Result<Element, String> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(version).map_err(|error| error.to_string())?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

fn close(mut done: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    if !done.children.is_empty() {
        done.text.clear();
        done.is_text = false;
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None if root.is_none() => *root = Some(done),
        None => return Err("more than one root element".into()),
    }
    Ok(())
}

fn append(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("content is not allowed outside the root element".into()),
    }
    Ok(())
}

fn resolve(reference: &str, version: XmlVersion) -> Result<String, String> {
    let character = match reference {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        numeric => {
            let code = match numeric.strip_prefix('#').map(|digits| (digits.strip_prefix('x'), digits)) {
                Some((Some(hex), _)) => u32::from_str_radix(hex, 16).ok(),
                Some((None, decimal)) => decimal.parse().ok(),
                None => None,
            };
            let legal = |code: &u32| match code {
                0 | 0xfffe | 0xffff => false,
                9 | 10 | 13 => true,
                1..=31 => version == XmlVersion::Explicit1_1,
                _ => true,
            };
            let unknown = || format!("the reference &{reference}; is not allowed");
            code.filter(legal).and_then(char::from_u32).ok_or_else(unknown)?
        }
    };
    Ok(character.to_string())
}

/// Writes a document as XStream does: two blanks per level, `<x/>` for an empty object, `<x></x>` for an empty text,
/// entities for both quotes.
pub fn write(root: &Element, declaration: &str) -> String {
    let mut text = declaration.to_owned();
    text.push('\n');
    write_element(root, 0, &mut text);
    text
}

fn write_element(element: &Element, level: usize, out: &mut String) {
    let indent = "  ".repeat(level);
    out.push_str(&format!("{indent}<{}", element.name));
    for (name, value) in &element.attributes {
        out.push_str(&format!(" {name}=\"{}\"", escape(value)));
    }
    if element.children.is_empty() && element.text.is_empty() && !element.is_text {
        out.push_str("/>");
    } else if element.children.is_empty() {
        out.push_str(&format!(">{}</{}>", escape(&element.text), element.name));
    } else {
        out.push_str(">\n");
        for child in &element.children {
            write_element(child, level + 1, out);
            out.push('\n');
        }
        out.push_str(&format!("{indent}</{}>", element.name));
    }
}

/// What XStream's PrettyPrintWriter makes of a text. It leaves U+2028 raw, which a reader of XML 1.1 takes for a line end.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push_str(&format!("&#x{:x};", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A posted document as Java's identity transformation puts it on disk (XMLUtils.safeTransform): the same document with
/// its blanks and comments, but quotes raw, signs beyond the basic plane as references, and nothing as a pair of tags.
///
/// # Errors
/// As [`parse`].
pub fn transformed(source: &str) -> Result<String, String> {
    parse(source)?;
    let mut version = XmlVersion::Implicit1_0;
    let mut reader = Reader::from_str(source.trim_start_matches('\u{feff}'));
    let mut out = String::new();
    let (mut depth, mut open) = (0_usize, false);
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if std::mem::take(&mut open) {
            if let Event::End(_) = event {
                out.push_str("/>");
                depth -= 1;
                continue;
            }
            out.push('>');
        }
        match event {
            Event::Decl(declaration) => version = declaration.xml_version().map_err(|error| error.to_string())?,
            Event::Start(start) => {
                out.push_str(&tag(&element(&start, version)?));
                (depth, open) = (depth + 1, true);
            }
            Event::Empty(start) => out.push_str(&format!("{}/>", tag(&element(&start, version)?))),
            Event::End(end) => {
                out.push_str(&format!("</{}>", end.name().as_ref()));
                depth -= 1;
            }
            Event::Text(text) if depth > 0 => out.push_str(&reference(&text.xml_content(version))),
            Event::CData(text) => out.push_str(&reference(&text.xml_content(version))),
            Event::GeneralRef(name) => out.push_str(&reference(&resolve(&name, version)?)),
            Event::Comment(comment) => out.push_str(&format!("<!--{}-->", &*comment)),
            Event::Eof => break,
            Event::Text(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let number = if version == XmlVersion::Explicit1_1 { "1.1" } else { "1.0" };
    Ok(format!("<?xml version=\"{number}\" encoding=\"UTF-8\"?>{out}"))
}

/// A start tag without its end.
fn tag(element: &Element) -> String {
    let attribute =
        |(name, value): &(String, String)| format!(" {name}=\"{}\"", reference(value).replace('"', "&quot;"));
    format!("<{}{}", element.name, element.attributes.iter().map(attribute).collect::<String>())
}

/// What Java's transformer makes of a text.
fn reference(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\t' => escaped.push(character),
            odd if odd.is_control() || odd == '\u{2028}' || odd > '\u{ffff}' => {
                escaped.push_str(&format!("&#{};", u32::from(odd)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        for text in
            ["]]>", "<a href='x'>\"&amp;", "line\nline\r\nend", "\u{1}\u{1f}", "🚀 \u{85}\u{2029}", "  kept  ", ""]
        {
            let mut root = Element::new("r");
            root.children.push(Element::leaf("t", text));
            let written = write(&root, "<?xml version='1.1' encoding='UTF-8'?>");
            assert_eq!(parse(&written).unwrap(), root, "{text:?}");
        }
    }

    #[test]
    fn a_line_separator_is_written_raw_and_read_as_a_line_break() {
        let root = Element { children: vec![Element::leaf("t", "a\u{2028}b")], ..Element::new("r") };
        let written = write(&root, "<?xml version='1.1' encoding='UTF-8'?>");
        assert!(written.contains("a\u{2028}b"), "{written}");
        assert_eq!(parse(&written).unwrap().child_text("t"), Some("a\nb"));
    }

    #[test]
    fn a_transformer_writes_the_file_in_a_form_of_its_own() {
        let head = "<?xml version=\"1.1\" encoding=\"UTF-8\"?>";
        let rows = [
            ("entities of quotes become signs", "<a><b>it&apos;s &quot;so&quot;</b></a>", "<a><b>it's \"so\"</b></a>"),
            ("signs beyond the basic plane become references", "<a>🚀</a>", "<a>&#128640;</a>"),
            ("others stay", "<a>ü 中</a>", "<a>ü 中</a>"),
            ("a pair of tags around nothing becomes one", "<a><b></b></a>", "<a><b/></a>"),
            (
                "blanks and comments stay",
                "<a>\n  <!-- c -->\n  <b x='1'/>\n</a>",
                "<a>\n  <!-- c -->\n  <b x=\"1\"/>\n</a>",
            ),
            ("markup stays escaped", "<a>&lt;&amp;&gt;</a>", "<a>&lt;&amp;&gt;</a>"),
            ("control characters are references", "<?xml version='1.1'?><a>&#x1;&#13;</a>", "<a>&#1;&#13;</a>"),
        ];
        for (name, posted, expected) in rows {
            let posted =
                if posted.starts_with("<?") { posted.to_owned() } else { format!("<?xml version='1.1'?>{posted}") };
            assert_eq!(transformed(&posted).unwrap(), format!("{head}{expected}"), "{name}");
        }
        assert!(transformed("<a/>").unwrap().starts_with("<?xml version=\"1.0\""), "without a declaration it is 1.0");
    }

    #[test]
    fn what_a_strict_parser_refuses_is_refused() {
        let rows = [
            ("an open tag", "<a><b></a>"),
            ("two roots", "<a/><b/>"),
            ("nothing", ""),
            ("text outside", "<a/>x"),
            ("an unknown entity", "<a>&nbsp;</a>"),
            ("a doctype", "<!DOCTYPE a><a/>"),
            ("a raw control character", "<?xml version='1.1'?><a>\u{1}</a>"),
            ("a control character in XML 1.0", "<?xml version='1.0'?><a>&#1;</a>"),
            ("a zero character", "<?xml version='1.1'?><a>&#0;</a>"),
        ];
        for (name, source) in rows {
            assert!(parse(source).is_err(), "{name}");
        }
    }
}
