//! Against servers of this process.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};

use super::*;

const FOLDER: &str = "cifar-10-batches-bin";

/// A small CIFAR-10: 3 train and 2 test images.
fn small_set() -> Vec<(String, Vec<u8>)> {
    let records = |labels: &[u8]| labels.iter().flat_map(|&l| [&[l][..], &[l * 3; 3072]].concat()).collect();
    vec![
        (format!("{FOLDER}/data_batch_1.bin"), records(&[1, 2, 3])),
        (format!("{FOLDER}/test_batch.bin"), records(&[4, 5])),
    ]
}

fn header(name: &str, size: usize, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    // Written by hand, since `set_path` refuses what some of these tests need.
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

/// Packs files stored (not deflated), so that the archive is long enough to be cut.
fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (name, bytes) in files {
        tar.append(&header(name, bytes.len(), tar::EntryType::Regular), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn request(out: &Path, url: String, archive: &[u8]) -> Request {
    let md5 = Some(hex(&Md5::digest(archive)));
    let patience = Patience { silence: Duration::from_secs(5), ..Patience::default() };
    Request { url: Some(url), md5, patience, ..Request::new(Variant::Cifar10, out.to_path_buf()) }
}

fn run(request: &Request) -> Result<Fetched> {
    get(request, &CancelToken::default(), &mut |_| ())
}

/// What the server was asked for: the `Range` header of each request.
type AskedRanges = Arc<Mutex<Vec<Option<String>>>>;

/// Serves `archive` for as long as the test runs, with or without knowing `Range`.
fn serve(archive: Vec<u8>, knows_range: bool) -> (String, AskedRanges) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cifar.tar.gz", server.server_addr().to_ip().unwrap());
    let asked = AskedRanges::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for call in server.incoming_requests() {
            let range = call.headers().iter().find(|h| h.field.equiv("Range")).map(|h| h.value.to_string());
            log.lock().unwrap().push(range.clone());
            let start = range
                .filter(|_| knows_range)
                .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            let total = archive.len();
            let (status, text, body) = match start {
                None => (200, None, &archive[..]),
                Some(start) if start < total => {
                    (206, Some(format!("bytes {start}-{}/{total}", total - 1)), &archive[start..])
                }
                Some(_) => (416, Some(format!("bytes */{total}")), &[][..]),
            };
            let mut response = tiny_http::Response::from_data(body).with_status_code(status);
            if let Some(text) = text {
                response.add_header(tiny_http::Header::from_bytes("Content-Range", text).unwrap());
            }
            let _ = call.respond(response);
        }
    });
    (url, asked)
}

#[test]
fn an_archive_is_fetched_checked_unpacked_and_not_fetched_again() {
    let archive = packed(&small_set());
    let (url, asked) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let request = request(&dir.path().join("new"), url, &archive);
    let mut reports = Vec::new();
    let fetched = get(&request, &CancelToken::default(), &mut |p| reports.push((p.done, p.total))).unwrap();
    assert_eq!(fetched, Fetched { path: request.target(), images: 5, already_there: false });
    assert_eq!(reports.last(), Some(&(archive.len() as u64, archive.len() as u64)));
    let left: Vec<_> = fs::read_dir(&request.out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [FOLDER]);
    assert!(run(&request).unwrap().already_there);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_partial_download_is_resumed_where_it_ended() {
    let archive = packed(&small_set());
    let (url, asked) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), url, &archive);
    fs::write(request.part(), &archive[..7000]).unwrap();
    let mut first = None;
    get(&request, &CancelToken::default(), &mut |p| first = first.or(Some((p.done, p.resumed)))).unwrap();
    assert_eq!(first, Some((7000, 7000)));
    assert_eq!(*asked.lock().unwrap(), [Some("bytes=7000-".to_string())]);
}

#[test]
fn a_whole_part_is_used_and_a_too_long_one_is_fetched_anew() {
    let archive = packed(&small_set());
    let (url, asked) = serve(archive.clone(), true);
    for extra in [0, 9] {
        let dir = tempfile::tempdir().unwrap();
        let request = request(dir.path(), url.clone(), &archive);
        fs::write(request.part(), [&archive[..], &vec![0; extra]].concat()).unwrap();
        assert_eq!(run(&request).unwrap().images, 5);
    }
    assert_eq!(asked.lock().unwrap().iter().filter(|range| range.is_none()).count(), 1);
}

#[test]
fn a_server_without_ranges_and_a_part_of_another_file_lead_to_a_fresh_start() {
    let archive = packed(&small_set());
    for knows_range in [false, true] {
        let (url, _) = serve(archive.clone(), knows_range);
        let dir = tempfile::tempdir().unwrap();
        let request = request(dir.path(), url, &archive);
        fs::write(request.part(), vec![b'?'; 5000]).unwrap();
        assert_eq!(run(&request).unwrap().images, 5);
    }
}

