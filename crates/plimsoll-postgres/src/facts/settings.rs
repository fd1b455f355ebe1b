//! The server's settings that say something about its disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_core::instance::Figure;
use plimsoll_core::name;

use super::figure;
use crate::error::VisitError;
use crate::raw_text::RawText;
use crate::session::Session;
use crate::volumes::path_of;

/// Settings by name, with their units; those that the role may not see are missing.
pub(super) struct Settings(Figure<BTreeMap<String, Setting>>);

struct Setting {
    /// As [`name::of_bytes`] writes it: a path need not be UTF-8.
    text: String,
    unit: Option<String>,
}

impl Settings {
    pub(super) async fn read(session: &Session) -> Result<Self, VisitError> {
        Ok(Self(figure(read(session).await)?))
    }

    fn get(&self, name: &str) -> Figure<&Setting> {
        match &self.0 {
            Figure::Known(settings) => settings.get(name).map_or_else(
                || Figure::Absent(format!("the server does not show {name}")),
                Figure::Known,
            ),
            Figure::Absent(reason) => Figure::Absent(reason.clone()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Figure<String> {
        match self.get(name) {
            Figure::Known(setting) => Figure::Known(setting.text.clone()),
            Figure::Absent(reason) => Figure::Absent(reason),
        }
    }

    pub(super) fn bytes(&self, name: &str) -> Figure<u64> {
        match self.get(name) {
            Figure::Known(setting) => setting.bytes().map_or_else(
                || Figure::Absent(format!("the server shows {name} as {}", setting.text)),
                Figure::Known,
            ),
            Figure::Absent(reason) => Figure::Absent(reason),
        }
    }

    /// Where the data directory is, or why that is not known.
    pub(super) fn data_directory(&self) -> Result<PathBuf, String> {
        match &self.0 {
            Figure::Absent(reason) => Err(reason.clone()),
            Figure::Known(settings) => settings
                .get("data_directory")
                .map(|setting| path_of(&setting.text))
                .ok_or_else(|| {
                    "the role needs pg_read_all_settings (in pg_monitor) to see data_directory; or set [[capacity]]"
                        .to_owned()
                }),
        }
    }
}

impl Setting {
    fn bytes(&self) -> Option<u64> {
        let unit = match self.unit.as_deref()? {
            "B" => 1,
            "kB" => 1 << 10,
            "8kB" => 8 << 10,
            "MB" => 1 << 20,
            _ => return None,
        };
        self.text.parse::<u64>().ok()?.checked_mul(unit)
    }
}

async fn read(session: &Session) -> Result<BTreeMap<String, Setting>, VisitError> {
    let mut settings = BTreeMap::new();
    for row in session.rows(include_str!("settings.sql"), &[]).await? {
        let RawText(text) = session.read(&row, "setting")?;
        let setting = Setting {
            text: name::of_bytes(text).into_owned(),
            unit: session.read(&row, "unit")?,
        };
        settings.insert(session.read(&row, "name")?, setting);
    }
    Ok(settings)
}
