//! The window's end: its commands go to an engine elsewhere, whose state comes back.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, select, unbounded};

use super::connection::{Connection, FarPlace};
use super::ear::{LinkEnd, NearHeard, listen};
use super::messages::{COMMAND, HURRY, PREVIEW};
use super::retake::{Retake, forget_work};
use super::silence::{LineState, LineWatch};
use super::too_large;
use super::voice::{Voice, speak};
use crate::engine::ask::{
    ABOUT_LINK, Command, EngineHandle, EngineLine, Event, FigureCommand, LINK_SILENCE, LinkPhase, LinkView,
    TrainCommand, about, line,
};
use crate::wire::{WirePool, pack};

/// Between questions of how long an answer takes.
const BEAT: Duration = Duration::from_secs(1);
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
    let link = FarLink::new(place, line);
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

impl FarLink {
    fn new(place: FarPlace, line: EngineLine) -> Self {
        let (host, phase) = (place.host.clone(), LinkPhase::Connecting);
        let shown = LinkView { host, phase, round_trip: None, received: 0, sent: 0 };
        Self { place, line: Arc::new(line), retake: Retake::default(), shown, has_been_open: false }
    }

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
        let mut voice = Voice::new(to_writer, start);
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
        let mut has_hurried = false;
        // Who has to type a password is not hurried: it is watched once it is open.
        let mut watch: Option<LineWatch> = None;
        let beat = crossbeam_channel::tick(BEAT);
        // Commands wait until the other end is known to be one.
        let never = crossbeam_channel::never();
        loop {
            let is_open = watch.is_some();
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
                    let now = Instant::now();
                    watch.iter_mut().for_each(|watch| watch.note_heard(now));
                    match what {
                        Ok(NearHeard::Greeted) => {
                            watch = Some(LineWatch::new(LINK_SILENCE, now));
                            self.begin(voice);
                            None
                        }
                        Ok(NearHeard::End(end)) => Some(end),
                        Ok(what) => self.take(voice, what),
                        Err(_) => Some(LinkEnd::Lost(String::new())),
                    }
                }
                recv(beat) -> _ => self.beat(voice, watch.as_ref(), Instant::now()),
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
        if let Some(message) = too_large::refused(command) {
            self.line.emit(Event::Failed { about: about(command).into(), message });
            return;
        }
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

    /// What is to be done once a second: how the line stands is said, and an answer asked for.
    fn beat(&mut self, voice: &mut Voice, watch: Option<&LineWatch>, now: Instant) -> Option<LinkEnd> {
        if self.line.is_abandoned() {
            return Some(LinkEnd::Closed);
        }
        match watch?.state(now) {
            LineState::Lost => {
                let secs = LINK_SILENCE.as_secs();
                return Some(LinkEnd::Lost(format!("nothing came for {secs} s, not even an answer")));
            }
            LineState::Quiet(secs) => self.show(LinkPhase::Quiet { secs }),
            LineState::Heard if self.shown.phase != LinkPhase::Connected => self.show(LinkPhase::Connected),
            LineState::Heard => {}
        }
        voice.ask_time();
        None
    }
}

/// `why`, with what the child said of it.
fn with_words(why: String, connection: Connection) -> String {
    let said = connection.close();
    match why.is_empty() {
        true => said,
        false if said.starts_with("ssh ended with") => why,
        false => format!("{why}; {said}"),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).context("could not start a thread")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> (FarLink, EngineHandle) {
        let (engine, line) = line(|| {});
        let (host, ssh, program) = ("far".into(), vec!["ssh".into()], "bagssl".into());
        (FarLink::new(FarPlace { host, ssh, program, arguments: vec![] }, line), engine)
    }

    #[test]
    fn silence_is_said_and_at_last_the_line_is_lost() {
        let (mut link, engine) = link();
        let (to_writer, written) = unbounded();
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut voice = Voice::new(to_writer, start);
        assert!(link.beat(&mut voice, None, at(500)).is_none(), "whoever types a password is not hurried");
        assert!(written.is_empty());
        let mut watch = LineWatch::new(LINK_SILENCE, start);
        link.show(LinkPhase::Connected);
        let mut phase = |link: &mut FarLink, watch: &LineWatch, secs: u64| {
            let end = link.beat(&mut voice, Some(watch), at(secs));
            (engine.snapshot().link.clone().unwrap().phase.clone(), end)
        };
        assert!(matches!(phase(&mut link, &watch, 4), (LinkPhase::Connected, None)));
        assert!(matches!(phase(&mut link, &watch, 7), (LinkPhase::Quiet { secs: 7 }, None)));
        assert!(matches!(phase(&mut link, &watch, 8), (LinkPhase::Quiet { secs: 8 }, None)));
        watch.note_heard(at(9));
        assert!(matches!(phase(&mut link, &watch, 10), (LinkPhase::Connected, None)));
        assert!(matches!(phase(&mut link, &watch, 28), (LinkPhase::Quiet { secs: 19 }, None)));
        let (_, end) = phase(&mut link, &watch, 29);
        let Some(LinkEnd::Lost(why)) = end else { panic!("it is not lost") };
        assert!(why.contains("nothing came for 20 s"), "{why}");
        assert_eq!(written.len(), 5, "each second an answer is asked for");
    }
}
