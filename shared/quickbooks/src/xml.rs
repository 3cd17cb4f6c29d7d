//! The little XML that Intuit's gateway sends: `<IntuitResponse><Fault type=".."><Error code="..">`.
//!
//! Only that shape is read, from untrusted text: names are searched for, nothing is nested, no
//! entity is defined by the document.

/// One `Error` element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct XmlError {
    pub(crate) code: Option<String>,
    pub(crate) element: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) detail: Option<String>,
}

/// The `Fault` element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct XmlFault {
    pub(crate) fault_type: String,
    pub(crate) errors: Vec<XmlError>,
}

/// Reads the fault, if there is one.
pub(crate) fn fault(text: &str) -> Option<XmlFault> {
    let fault = find(text, "Fault")?;
    let mut errors = Vec::new();
    let mut rest = fault.inside;
    while let Some(error) = find(rest, "Error") {
        errors.push(XmlError {
            code: attribute(error.attributes, "code"),
            element: attribute(error.attributes, "element"),
            message: find(error.inside, "Message").map(|found| content(found.inside)),
            detail: find(error.inside, "Detail").map(|found| content(found.inside)),
        });
        rest = error.after;
    }
    let fault_type = attribute(fault.attributes, "type").unwrap_or_default();
    (!errors.is_empty() || !fault_type.is_empty()).then_some(XmlFault { fault_type, errors })
}

struct Found<'a> {
    attributes: &'a str,
    inside: &'a str,
    after: &'a str,
}

/// The first element of that local name, whatever its prefix.
fn find<'a>(text: &'a str, name: &str) -> Option<Found<'a>> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('<')?;
        let tag = &text[open + 1..];
        let close = tag.find('>')?;
        let head = &tag[..close];
        let full = head.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        from = open + 1;
        if local(full) != name || full.is_empty() {
            continue;
        }
        let attributes = head[full.len()..].trim_end_matches('/');
        let body = &tag[close + 1..];
        if head.ends_with('/') {
            return Some(Found { attributes, inside: "", after: body });
        }
        let end = format!("</{full}>");
        let inside_end = body.find(&end)?;
        let (inside, tail) = body.split_at(inside_end);
        return Some(Found { attributes, inside, after: &tail[end.len()..] });
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((key, tail)) = rest.split_once('=') {
        let tail = tail.trim_start();
        let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = tail[1..].split_once(quote)?;
        if local(key.trim()) == name {
            return Some(unescape(value));
        }
        rest = after;
    }
    None
}

fn content(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>")) {
        Some(verbatim) => verbatim.to_owned(),
        None => unescape(text),
    }
}

/// The five entities that XML itself defines. `&amp;` goes last, so that nothing is decoded twice.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THROTTLED: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
        <IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time="2016-11-01T10:00:00-07:00">
        <Fault type="SERVICE"><Error code="3001" element='a &amp; b'>
        <Message>message=ThrottleExceeded; errorCode=003001; statusCode=429</Message>
        <Detail>The request limit &lt;500&gt; was reached</Detail></Error></Fault></IntuitResponse>"#;

    #[test]
    fn the_throttle_answer_of_the_gateway_is_read() {
        let fault = fault(THROTTLED).unwrap();
        assert_eq!(fault.fault_type, "SERVICE");
        assert_eq!(fault.errors.len(), 1);
        assert_eq!(fault.errors[0].code.as_deref(), Some("3001"));
        assert_eq!(fault.errors[0].element.as_deref(), Some("a & b"));
        assert_eq!(
            fault.errors[0].message.as_deref(),
            Some("message=ThrottleExceeded; errorCode=003001; statusCode=429")
        );
        assert_eq!(fault.errors[0].detail.as_deref(), Some("The request limit <500> was reached"));
    }

    #[test]
    fn prefixes_several_errors_and_cdata_are_read() {
        let text = "<q:Fault type='A'><q:Error code='1'><q:Message><![CDATA[a<b]]></q:Message></q:Error>\
                    <q:Error code='2'/></q:Fault>";
        let fault = fault(text).unwrap();
        assert_eq!(fault.errors.len(), 2);
        assert_eq!(fault.errors[0].message.as_deref(), Some("a<b"));
        assert_eq!(fault.errors[1].code.as_deref(), Some("2"));
    }

    #[test]
    fn html_and_broken_xml_hold_no_fault() {
        for text in ["<html><body>503</body></html>", "<Fault", "<Fault>", "", "Fault", "<>"] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_reader(text in "[<>/=\"' a-zFaultError&;:é]{0,120}") {
            let _ = fault(&text);
            let _ = fault(&format!("<Fault type=\"{text}\"><Error code='{text}'>{text}</Error></Fault>"));
        }
    }
}
