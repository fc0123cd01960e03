//! The engine's end.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::hello::{Hello, OtherBuild};
use super::messages::{COMMAND, HEARD, HURRY, PING, PONG, PREVIEW, REFUSAL, TO_ENGINE};
use super::outbox::Outbox;
use super::pieces::read_command;
use super::silence::{LineState, LineWatch};
use crate::engine::ask::{Command, EngineHandle, Event, TrainCommand, TrainEvent, TrainTask};
use crate::patch::PatchRef;
use crate::wire::{Assembly, WireFrame, WirePool, read_frame, unpack};

/// A window says something every second; one that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the last checkpoint of a run is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Characters of a refusal at most.
const MOST_WORDS: usize = 1000;

/// What the thread that listens hands on.
enum Heard {
    /// So many bytes have come to the window.
    Bytes(u64),
    /// To be answered at once.
    Ping(Vec<u8>),
    /// A command that is none here: why.
    Senseless(String),
    /// The window is gone, or what came makes no sense.
    Gone(anyhow::Result<()>),
}

/// Serves the engine that `start` starts to the window at the other end of `input` and `output`, until that closes the
/// line or something comes through `stop`. A run in training writes its checkpoint then.
///
/// `start` is given what to call whenever there is something new.
///
/// # Errors
/// The other end is of another version, or says what makes no sense; the engine cannot be started.
pub fn serve(
    mut input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
    stop: Receiver<()>,
    start: impl FnOnce(Box<dyn Fn() + Send + Sync>) -> anyhow::Result<EngineHandle>,
) -> anyhow::Result<()> {
    Hello::own().write(&mut output).context("nobody listens")?;
    let window = Hello::read(&mut input).context("no window of bagssl is at the other end")?;
    if let Some(why) = window.obstacle() {
        anyhow::bail!("the window is of another version: {why}");
    }
    let (wake, woken) = bounded(1);
    let engine = Arc::new(start(Box::new(move || _ = wake.try_send(())))?);
    let (to_sender, heard) = unbounded();
    let listening = engine.clone();
    let listen = move || {
        let end = listen(&mut input, &listening, &to_sender);
        drop(to_sender.send(Heard::Gone(end)));
    };
    thread::Builder::new().name("listening".into()).spawn(listen).context("could not start a thread")?;
    // A line that takes nothing any more holds up the thread that writes, and nobody else.
    let (to_writer, written) = unbounded();
    let speak = move || speak(output, &written);
    thread::Builder::new().name("speaking".into()).spawn(speak).context("could not start a thread")?;
    let end = talk(&engine, &to_writer, &woken, &heard, &stop);
    finish(&engine, &woken);
    end
}

/// Hands what comes to the engine until the line ends.
fn listen(input: &mut impl Read, engine: &EngineHandle, to_sender: &Sender<Heard>) -> anyhow::Result<()> {
    let (mut assembly, mut pool) = (Assembly::<TO_ENGINE>::default(), WirePool::default());
    while let Some(frame) = read_frame(input)? {
        let Some(whole) = assembly.take(frame)? else { continue };
        match whole.kind {
            COMMAND => match read_command(&whole.bytes, &mut pool) {
                Ok(command) => engine.send(command),
                // The window closes the line once it is told.
                Err(error) => drop(to_sender.send(Heard::Senseless(senseless(&error)))),
            },
            PREVIEW => engine.preview(unpack::<Option<PatchRef>>(&whole.bytes, &mut WirePool::default())?),
            HURRY => engine.hurry(),
            HEARD => {
                let bytes = whole.bytes.try_into().ok().context("a count has 8 bytes")?;
                drop(to_sender.send(Heard::Bytes(u64::from_le_bytes(bytes))));
            }
            PING => {
                anyhow::ensure!(whole.bytes.len() <= 16, "a question has at most 16 bytes");
                drop(to_sender.send(Heard::Ping(whole.bytes)));
            }
            other => anyhow::bail!("nothing is of kind {other}"),
        }
    }
    Ok(())
}

/// Why a command is none, without what the window says of such things itself.
fn senseless(error: &anyhow::Error) -> String {
    error.downcast_ref::<OtherBuild>().map_or_else(|| format!("{error:#}"), |OtherBuild(why)| why.clone())
}

/// Writes what is to go as it comes; never more waits than may be under way.
fn speak(mut output: impl Write, written: &Receiver<Vec<u8>>) {
    while let Ok(first) = written.recv() {
        for bytes in std::iter::once(first).chain(written.try_iter()) {
            if output.write_all(&bytes).is_err() {
                return;
            }
        }
        // What cannot be written is said by the end of what is read.
        let _ = output.flush();
    }
}

