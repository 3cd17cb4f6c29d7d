//! The Description of a TimeActivity: the notes, the clock times where they have no fields of their own, and our marker, in this order.

use jiff::{Zoned, tz::TimeZone};
use sha2::{Digest, Sha256};

use crate::{CompanyId, Timecard, TimecardId, timecard::MAX_NOTES};

/// The longest Description, in characters (Intuit's reference of TimeActivity: `max 4000`).
pub const MAX_DESCRIPTION: usize = MAX_NOTES;

/// The alphabet of RFC 4648's base32, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

const MARKER_OPEN: &str = "[tc:";
const MARKER_LENGTH: usize = 13;

/// Our sign at the end of a Description, by which a record whose answer was lost is found again: `[tc:` 8 characters `]`.
///
/// 40 bits of a SHA-256 over company and timecard: always the same for one timecard. Two timecards may share one, so what it finds is
/// compared besides.
pub fn marker(company: &CompanyId, timecard: &TimecardId) -> String {
    // A company id holds no line break, so the two never run together.
    let digest = Sha256::digest(format!("{company}\n{timecard}"));
    let bits = digest.iter().take(5).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let letters = (0..8).rev().map(|place| {
        let index = (bits >> (place * 5)) & 31;
        BASE32.get(usize::try_from(index).unwrap_or(0)).map_or('a', |b| char::from(*b))
    });
    format!("{MARKER_OPEN}{}]", letters.collect::<String>())
}

/// The marker that ends this Description, if one does. Markers elsewhere in it were typed by people.
pub fn marker_at_end(description: &str) -> Option<&str> {
    let description = description.trim_end();
    let marker = description.get(description.len().checked_sub(MARKER_LENGTH)?..)?;
    let letters = marker.strip_prefix(MARKER_OPEN)?.strip_suffix(']')?;
    letters.bytes().all(|b| BASE32.contains(&b)).then_some(marker)
}

/// The shift as the clocks on the wall showed it: `08:00–16:30, break 30 min`. Seconds are shown where there are any, and the zone's
/// abbreviations where the clocks were changed in between, since the times alone would then contradict the hours.
pub(crate) fn clock_times(card: &Timecard, zone: &TimeZone) -> String {
    let start = card.clock_in.to_zoned(zone.clone());
    let end = card.clock_out.to_zoned(zone.clone());
    let seconds = if start.second() == 0 && end.second() == 0 { "" } else { ":%S" };
    let name = if start.offset() == end.offset() { "" } else { " %Z" };
    let format = format!("%H:%M{seconds}{name}");
    let break_text = match card.break_minutes {
        0 => String::new(),
        minutes => format!(", break {minutes} min"),
    };
    format!(
        "{}–{}{}{break_text}",
        start.strftime(&format),
        end.strftime(&format),
        days_later(&start, &end)
    )
}

fn days_later(start: &Zoned, end: &Zoned) -> String {
    match (end.date() - start.date()).get_days() {
        0 => String::new(),
        1 => " (next day)".to_owned(),
        days => format!(" ({days} days later)"),
    }
}

/// Puts the Description together; an empty one is none.
///
/// On failure: how many characters are left for the notes.
pub(crate) fn description(
    notes: &str,
    clock_times: Option<&str>,
    marker: Option<&str>,
) -> Result<Option<String>, usize> {
    let notes = printable(notes);
    let tail = match (clock_times, marker) {
        (Some(times), Some(marker)) => format!("{times} {marker}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => String::new(),
    };
    let text = if notes.is_empty() || tail.is_empty() {
        format!("{notes}{tail}")
    } else {
        format!("{notes}\n{tail}")
    };
    if text.chars().count() > MAX_DESCRIPTION {
        let gap = usize::from(!tail.is_empty());
        return Err(MAX_DESCRIPTION.saturating_sub(tail.chars().count() + gap));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The notes as QuickBooks can keep them: one kind of line break, no other control characters, nothing blank at the ends.
pub(crate) fn printable(notes: &str) -> String {
    let lines = notes.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String =
        lines.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker_of(company: &str, timecard: &str) -> String {
        marker(&company.parse().unwrap(), &timecard.parse().unwrap())
    }

    #[test]
    fn the_marker_of_a_timecard_never_changes() {
        // Written into customers' books: a change here would lose every record that is waiting to be found.
        assert_eq!(marker_of("company-a", "tc-1"), "[tc:dxzt5zxo]");
        assert_ne!(marker_of("company-a", "tc-1"), marker_of("company-b", "tc-1"));
    }

    #[test]
    fn a_marker_counts_only_at_the_end() {
        let ours = marker_of("a", "1");
        assert_eq!(marker_at_end(&format!("notes {ours}")), Some(ours.as_str()));
        assert_eq!(marker_at_end(&format!("notes {ours}\n ")), Some(ours.as_str()));
        assert_eq!(marker_at_end(&format!("{ours} notes")), None);
        assert_eq!(marker_at_end("[tc:ABCDEFGH]"), None);
        assert_eq!(marker_at_end("[tc:abcdefg]"), None);
        assert_eq!(marker_at_end("👷🏽‍♀️👷🏽‍♀️"), None);
        assert_eq!(marker_at_end(""), None);
    }

    #[test]
    fn a_description_fits_to_the_character() {
        let tail = Some("[tc:abcdefgh]");
        let most = MAX_DESCRIPTION - 14;
        let fits = description(&"🚧".repeat(most), None, tail).unwrap().unwrap();
        assert_eq!(fits.chars().count(), MAX_DESCRIPTION);
        assert_eq!(description(&"🚧".repeat(most + 1), None, tail), Err(most));
        assert!(description(&"n".repeat(MAX_DESCRIPTION), None, None).is_ok());
    }

    #[test]
    fn an_empty_description_is_none() {
        assert_eq!(description(" \u{0} \r\n", None, None), Ok(None));
    }

    #[test]
    fn notes_keep_quotes_and_lines_and_lose_control_characters() {
        let notes = "\"Joe's\" crew\r\nsaid:\told pipe\u{0}\u{7}, new \u{1F6B0}\r ";
        assert_eq!(printable(notes), "\"Joe's\" crew\nsaid:\told pipe, new \u{1F6B0}");
    }
}
