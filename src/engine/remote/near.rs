//! The window's end: its commands go to an engine elsewhere, whose state comes back.

use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, unbounded};

use super::connection::{Connection, FarPlace};
use super::hello::Hello;
use super::messages::{BULK, COMMAND, HEARD, HURRY, PING, PONG, PREVIEW, TO_WINDOW, URGENT};
use super::pieces::read_update;
use super::retake::{Retake, forget_work};
use crate::engine::ask::{
    ABOUT_LINK, Command, EngineHandle, EngineLine, Event, FigureCommand, LinkPhase, LinkView, TrainCommand,
    about, line,
};
use crate::wire::{Assembly, WireFrame, WirePool, pack, read_frame};

/// Between questions of how long an answer takes.
const BEAT: Duration = Duration::from_secs(1);
/// A line that brings nothing for so long is lost.
const SILENCE: Duration = Duration::from_secs(20);
/// Before it is tried again: twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Starts an engine at `place` and talks to it as to one of this process. `wake` is called whenever there is something new.
///
/// # Errors
/// `place` names no machine; no thread can be started.
pub fn connect(place: FarPlace, wake: impl Fn() + Send + Sync + 'static) -> anyhow::Result<EngineHandle> {
    place.check()?;
    let (handle, line) = line(wake);
    let link = FarLink {
        shown: LinkView {
            host: place.host.clone(),
            phase: LinkPhase::Connecting,
            round_trip: None,
            received: 0,
            sent: 0,
        },
        place,
        line: Arc::new(line),
        retake: Retake::default(),
        has_been_open: false,
    };
    let run = move || link.run();
    thread::Builder::new().name("link".into()).spawn(run).context("could not start a thread")?;
    Ok(handle)
}

/// Keeps the line open.
struct FarLink {
    place: FarPlace,
    line: Arc<EngineLine>,
    retake: Retake,
    shown: LinkView,
    has_been_open: bool,
}

/// How a connection ended.
enum LinkEnd {
    /// The window is gone.
    Closed,
    /// The other end is no bagssl of this version.
    Refused(String),
    /// It broke.
    Lost(String),
}