/// Serves ranges, but cuts each connection after `piece` bytes.
fn serve_in_pieces(archive: Vec<u8>, piece: usize) -> (String, AskedRanges) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cifar.tar.gz", listener.local_addr().unwrap());
    let asked = AskedRanges::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let range = lines
                .iter()
                .find_map(|l| l.to_ascii_lowercase().strip_prefix("range: bytes=").map(String::from));
            let start: usize = range.as_ref().and_then(|r| r.strip_suffix('-')?.parse().ok()).unwrap_or(0);
            log.lock().unwrap().push(range);
            let total = archive.len();
            let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\n\r\n",
                total - start,
                total - 1
            );
            let body = &archive[start..total.min(start + piece)];
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    (url, asked)
}

#[test]
fn a_connection_that_is_cut_again_and_again_still_brings_the_archive() {
    let archive = packed(&small_set());
    let (url, asked) = serve_in_pieces(archive.clone(), archive.len() / 3 + 1);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&request(dir.path(), url, &archive)).unwrap().images, 5);
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn a_server_that_brings_nothing_more_is_given_up_and_the_piece_is_kept() {
    let archive = packed(&small_set());
    let (url, _) = serve_in_pieces(archive.clone(), 0);
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), url, &archive);
    fs::write(request.part(), &archive[..4000]).unwrap();
    let text = format!("{:#}", run(&request).unwrap_err());
    assert!(text.contains("4,000 bytes are kept") && text.contains("the same command resumes"), "{text}");
    assert_eq!(fs::read(request.part()).unwrap(), archive[..4000]);
}

#[test]
fn a_silent_server_does_not_hang_the_download() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path(), url, b"");
    request.patience.silence = Duration::from_millis(200);
    let started = Instant::now();
    assert!(run(&request).is_err());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_wrong_checksum_says_both_and_deletes_the_file() {
    let archive = packed(&small_set());
    let (url, _) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path(), url, &archive);
    let found = request.md5.take().unwrap();
    let text = format!("{:#}", run(&request).unwrap_err());
    assert!(text.contains(&found) && text.contains("expected c32a1d4ab5d03f1284b67883e8d87530"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// The error that an archive with one more entry gives; nothing may be left.
fn refused(extra: tar::Header, bytes: &[u8]) -> String {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in small_set() {
        tar.append(&header(&name, bytes.len(), tar::EntryType::Regular), bytes.as_slice()).unwrap();
    }
    tar.append(&extra, bytes).unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let (url, _) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let request = request(&dir.path().join("out"), url, &archive);
    let text = format!("{:#}", run(&request).unwrap_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&request.out).unwrap().count(), 0, "the refused archive is no use");
    text
}

#[test]
fn an_archive_that_reaches_outside_or_holds_something_else_is_refused() {
    use tar::EntryType::{Regular, Symlink};
    for name in ["../evil.bin", "/evil.bin", "cifar-10-batches-bin/../../evil.bin"] {
        assert!(refused(header(name, 1, Regular), b"x").contains("leads out of its folder"), "{name}");
    }
    for name in ["cifar-10-batches-bin/run.sh", "other/test_batch.bin", "test_batch.bin"] {
        assert!(refused(header(name, 1, Regular), b"x").contains("unexpected entry"), "{name}");
    }
    let mut link = header("cifar-10-batches-bin/readme.html", 0, Symlink);
    link.set_link_name("/etc/passwd").unwrap();
    link.set_cksum();
    assert!(refused(link, b"").contains("unexpected entry"));
    let twice = header("cifar-10-batches-bin/test_batch.bin", 1, Regular);
    assert!(refused(twice, b"x").contains("comes twice"));
}

#[test]
fn an_oversized_entry_is_refused_by_its_header() {
    let huge = header("cifar-10-batches-bin/readme.html", 300_000_000, tar::EntryType::Regular);
    assert!(refused(huge, b"x").contains("has 300000000 bytes; expected at most 1048576"));
    let huge = header("cifar-10-batches-bin/data_batch_2.bin", 300_000_000, tar::EntryType::Regular);
    assert!(refused(huge, b"x").contains("expected at most 200000000"));
}

#[test]
fn a_cancelled_download_stops_and_keeps_its_piece() {
    let archive = packed(&small_set());
    let (url, _) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), url, &archive);
    fs::write(request.part(), &archive[..100]).unwrap();
    let cancel = CancelToken::default();
    cancel.cancel();
    let error = get(&request, &cancel, &mut |_| ()).unwrap_err();
    assert!(error.is::<Cancelled>());
    assert_eq!(fs::metadata(request.part()).unwrap().len(), 100);
}

#[test]
fn a_folder_that_is_there_but_not_whole_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), "http://127.0.0.1:9/".into(), b"");
    fs::create_dir(request.target()).unwrap();
    let text = format!("{:#}", run(&request).unwrap_err());
    assert!(text.contains("is there but not whole"), "{text}");
}

#[test]
fn what_a_call_left_that_was_killed_at_its_end_goes_with_the_next() {
    let archive = packed(&small_set());
    let (url, _) = serve(archive.clone(), true);
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), url, &archive);
    run(&request).unwrap();
    fs::write(request.part(), &archive).unwrap();
    fs::create_dir(dir.path().join(".unpacking-Ab12")).unwrap();
    assert!(run(&request).unwrap().already_there);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [FOLDER]);
}
