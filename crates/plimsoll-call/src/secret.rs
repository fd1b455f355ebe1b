//! Secrets in files, read anew each time, so that what is in them may change.

use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

/// No secret is longer.
const MOST_BYTES: u64 = 64 << 10;

/// What a file holds, without blanks and line ends around it. Errors name the file and nothing of what is in it.
pub fn read_secret(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => format!("{shown} is not text"),
            _ => format!("reading {shown}: {error}"),
        })?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("{shown} is longer than any secret"));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{shown} is empty"));
    }
    Ok(text.to_owned().into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_is_the_text_of_its_file_and_errors_show_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, " s3cret \n").unwrap();
        assert_eq!(read_secret(&file).unwrap().expose_secret(), "s3cret");
        for (content, expect) in [
            (b" \n".to_vec(), "is empty"),
            (b"hush\xff".to_vec(), "is not text"),
            (vec![b'h'; 70_000], "longer"),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = read_secret(&file).unwrap_err();
            assert!(error.contains(expect) && !error.contains("hush"), "{error}");
        }
        let error = read_secret(&folder.path().join("gone")).unwrap_err();
        assert!(error.contains("gone"), "{error}");
    }
}