/// What the thread that listens hands on.
enum NearHeard {
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

impl FarLink {
    fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            self.show(LinkPhase::Connecting);
            let had_been_open = self.has_been_open;
            let why = match self.talk() {
                LinkEnd::Closed => return,
                LinkEnd::Refused(why) => Err(why),
                // Whoever cannot log in is not to try for ever.
                LinkEnd::Lost(why) if !self.has_been_open => Err(why),
                LinkEnd::Lost(why) => Ok(why),
            };
            let has_dropped = self.has_been_open && (!had_been_open || self.was_open_lately());
            if has_dropped {
                wait = FIRST_WAIT;
            }
            forget_work(&self.line);
            let (message, again) = match why {
                Ok(why) => {
                    let message = format!("it dropped: {why}. It is opened again, and what was open with it");
                    self.show(LinkPhase::Lost { why, again: wait });
                    (Some(message).filter(|_| has_dropped), Some(wait))
                }
                Err(why) => {
                    self.show(LinkPhase::Refused { why: why.clone() });
                    (Some(format!("{}: {why}", self.place.host)), None)
                }
            };
            let told = message.map(|message| Event::Failed { about: ABOUT_LINK.into(), message });
            told.into_iter().for_each(|event| self.line.emit(event));
            if !self.rest(again) {
                return;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Whether the last connection was one over which something came.
    fn was_open_lately(&self) -> bool {
        self.shown.round_trip.is_some()
    }

    /// Waits for so long, or until it is asked for. Returns whether the window is still there.
    fn rest(&mut self, pause: Option<Duration>) -> bool {
        let until = pause.map(|pause| Instant::now() + pause);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.line.commands.recv_timeout(left.unwrap_or(Duration::from_secs(3600))) {
                Ok(Command::Reconnect) => return true,
                Ok(command) => self.miss(&command),
                Err(RecvTimeoutError::Timeout) if until.is_some() => return true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// What is asked of an engine out of reach: views are taken up with what is open, the rest is said not to be done.
    fn miss(&mut self, command: &Command) {
        self.retake.note(command);
        let is_missed = matches!(
            command,
            Command::OpenModel { .. }
                | Command::OpenData { .. }
                | Command::OpenBank { .. }
                | Command::OpenPicture { .. }
                | Command::Figure(FigureCommand::Write { .. })
                | Command::Train(
                    TrainCommand::Start(_) | TrainCommand::Resume { .. } | TrainCommand::OpenRun(_)
                )
                | Command::Evaluate(_)
        );
        if is_missed {
            let message = format!("{} is out of reach; ask again once it is connected", self.place.host);
            self.line.emit(Event::Failed { about: about(command).into(), message });
        }
    }

    fn show(&mut self, phase: LinkPhase) {
        if phase != LinkPhase::Connected {
            self.shown.round_trip = self.shown.round_trip.filter(|_| phase != LinkPhase::Connecting);
        }
        self.shown.phase = phase;
        self.publish();
    }

    fn publish(&self) {
        let shown = Arc::new(self.shown.clone());
        self.line.update(|snapshot| snapshot.link = Some(shown));
    }

    /// One connection from its beginning to its end.
    fn talk(&mut self) -> LinkEnd {
        let (connection, input, output) = match Connection::open(&self.place) {
            Ok(opened) => opened,
            Err(error) => return LinkEnd::Refused(format!("{error:#}")),
        };
        let (to_writer, written) = unbounded();
        let (to_link, heard) = unbounded();
        let start = Instant::now();
        let speaker = spawn("speaking", move || speak(input, &written));
        let (line, answers) = (self.line.clone(), to_writer.clone());
        let listener = spawn("listening", move || {
            let end = listen(output, &line, &answers, &to_link);
            drop(to_link.send(NearHeard::End(end)));
        });
        if let Err(error) = speaker.and(listener) {
            connection.close();
            return LinkEnd::Refused(format!("{error:#}"));
        }
        let mut voice = Voice { to_writer, pool: WirePool::default(), sent: 0, start };
        let end = self.follow(&mut voice, &heard);
        match end {
            // It ends by itself, once a run in training has its checkpoint.
            LinkEnd::Closed => {
                voice.close();
                connection.wait();
                LinkEnd::Closed
            }
            LinkEnd::Refused(why) => LinkEnd::Refused(with_words(why, connection)),
            LinkEnd::Lost(why) => LinkEnd::Lost(with_words(why, connection)),
        }
    }

    fn follow(&mut self, voice: &mut Voice, heard: &Receiver<NearHeard>) -> LinkEnd {
        let (mut last, mut has_hurried, mut is_open) = (Instant::now(), false, false);
        let beat = crossbeam_channel::tick(BEAT);
        // Commands wait until the other end is known to be one.
        let never = crossbeam_channel::never();
        loop {
            let commands = if is_open { &self.line.commands } else { &never };
            let end = select! {
                recv(commands) -> command => {
                    if self.line.hurry.is_cancelled() && !has_hurried {
                        has_hurried = true;
                        voice.say(HURRY, &[]);
                    }
                    match command {
                        Ok(command) => self.pass_on(voice, &command),
                        Err(_) => return LinkEnd::Closed,
                    }
                    None
                }
                recv(self.line.previews) -> patch => {
                    let newest = self.line.previews.try_iter().last().or(patch.ok());
                    if let Some(bytes) = newest.and_then(|patch| pack(&patch, &mut WirePool::default()).ok())
                        && is_open
                    {
                        voice.say(PREVIEW, &bytes);
                    }
                    None
                }
                recv(heard) -> what => {
                    last = Instant::now();
                    match what {
                        Ok(NearHeard::Greeted) => {
                            is_open = true;
                            self.begin(voice);
                            None
                        }
                        Ok(NearHeard::End(end)) => Some(end),
                        Ok(what) => self.take(voice, what),
                        Err(_) => Some(LinkEnd::Lost(String::new())),
                    }
                }
                recv(beat) -> _ => self.beat(voice, last, is_open),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// The line is open: what was open is opened again.
    fn begin(&mut self, voice: &mut Voice) {
        if self.has_been_open {
            let shown = self.line.snapshot();
            for command in self.retake.commands(&shown) {
                self.pass_on(voice, &command);
            }
        }
        self.has_been_open = true;
        self.show(LinkPhase::Connected);
        voice.ask_time();
    }

    fn pass_on(&mut self, voice: &mut Voice, command: &Command) {
        self.retake.note(command);
        if matches!(command, Command::Reconnect) {
            return;
        }
        match pack(command, &mut voice.pool) {
            Ok(bytes) => voice.say(COMMAND, &bytes),
            Err(error) => {
                let message = format!("{error:#}");
                self.line.emit(Event::Failed { about: ABOUT_LINK.into(), message });
            }
        }
    }

    fn take(&mut self, voice: &mut Voice, what: NearHeard) -> Option<LinkEnd> {
        match what {
            NearHeard::Bytes(bytes) => self.shown.received += bytes,
            NearHeard::Pong(asked) => {
                self.shown.round_trip =
                    Some(voice.start.elapsed().saturating_sub(Duration::from_nanos(asked)));
                self.shown.sent += std::mem::take(&mut voice.sent);
                self.publish();
            }
            NearHeard::Event(event) => {
                let shown = self.line.snapshot();
                for command in self.retake.follow(&event, &shown) {
                    self.pass_on(voice, &command);
                }
            }
            NearHeard::Greeted | NearHeard::End(_) => {}
        }
        None
    }

    fn beat(&self, voice: &mut Voice, last: Instant, is_open: bool) -> Option<LinkEnd> {
        if self.line.is_abandoned() {
            return Some(LinkEnd::Closed);
        }
        // Who has to type a password is not hurried.
        if is_open && last.elapsed() > SILENCE {
            return Some(LinkEnd::Lost(format!("nothing came for {} s", SILENCE.as_secs())));
        }
        if is_open {
            voice.ask_time();
        }
        None
    }
}

/// `why`, with what the child said of it.
fn with_words(why: String, connection: Connection) -> String {
    let said = connection.close();
    match why.is_empty() {
        true => said,
        false if said.starts_with("ssh ended with") => why,
        false => format!("{why}\n{said}"),
    }
}

/// What goes to the other end.
struct Voice {
    to_writer: Sender<Vec<u8>>,
    pool: WirePool,
    sent: u64,
    start: Instant,
}

impl Voice {
    fn say(&mut self, kind: u8, bytes: &[u8]) {
        for frame in WireFrame::cut(kind, bytes) {
            let bytes = frame.to_bytes();
            self.sent += bytes.len() as u64;
            // That nobody writes it any more is told by who listens.
            let _ = self.to_writer.send(bytes);
        }
    }

    /// Nothing more goes: whoever answers what comes may still hold the way there.
    fn close(self) {
        let _ = self.to_writer.send(vec![]);
    }

    fn ask_time(&mut self) {
        let now = self.start.elapsed().as_nanos() as u64;
        self.say(PING, &now.to_le_bytes());
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).context("could not start a thread")
}

/// Writes what is to go, until nothing more is or nothing at all is sent.
fn speak(mut input: ChildStdin, written: &Receiver<Vec<u8>>) {
    if Hello::own().write(&mut input).is_err() {
        return;
    }
    while let Ok(bytes) = written.recv() {
        if bytes.is_empty() {
            return;
        }
        if input.write_all(&bytes).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

/// Shows what comes until nothing more does, and says why.
fn listen(
    mut output: ChildStdout,
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
                let update = read_update(&whole.bytes, &mut pools[usize::from(whole.kind)])?;
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
            other => anyhow::bail!("nothing is of kind {other}"),
        }
    }
    Ok(())
}
