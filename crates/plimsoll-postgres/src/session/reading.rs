//! Reads the columns of an answer: values by their types, and text by the encoding that it is in.

use std::borrow::Cow;

use plimsoll_core::Oid;
use tokio_postgres::Row;
use tokio_postgres::row::RowIndex;
use tokio_postgres::types::FromSql;

use super::Session;
use crate::encoding::{Encoding, shown_apart};
use crate::error::VisitError;
use crate::raw_text::RawText;

impl Session {
    /// A column of a row, by name or position.
    pub fn read<'a, T, I>(&self, row: &'a Row, column: I) -> Result<T, VisitError>
    where
        T: FromSql<'a>,
        I: RowIndex + std::fmt::Display,
    {
        row.try_get(column)
            .map_err(|error| self.error_context("reading an answer").error(&error))
    }

    /// A column with text of this database's own, such as a relation's name.
    pub(crate) fn text<'a, I>(&self, row: &'a Row, column: I) -> Result<Cow<'a, str>, VisitError>
    where
        I: RowIndex + std::fmt::Display,
    {
        let RawText(bytes) = self.read(row, column)?;
        Ok(self.encoding.text(bytes))
    }

    /// A column with text that all databases share, such as a role's name or a setting.
    pub(crate) fn shared_text<I>(&self, row: &Row, column: I) -> Result<String, VisitError>
    where
        I: RowIndex + std::fmt::Display,
    {
        let RawText(bytes) = self.read(row, column)?;
        Ok(self.server_encoding.shared(bytes).into_owned())
    }

    /// As [`Self::shared_text`], where there may be none.
    pub(crate) fn shared_text_if<I>(
        &self,
        row: &Row,
        column: I,
    ) -> Result<Option<String>, VisitError>
    where
        I: RowIndex + std::fmt::Display,
    {
        let text: Option<RawText<'_>> = self.read(row, column)?;
        Ok(text.map(|RawText(bytes)| self.server_encoding.shared(bytes).into_owned()))
    }

    /// Of names that all databases share, that of the server's encoding where no other is known.
    pub(crate) const fn server_encoding(&self) -> Encoding {
        self.server_encoding
    }

    /// Every database's OID, with its name in bytes and as it is shown.
    pub(crate) async fn database_names(&self) -> Result<Vec<(Oid, Vec<u8>, String)>, VisitError> {
        let (mut oids, mut names) = (Vec::new(), Vec::new());
        for row in self.rows(include_str!("databases.sql"), &[]).await? {
            let RawText(name) = self.read(&row, "name")?;
            oids.push(self.read(&row, "oid")?);
            let encoding = Encoding::named(&self.shared_text(&row, "encoding")?);
            names.push((name.to_vec(), encoding));
        }
        let shown = shown_apart(&names);
        let names = oids.into_iter().zip(names).zip(shown);
        Ok(names
            .map(|((oid, (bytes, _)), shown)| (oid, bytes, shown))
            .collect())
    }

    /// As [`Self::database_names`] shows it; the others are asked for only where they may matter.
    pub(super) async fn database_name(
        &self,
        RawText(bytes): RawText<'_>,
    ) -> Result<String, VisitError> {
        if std::str::from_utf8(bytes).is_err() {
            let names = self.database_names().await?;
            if let Some((_, _, shown)) = names
                .into_iter()
                .find(|(oid, ..)| *oid == self.database_oid)
            {
                return Ok(shown);
            }
        }
        Ok(plimsoll_core::name::of_bytes(bytes).into_owned())
    }
}
