//! Against servers of this process that mean no good.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use super::*;

/// Bytes of the file that the servers pretend to have.
const TOTAL: u64 = 100_000;

/// Lets `answer` speak to everyone who connects, with the byte that is asked for; counts the connections.
fn serve(answer: impl Fn(&mut TcpStream, u64) + Send + 'static) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cifar.tar.gz", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU32::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|l| !l.is_empty());
            let range = lines.filter_map(|line| {
                line.to_ascii_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
            });
            let from = range.last().unwrap_or(0);
            answer(&mut stream, from);
        }
    });
    (url, connections)
}

/// Says that the bytes from `from` on of `total` come.
fn head(stream: &mut TcpStream, from: u64, total: u64) {
    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{total}\r\n\r\n",
        total - from,
        total - 1
    );
    let _ = stream.write_all(text.as_bytes());
}

/// As in the program, but for pauses and a wait that is for a test.
fn patience() -> Patience {
    Patience { silence: Duration::from_secs(5), pause: Duration::ZERO, ..Patience::default() }
}

/// Downloads in a thread of its own, so that a download without end fails the test and does not hold it up.
/// Returns the error's words and the bytes that are left.
fn failure(url: &str, patience: Patience) -> (String, u64) {
    let (sender, receiver) = mpsc::channel();
    let url = url.to_owned();
    std::thread::spawn(move || {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let result = Transfer::new(&url, &part, patience, &CancelToken::default(), &mut |_| ()).run();
        let _ = sender.send((format!("{:#}", result.unwrap_err()), length(&part)));
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("the download came to no end")
}

#[test]
fn a_server_that_goes_on_elsewhere_is_asked_again_once() {
    for elsewhere in [0, 1, 299, 301, 90_000] {
        let (url, connections) = serve(move |stream, asked| {
            let from = if asked == 0 { 0 } else { elsewhere };
            if from == 0 && asked > 0 {
                let _ =
                    stream.write_all(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/100000\r\n");
                let _ = stream.write_all(b"Content-Length: 10\r\n\r\n");
            } else {
                head(stream, from, TOTAL);
            }
            let _ = stream.write_all(&[7; 300]);
        });
        let (text, left) = failure(&url, patience());
        let said = format!(
            "asked for the bytes from 300 on, the server sent those from {}",
            with_thousands(elsewhere)
        );
        assert!(text.contains(&said) && text.contains("--url"), "{text}");
        assert_eq!((connections.load(Ordering::Relaxed), left), (4, 0), "{elsewhere}");
    }
}

#[test]
fn a_file_of_another_size_on_the_next_connection_is_begun_again_once() {
    let sizes = AtomicU32::new(0);
    let (url, connections) = serve(move |stream, asked| {
        head(stream, asked, TOTAL + u64::from(sizes.fetch_add(1, Ordering::Relaxed)));
        let _ = stream.write_all(&vec![7; 70_000.min((TOTAL - asked) as usize)]);
    });
    let (text, left) = failure(&url, patience());
    assert!(text.contains("the server's file has 100,003 bytes now, and had 100,002 before"), "{text}");
    assert_eq!((connections.load(Ordering::Relaxed), left), (4, 0));
}

#[test]
fn connections_that_bring_a_byte_each_come_to_an_end() {
    let (url, connections) = serve(|stream, asked| {
        head(stream, asked, TOTAL);
        let _ = stream.write_all(&[7]);
    });
    let (text, left) = failure(&url, patience());
    assert!(text.contains("3 bytes are kept") && text.contains("the same command resumes"), "{text}");
    assert_eq!((connections.load(Ordering::Relaxed), left), (3, 3));
}

/// One that ignores `Range` and sends a little more of the beginning each time, too.
#[test]
fn a_server_that_begins_anew_each_time_comes_to_an_end() {
    let lengths = AtomicU32::new(300);
    let (url, connections) = serve(move |stream, _| {
        head(stream, 0, TOTAL);
        let _ = stream.write_all(&vec![7; lengths.fetch_add(1, Ordering::Relaxed) as usize]);
    });
    let (text, left) = failure(&url, patience());
    assert!(text.contains("302 bytes are kept"), "{text}");
    assert_eq!((connections.load(Ordering::Relaxed), left), (3, 302));
}

#[test]
fn a_server_that_drips_is_cut_off_by_the_least_rate() {
    let (url, connections) = serve(|stream, asked| {
        head(stream, asked, TOTAL);
        let _ = stream.set_nodelay(true);
        while stream.write_all(&[7]).is_ok() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    });
    // A byte each millisecond can never be a million a second, whatever else the machine does.
    let strict = Patience { least_rate: 1_000_000, window: Duration::from_millis(20), ..patience() };
    let (text, _) = failure(&url, strict);
    assert!(text.contains("expected at least 1,000,000 per second"), "{text}");
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

/// The time for all connections together is over: here before the first.
#[test]
fn the_deadline_ends_what_would_go_on_for_ever() {
    let (url, connections) = serve(|_, _| ());
    let late = Patience { least_rate: u64::MAX, window: Duration::ZERO, ..patience() };
    let (text, _) = failure(&url, late);
    assert!(text.contains("the most for its size") && text.contains("the same command resumes"), "{text}");
    assert!(connections.load(Ordering::Relaxed) <= 1);
}

#[test]
fn bytes_beyond_the_file_s_end_are_not_taken() {
    let (url, connections) = serve(|stream, asked| {
        let text = format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {asked}-9/10\r\n\r\n");
        match asked {
            0 => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
            }
            _ => {
                let _ = stream.write_all(text.as_bytes());
                let _ = stream.write_all(&[7; 5000]);
            }
        }
    });
    let (text, left) = failure(&url, patience());
    assert!(text.contains("bytes and more of a file of 10"), "{text}");
    assert_eq!((connections.load(Ordering::Relaxed), left), (4, 0));
}
