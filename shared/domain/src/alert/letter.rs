//! A letter as data, and its two forms: plain text and HTML. Both say the same.

use std::fmt::Write as _;

/// A mail, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line without control characters.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML: a whole document that loads nothing.
    pub html: String,
}

/// What a letter says. All texts are plain; [`Letter::render`] escapes them.
pub(super) struct Letter {
    pub(super) subject: String,
    /// Why this reader gets it, where that needs a word before all others.
    pub(super) note: Option<String>,
    pub(super) opening: String,
    pub(super) sections: Vec<Section>,
    pub(super) footer: String,
}

/// A heading and what stands under it.
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) paragraphs: Vec<String>,
    /// A button after the paragraphs: its label and its address.
    pub(super) button: Option<(&'static str, String)>,
}

impl Section {
    pub(super) fn new(heading: &'static str, paragraphs: Vec<String>) -> Self {
        Self { heading, paragraphs, button: None }
    }

    pub(super) fn with_button(mut self, label: &'static str, url: &str) -> Self {
        self.button = Some((label, url.to_owned()));
        self
    }
}

const BODY: &str = "margin:0;padding:24px 12px;background:#f3f4f6;color:#1b1f24;\
    font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const SHEET: &str = "max-width:560px;margin:0 auto;padding:28px 32px;background:#ffffff;\
    border:1px solid #d9dde3;border-radius:8px;overflow-wrap:anywhere";
const NOTE: &str =
    "margin:0 0 20px;padding:12px 16px;background:#fff6db;border-left:4px solid #c98a00";
const TITLE: &str = "margin:0 0 16px;font-size:22px;line-height:1.3";
const HEADING: &str = "margin:24px 0 4px;font-size:16px";
const PARAGRAPH: &str = "margin:0 0 12px";
const BUTTON: &str = "display:inline-block;padding:12px 22px;border-radius:6px;background:#1f6f2b;\
    color:#ffffff;font-weight:bold;text-decoration:none";
const SMALL: &str = "margin:8px 0 12px;font-size:14px;color:#4a5260";
const FOOTER: &str =
    "margin:28px 0 0;padding-top:16px;border-top:1px solid #d9dde3;font-size:14px;color:#4a5260";

impl Letter {
    /// The mail.
    pub(super) fn render(&self) -> Mail {
        Mail { subject: self.subject.clone(), text: self.text(), html: self.html() }
    }

    fn text(&self) -> String {
        let mut parts: Vec<String> = self.note.iter().cloned().collect();
        parts.push("Hello,".to_owned());
        parts.push(self.opening.clone());
        for section in &self.sections {
            let first = section.paragraphs.first().map_or("", String::as_str);
            parts.push(format!("{}\n{first}", section.heading.to_uppercase()));
            parts.extend(section.paragraphs.iter().skip(1).cloned());
            if let Some((label, url)) = &section.button {
                parts.push(format!("{label}:\n{url}"));
            }
        }
        parts.push(format!("--\n{}", self.footer));
        parts.join("\n\n") + "\n"
    }

    fn html(&self) -> String {
        let subject = escaped(&self.subject);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{subject}</title></head>\n<body style=\"{BODY}\"><div style=\"{SHEET}\">\n"
        );
        if let Some(note) = &self.note {
            element(&mut html, "p", NOTE, note);
        }
        element(&mut html, "h1", TITLE, &self.subject);
        element(&mut html, "p", PARAGRAPH, "Hello,");
        element(&mut html, "p", PARAGRAPH, &self.opening);
        for section in &self.sections {
            element(&mut html, "h2", HEADING, section.heading);
            for paragraph in &section.paragraphs {
                element(&mut html, "p", PARAGRAPH, paragraph);
            }
            if let Some((label, url)) = &section.button {
                let (label, url) = (escaped(label), escaped(url));
                let _ = writeln!(
                    html,
                    "<p style=\"margin:16px 0\"><a href=\"{url}\" style=\"{BUTTON}\">{label}</a></p>\n\
                     <p style=\"{SMALL}\">If the button does not work, open this address: \
                     <a href=\"{url}\" style=\"color:#1f6f2b\">{url}</a></p>"
                );
            }
        }
        element(&mut html, "p", FOOTER, &self.footer);
        html.push_str("</div></body></html>\n");
        html
    }
}

fn element(html: &mut String, tag: &str, style: &str, text: &str) {
    let _ = writeln!(html, "<{tag} style=\"{style}\">{}</{tag}>", escaped(text));
}

/// A text as it stands in HTML, also between quotes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn every_character_that_html_reads_is_escaped_and_no_other() {
        assert_eq!(
            escaped("<b>O'Brien & Söhne 🚧</b>\" &lt;"),
            "&lt;b&gt;O&#39;Brien &amp; Söhne 🚧&lt;/b&gt;&quot; &amp;lt;"
        );
    }
}