/// Says what is new until the window is gone.
fn talk(
    engine: &EngineHandle,
    to_writer: &Sender<Vec<u8>>,
    woken: &Receiver<()>,
    heard: &Receiver<Heard>,
    stop: &Receiver<()>,
) -> anyhow::Result<()> {
    let (mut outbox, mut watch) = (Outbox::default(), LineWatch::new(SILENCE, Instant::now()));
    outbox.take_news(engine);
    loop {
        while let Some(bytes) = outbox.next(Instant::now())? {
            if to_writer.send(bytes).is_err() {
                return Ok(());
            }
        }
        select! {
            recv(woken) -> _ => outbox.take_news(engine),
            recv(stop) -> _ => return Ok(()),
            recv(heard) -> what => {
                let now = Instant::now();
                watch.note_heard(now);
                match what {
                    Ok(Heard::Bytes(count)) => outbox.pace.note_heard(count, now),
                    Ok(Heard::Ping(bytes)) => {
                        let frame = WireFrame::whole(PONG, bytes).to_bytes();
                        outbox.pace.note_sent(frame.len(), now);
                        let _ = to_writer.send(frame);
                    }
                    Ok(Heard::Senseless(why)) => {
                        let words: String = why.chars().take(MOST_WORDS).collect();
                        let _ = to_writer.send(WireFrame::whole(REFUSAL, words.into_bytes()).to_bytes());
                    }
                    Ok(Heard::Gone(end)) => return end,
                    Err(_) => return Ok(()),
                }
            }
            default(SILENCE) => {}
        }
        if watch.state(Instant::now()) == LineState::Lost {
            log::warn!("the window said nothing for {} s", SILENCE.as_secs());
            return Ok(());
        }
    }
}

/// Has a run in training write its checkpoint, and waits for it.
fn finish(engine: &EngineHandle, woken: &Receiver<()>) {
    let is_active = || engine.snapshot().runs.active.as_ref().is_some_and(|view| view.phase.is_active());
    if !is_active() {
        return;
    }
    engine.hurry();
    engine.send(Command::Train(TrainCommand::Stop));
    let asked = Instant::now();
    while let Some(left) = PATIENCE.checked_sub(asked.elapsed()) {
        let has_ended = engine.drain_events().iter().any(|event| {
            matches!(
                event,
                Event::Train(
                    TrainEvent::Stopped { .. }
                        | TrainEvent::Finished { .. }
                        | TrainEvent::Failed { asked: TrainTask::Training(_), .. }
                )
            )
        });
        if has_ended || !is_active() {
            return;
        }
        // Woken or not, it is looked at again.
        let _ = woken.recv_timeout(left.min(Duration::from_millis(200)));
    }
    log::warn!("the last checkpoint took longer than {} s; the one before it is kept", PATIENCE.as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::line;
    use crate::wire::pack;

    /// Takes the greeting, and then nothing, until it is let go.
    struct Stuck {
        is_greeted: bool,
        reached: Sender<()>,
        let_go: Receiver<()>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.is_greeted {
                let _ = self.reached.send(());
                let _ = self.let_go.recv();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            self.is_greeted = true;
            Ok(())
        }
    }

    #[test]
    fn a_command_of_another_build_is_refused_in_words_until_the_window_closes_the_line() {
        let (input, mut window) = std::io::pipe().unwrap();
        let (mut answers, output) = std::io::pipe().unwrap();
        let (_held, stopped) = unbounded();
        let (engine, line) = line(|| {});
        let serving = thread::spawn(move || serve(input, output, stopped, move |_| Ok(engine)));
        Hello::own().write(&mut window).unwrap();
        let unknown = pack(&"DoWhatIsNotThereYet", &mut WirePool::default()).unwrap();
        window.write_all(&WireFrame::whole(COMMAND, unknown).to_bytes()).unwrap();
        assert_eq!(Hello::read(&mut answers).unwrap(), Hello::own());
        let said =
            std::iter::from_fn(|| read_frame(&mut answers).unwrap()).find(|frame| frame.kind == REFUSAL);
        let words = String::from_utf8(said.unwrap().bytes).unwrap();
        assert!(words.contains("DoWhatIsNotThereYet") && !words.contains("another build"), "{words}");
        drop(window);
        serving.join().unwrap().unwrap();
        drop(line);
    }

    #[test]
    fn a_line_that_takes_nothing_holds_up_nobody_who_ends_it() {
        let (input, mut window) = std::io::pipe().unwrap();
        Hello::own().write(&mut window).unwrap();
        let ((reached, is_reached), (_held, let_go), (stop, stopped)) =
            (unbounded(), unbounded(), unbounded());
        let (engine, line) = line(|| {});
        let output = Stuck { is_greeted: false, reached, let_go };
        line.update(|shown| shown.busy = Some("opening the model".into()));
        let serving = thread::spawn(move || serve(input, output, stopped, move |_| Ok(engine)));
        is_reached.recv().unwrap();
        stop.send(()).unwrap();
        serving.join().unwrap().unwrap();
        drop((window, line));
    }
}
