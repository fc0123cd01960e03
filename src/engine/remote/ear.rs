//! What the window hears of an engine elsewhere, on a thread of its own.

use std::io::Read;

use anyhow::Context;
use crossbeam_channel::Sender;

use super::hello::{Hello, OtherBuild};
use super::messages::{BULK, HEARD, PONG, REFUSAL, TO_WINDOW, URGENT};
use super::pieces::read_update;
use crate::engine::ask::{EngineLine, Event};
use crate::wire::{Assembly, WireFrame, WirePool, read_frame};

/// How a connection ended.
pub enum LinkEnd {
    /// The window is gone.
    Closed,
    /// The other end is no bagssl of this version.
    Refused(String),
    /// It broke.
    Lost(String),
}

/// What the thread that listens hands on.
pub enum NearHeard {
    /// The other end has said what it is, and that fits.
    Greeted,
    /// So many bytes came since.
    Bytes(u64),
    /// An answer to the question that was asked at that time, in nanoseconds of this connection.
    Pong(u64),
    /// Something happened over there; it is on show already.
    Event(Event),
    /// Nothing comes any more.
    End(LinkEnd),
}

/// Shows what comes until nothing more does, and says why.
pub fn listen(
    mut output: impl Read,
    line: &EngineLine,
    answers: &Sender<Vec<u8>>,
    to_link: &Sender<NearHeard>,
) -> LinkEnd {
    match Hello::read(&mut output) {
        Ok(hello) => {
            if let Some(why) = hello.obstacle() {
                return LinkEnd::Refused(why);
            }
        }
        // A login that fails today may work later.
        Err(error) => return LinkEnd::Lost(format!("{error:#}")),
    }
    drop(to_link.send(NearHeard::Greeted));
    match hear(&mut output, line, answers, to_link) {
        Ok(()) => LinkEnd::Lost(String::new()),
        // It would say the same again.
        Err(error) if error.is::<OtherBuild>() => LinkEnd::Refused(format!("{error:#}")),
        Err(error) => LinkEnd::Lost(format!("{error:#}")),
    }
}

fn hear(
    output: &mut impl Read,
    line: &EngineLine,
    answers: &Sender<Vec<u8>>,
    to_link: &Sender<NearHeard>,
) -> anyhow::Result<()> {
    let (mut assembly, mut total) = (Assembly::<TO_WINDOW>::default(), 0u64);
    let mut pools = [WirePool::default(), WirePool::default()];
    while let Some(frame) = read_frame(output)? {
        let bytes = frame.to_bytes().len() as u64;
        total += bytes;
        let heard = WireFrame::whole(HEARD, total.to_le_bytes().to_vec());
        let _ = answers.send(heard.to_bytes());
        let _ = to_link.send(NearHeard::Bytes(bytes));
        let Some(whole) = assembly.take(frame)? else { continue };
        match whole.kind {
            URGENT | BULK => {
                let update =
                    read_update(&whole.bytes, &mut pools[usize::from(whole.kind)], &line.snapshot())?;
                if !update.pieces.is_empty() {
                    line.update(|shown| update.pieces.into_iter().for_each(|piece| piece.show(shown)));
                }
                for event in update.events {
                    if matches!(event, Event::DataOpened | Event::BankOpened { .. }) {
                        let _ = to_link.send(NearHeard::Event(event.clone()));
                    }
                    line.emit(event);
                }
            }
            PONG => {
                let asked = whole.bytes.try_into().ok().context("an answer has 8 bytes")?;
                let _ = to_link.send(NearHeard::Pong(u64::from_le_bytes(asked)));
            }
            REFUSAL => return Err(OtherBuild(String::from_utf8_lossy(&whole.bytes).into_owned()).into()),
            other => anyhow::bail!("nothing is of kind {other}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::line;
    use crate::wire::pack;

    /// How a connection ends over which a greeting and this come.
    fn end_of(frames: &[WireFrame]) -> LinkEnd {
        let (_engine, line) = line(|| {});
        let ((answers, _answered), (to_link, _linked)) =
            (crossbeam_channel::unbounded(), crossbeam_channel::unbounded());
        let mut bytes = vec![];
        Hello::own().write(&mut bytes).unwrap();
        frames.iter().for_each(|frame| bytes.extend(frame.to_bytes()));
        listen(&bytes[..], &line, &answers, &to_link)
    }

    #[test]
    fn another_build_of_the_version_is_refused_in_words_and_not_asked_again() {
        let unknown = pack(&[("pieces", ["of something else"])], &mut WirePool::default()).unwrap();
        let refusal = WireFrame::whole(REFUSAL, b"unknown variant `Dance`".to_vec());
        for (frame, what) in [(WireFrame::whole(URGENT, unknown), "makes no sense"), (refusal, "`Dance`")] {
            let LinkEnd::Refused(why) = end_of(&[frame]) else { panic!("{what}: it is not refused") };
            assert!(why.contains("another build of the same version") && why.contains(what), "{why}");
        }
        assert!(matches!(end_of(&[]), LinkEnd::Lost(_)), "a line that ends is taken up again");
        let bytes = WireFrame::whole(PONG, vec![1]);
        assert!(matches!(end_of(&[bytes]), LinkEnd::Lost(_)));
    }
}
