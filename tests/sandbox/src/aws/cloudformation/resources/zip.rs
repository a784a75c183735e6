//! A zip archive of one uncompressed file: what CloudFormation makes of a function's inline code before it
//! hands it to Lambda. Written here because nothing else needs more of the format.

/// The archive with `text` as the file `name`.
pub(super) fn archive(name: &str, text: &str) -> Vec<u8> {
    let (data, sum) = (text.as_bytes(), checksum(text.as_bytes()));
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    // Version 2.0, no flags, stored, 1980-01-01 00:00.
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend(sum.to_le_bytes());
    common.extend(length);
    common.extend(length);
    common.extend(name_length);
    common.extend([0, 0]);

    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&common);
    zip.extend(name.as_bytes());
    zip.extend(data);
    let directory = zip.len();
    zip.extend(b"PK\x01\x02\x14\x03");
    zip.extend(&common);
    // No comment, disk 0, no internal attributes, mode 0644, local header at 0.
    zip.extend([0; 6]);
    zip.extend((0o100_644_u32 << 16).to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(name.as_bytes());
    let size = zip.len() - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    zip.extend(u32::try_from(directory).unwrap_or(u32::MAX).to_le_bytes());
    zip.extend([0, 0]);
    zip
}

/// CRC-32 as zip uses it.
fn checksum(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn python_reads_the_archive() {
        let file = std::env::temp_dir().join(format!("mlops-sandbox-{}.zip", std::process::id()));
        std::fs::write(&file, archive("index.py", "x = 1\n")).unwrap();
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.namelist(), z.read('index.py'))";
        let output = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "['index.py'] b'x = 1\\n'");
    }
}
