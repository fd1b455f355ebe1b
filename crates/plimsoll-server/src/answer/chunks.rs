//! Long answers, written piece by piece: 100,000 tables must not fill the memory.

use serde::Serialize;

/// Pieces are sent when they have grown to about this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Serialises `head`, whose array `field` is empty, with `rows` in the place of that array.
///
/// Gives the text in pieces; only one piece and one row are in memory at a time.
pub fn with_rows<H: Serialize, R: Serialize, I: Iterator<Item = R>>(
    head: &H,
    field: &str,
    rows: I,
) -> Result<
    impl Iterator<Item = Result<Vec<u8>, serde_json::Error>> + use<H, R, I>,
    serde_json::Error,
> {
    let (before, after) = around(head, field)?;
    let mut state = Some((rows, before, after));
    let mut is_first = true;
    Ok(std::iter::from_fn(move || {
        let (mut rows, mut piece, after) = state.take()?;
        while piece.len() < PIECE_BYTES {
            let Some(row) = rows.next() else {
                piece.extend_from_slice(&after);
                return Some(Ok(piece));
            };
            if !std::mem::take(&mut is_first) {
                piece.push(b',');
            }
            if let Err(error) = serde_json::to_writer(&mut piece, &row) {
                return Some(Err(error));
            }
        }
        state = Some((rows, Vec::with_capacity(PIECE_BYTES + 4096), after));
        Some(Ok(piece))
    }))
}

/// The text of `head` before and after the elements of its empty array `field`.
///
/// The marker cannot be part of a string within `head`: there its quotes would be escaped.
pub(crate) fn around(
    head: &impl Serialize,
    field: &str,
) -> Result<(Vec<u8>, Vec<u8>), serde_json::Error> {
    let text = serde_json::to_string(head)?;
    let marker = format!("\"{field}\":[]");
    let Some(at) = text.find(&marker) else {
        return Err(serde::ser::Error::custom(format!(
            "the answer has no empty array `{field}`"
        )));
    };
    let (before, after) = text.split_at(at + marker.len() - 1);
    Ok((before.as_bytes().to_vec(), after.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Head {
        name: String,
        rows: Vec<u32>,
        total: u32,
    }

    #[test]
    fn pieces_together_are_the_whole_answer() {
        let name = "a \"rows\":[] b".to_owned();
        for count in [0, 1, 2, 100_000] {
            let head = Head {
                name: name.clone(),
                rows: vec![],
                total: count,
            };
            let pieces: Vec<_> = with_rows(&head, "rows", 0..count)
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let whole = Head {
                name: name.clone(),
                rows: (0..count).collect(),
                total: count,
            };
            assert_eq!(pieces.concat(), serde_json::to_vec(&whole).unwrap());
            assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 100));
            assert!(count < 100_000 || pieces.len() > 5);
        }
    }
}
