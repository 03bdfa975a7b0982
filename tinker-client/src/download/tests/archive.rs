//! Checkpoints that come as an archive.

use tar::{EntryType, Header};

use super::*;

/// Kind, name and content.
type Entry<'a> = (EntryType, &'a str, &'a [u8]);

fn tar_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = Header::new_gnu();
        // Past the checks of the crate, as a hostile server would.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("../outside").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;

async fn fetch_archive(server: &Server, target: &Path) -> Result<Downloaded, Error> {
    let path = "tinker://s:train:0/weights/a".parse().unwrap();
    let checkpoints = server.checkpoints();
    let options = DownloadOptions::default();
    checkpoints.download(&path, target, options).await
}

#[tokio::test(start_paused = true)]
async fn an_archive_is_unpacked_also_after_it_broke_off() {
    let large = bytes(5000);
    let tar = tar_of(&[
        (EntryType::Directory, "./", b""),
        (FILE, "./b.bin", &large),
        (EntryType::Directory, "c", b""),
        (FILE, "c/x", b"x"),
        (FILE, "a.json", b"{}"),
    ]);
    let server = Server::with(&[("a.tar", tar.clone())]);
    server.state(|state| {
        state.breaks = vec![3000, 0, tar.len()];
        state.valid_from = 2;
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("weights");
    let downloaded = fetch_archive(&server, &target).await.unwrap();
    assert_eq!(downloaded.files, ["a.json", "b.bin", "c/x"]);
    assert_eq!(
        (downloaded.bytes, downloaded.folder),
        (5003, target.clone())
    );
    assert_eq!(fs::read(target.join("b.bin")).unwrap(), large);
    assert_eq!(fs::read(target.join("c/x")).unwrap(), b"x");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no parts are left"
    );
    assert_eq!(fs::read_dir(&target).unwrap().count(), 3);
    let ranges = server.state(|state| state.ranges.clone());
    assert!(
        ranges.contains(&Some("bytes=3000-".to_owned())),
        "{ranges:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_in_an_archive_leads_out_of_the_folder() {
    let long = vec![b'x'; 70 << 10];
    let cases: [(&str, &[Entry<'_>], &str); 12] = [
        (
            "upwards",
            &[(FILE, "../escaped", b"x")],
            "would leave the folder",
        ),
        (
            "from the root",
            &[(FILE, "/tmp/escaped", b"x")],
            "would leave the folder",
        ),
        (
            "upwards within",
            &[(FILE, "a/../../escaped", b"x")],
            "would leave the folder",
        ),
        (
            "a folder upwards",
            &[(EntryType::Directory, "../d", b"")],
            "would leave the folder",
        ),
        (
            "a drive",
            &[(FILE, "c:\\escaped", b"x")],
            "would leave the folder",
        ),
        (
            "a link",
            &[(EntryType::Symlink, "l", b""), (FILE, "l/x", b"x")],
            "not a plain file",
        ),
        (
            "a hard link",
            &[(EntryType::Link, "l", b"")],
            "not a plain file",
        ),
        (
            "a device",
            &[(EntryType::Char, "d", b"")],
            "not a plain file",
        ),
        (
            "twice",
            &[(FILE, "x", b"1"), (FILE, "x", b"2")],
            "cannot be written",
        ),
        (
            "a file as folder",
            &[(FILE, "x", b"1"), (FILE, "x/y", b"2")],
            "cannot be created",
        ),
        (
            "an endless name",
            &[(EntryType::GNULongName, "x", &long)],
            "overlong name",
        ),
        ("nothing", &[], "has no files"),
    ];
    for (case, entries, message) in cases {
        let server = Server::with(&[("a.tar", tar_of(entries))]);
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let error = fetch_archive(&server, &inner.join("weights")).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{case}: {error}");
        assert!(!inner.join("weights").exists(), "{case}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{case}");
        assert!(!Path::new("/tmp/escaped").exists(), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_archive_is_thrown_away() {
    let whole = tar_of(&[(FILE, "x", &bytes(2000))]);
    for bytes in [bytes(2000), whole[..1024].to_vec(), Vec::new()] {
        let server = Server::with(&[("a.tar", bytes)]);
        let folder = tempfile::tempdir().unwrap();
        let error = fetch_archive(&server, &folder.path().join("weights")).await;
        let error = error.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{error}");
    }
}
