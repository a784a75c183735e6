//! The archives that the operator carries: the same files give the same bytes, and nothing that a tool left behind gets
//! into them. It packs with the very code that the build uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, unreachable_pub)]

#[path = "../../build.rs"]
mod build;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use mlops_operator::crd::identifiers::Sha256;
use mlops_operator::domain::project::RepositoryRole;
use mlops_operator::templates::archives::{Archive, BOOTSTRAP};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn bundled(name: &str) -> &'static Archive {
    let role = RepositoryRole::ALL.into_iter().find(|role| role.name() == name);
    role.map_or(&*BOOTSTRAP, RepositoryRole::bundled_archive)
}

/// Names, modes and contents.
fn unpacked(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let entry = |n| {
        let mut file = zip.by_index(n).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().to_owned(), (file.unix_mode().unwrap() & 0o777, content))
    };
    (0..zip::ZipArchive::new(Cursor::new(archive)).unwrap().len()).map(entry).collect()
}

/// A folder of this test alone.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn the_archives_are_packed_again_to_the_same_bytes() {
    for (name, from) in build::ARCHIVES {
        let (first, second) = (build::pack(&root().join(from)).unwrap(), build::pack(&root().join(from)).unwrap());
        assert_eq!(Sha256::of(&first), Sha256::of(&second), "{name}");
        assert_eq!(Sha256::of(&first), bundled(name).sha256, "{name} is what the operator carries");
        assert!(
            first.len() < 2 << 20,
            "{name} has {} bytes: is something in it that does not belong there?",
            first.len()
        );
    }
}

#[test]
fn each_archive_holds_what_it_is_for() {
    for (name, from) in build::ARCHIVES {
        let files = unpacked(bundled(name).body);
        let needed: &[&str] = if name == "bootstrap" {
            &["buildspec.yml", "check_in.py"]
        } else {
            &["README.md", "jenkins/Jenkinsfile", "jenkins/seed_job.groovy"]
        };
        for file in needed {
            assert!(files.contains_key(*file), "{from} has no {file}: {:?}", files.keys());
        }
    }
}

#[test]
fn the_bytes_follow_from_names_and_contents_alone() {
    let (one, other) = (scratch("packed-one"), scratch("packed-other"));
    let files =
        [("b.py", "print(2)\n"), ("a/run", "#!/bin/sh\n"), ("a.txt", "ä"), (".gitignore", "*.pyc\n"), ("empty", "")];
    files.iter().for_each(|(name, content)| write(&one, name, content));
    files.iter().rev().for_each(|(name, content)| write(&other, name, content));
    let earlier = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24 * 365 * 40);
    std::fs::File::options().write(true).open(other.join("b.py")).unwrap().set_modified(earlier).unwrap();
    std::fs::set_permissions(other.join("b.py"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (packed, again) = (build::pack(&one).unwrap(), build::pack(&other).unwrap());
    assert_eq!(packed, again);
    let modes: Vec<(String, u32)> = unpacked(&packed).into_iter().map(|(name, (mode, _))| (name, mode)).collect();
    let wanted = [(".gitignore", 0o644), ("a.txt", 0o644), ("a/run", 0o755), ("b.py", 0o644), ("empty", 0o644)];
    assert_eq!(modes, wanted.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn what_tools_leave_behind_stays_out() {
    let folder = scratch("packed-strays");
    write(&folder, "pipelines/train.py", "x = 1\n");
    let clean = build::pack(&folder).unwrap();
    let strays = [
        "pipelines/__pycache__/train.cpython-311.pyc",
        "pipelines/train.pyc",
        ".pytest_cache/README.md",
        "taxi.egg-info/PKG-INFO",
        "build/lib/pipelines/train.py",
        "dist/taxi-0.1.0.tar.gz",
        ".venv/bin/python",
    ];
    strays.iter().for_each(|name| write(&folder, name, "stray"));
    assert_eq!(build::pack(&folder).unwrap(), clean);
}

#[test]
fn what_cannot_be_packed_is_named() {
    let folder = scratch("packed-wrong");
    assert!(build::pack(&folder).unwrap_err().contains("holds no file"));
    assert!(build::pack(&folder.join("missing")).unwrap_err().contains("missing"));
    std::os::unix::fs::symlink("/etc/hostname", folder.join("link")).unwrap();
    assert!(build::pack(&folder).unwrap_err().contains("link is neither a file nor a folder"));
}
