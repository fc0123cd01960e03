//! The engine's end.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::hello::Hello;
use super::messages::{COMMAND, HEARD, HURRY, PING, PONG, PREVIEW, TO_ENGINE};
use super::outbox::Outbox;
use super::pieces::read_command;
use crate::engine::ask::{Command, EngineHandle, Event, TrainCommand, TrainEvent, TrainTask};
use crate::patch::PatchRef;
use crate::wire::{Assembly, WireFrame, WirePool, read_frame, unpack};

/// A window says something every second; one that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the last checkpoint of a run is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the thread that listens hands on.
enum Heard {
    /// So many bytes have come to the window.
    Bytes(u64),
    /// To be answered at once.
    Ping(Vec<u8>),
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
    mut output: impl Write,
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
    let end = talk(&engine, &mut output, &woken, &heard, &stop);
    finish(&engine, &woken);
    end
}

/// Hands what comes to the engine until the line ends.
fn listen(input: &mut impl Read, engine: &EngineHandle, to_sender: &Sender<Heard>) -> anyhow::Result<()> {
    let (mut assembly, mut pool) = (Assembly::<TO_ENGINE>::default(), WirePool::default());
    while let Some(frame) = read_frame(input)? {
        let Some(whole) = assembly.take(frame)? else { continue };
        match whole.kind {
            COMMAND => engine.send(read_command(&whole.bytes, &mut pool)?),
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

/// Says what is new until the window is gone.
fn talk(
    engine: &EngineHandle,
    output: &mut impl Write,
    woken: &Receiver<()>,
    heard: &Receiver<Heard>,
    stop: &Receiver<()>,
) -> anyhow::Result<()> {
    let (mut outbox, mut last) = (Outbox::default(), Instant::now());
    outbox.take_news(engine);
    loop {
        while let Some(bytes) = outbox.next(Instant::now())? {
            if output.write_all(&bytes).is_err() {
                return Ok(());
            }
        }
        // What cannot be written is said by the end of what is read.
        let _ = output.flush();
        select! {
            recv(woken) -> _ => outbox.take_news(engine),
            recv(stop) -> _ => return Ok(()),
            recv(heard) -> what => {
                last = Instant::now();
                match what {
                    Ok(Heard::Bytes(count)) => outbox.pace.note_heard(count, last),
                    Ok(Heard::Ping(bytes)) => {
                        let frame = WireFrame::whole(PONG, bytes).to_bytes();
                        outbox.pace.note_sent(frame.len(), last);
                        let _ = output.write_all(&frame);
                    }
                    Ok(Heard::Gone(end)) => return end,
                    Err(_) => return Ok(()),
                }
            }
            default(SILENCE) => {}
        }
        if last.elapsed() > SILENCE {
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
