//! What is open, so that it can be opened again over there after the line dropped.

use crate::engine::ask::{
    Command, CompareCommand, EngineLine, Event, ExploreConfig, MeasureCommand, QuerySpec, RequestId,
    Snapshot, TrainCommand,
};

/// What was asked for and holds until something else is asked for; what is open is in the snapshot.
#[derive(Default)]
pub struct Retake {
    /// Commands that switch something, the last of each kind.
    switches: Vec<Command>,
    /// The bank that is open, by the command that opened it.
    bank: Option<Command>,
    /// The newest query for the open data set, and the image that its maps are of.
    asked: Option<(RequestId, QuerySpec, usize)>,
    /// What to go back to once the data set is open.
    place: Option<RetakePlace>,
}

/// Where the window was looking.
struct RetakePlace {
    config: Option<ExploreConfig>,
    query: Option<(RequestId, QuerySpec)>,
    image: Option<usize>,
}

/// Which switch a command is, if it is one.
fn switch_of(command: &Command) -> Option<u8> {
    Some(match command {
        Command::ShowPictures(_) => 0,
        Command::Microscope(_) => 1,
        Command::Measure(MeasureCommand::FollowImage(_)) => 2,
        Command::Train(TrainCommand::Drawing(_)) => 3,
        Command::Compare(CompareCommand::OpenOther { .. } | CompareCommand::CloseOther) => 4,
        Command::Compare(CompareCommand::Show(_)) => 5,
        Command::Compare(CompareCommand::Images(_)) => 6,
        _ => return None,
    })
}

impl Retake {
    /// Notes what the window asks for.
    pub fn note(&mut self, command: &Command) {
        if let Command::Query { id, query, image, .. } = command {
            self.asked = Some((*id, query.clone(), *image));
        }
        let Some(switch) = switch_of(command) else { return };
        self.switches.retain(|other| switch_of(other) != Some(switch));
        self.switches.push(command.clone());
    }

    /// Notes what happened over there. What is to be asked for now.
    pub fn follow(&mut self, event: &Event, shown: &Snapshot) -> Vec<Command> {
        match event {
            Event::BankOpened { folder } => {
                self.bank = Some(Command::OpenBank { folder: folder.clone() });
                vec![]
            }
            Event::DataOpened => {
                (self.bank, self.asked) = (None, None);
                self.place.take().map_or_else(Vec::new, |place| place.commands(shown))
            }
            _ => vec![],
        }
    }

    /// What opens again what `shown` shows, in an engine that knows nothing yet.
    pub fn commands(&mut self, shown: &Snapshot) -> Vec<Command> {
        // A second drop before what was open is open again finds less than the first.
        let place = self.place.take().unwrap_or_else(|| RetakePlace {
            config: shown.config.clone(),
            query: shown.query.as_ref().map(|view| (view.id, view.query.clone())),
            image: shown.view.as_ref().map(|view| view.index),
        });
        let newer =
            self.asked.take_if(|(id, _, _)| place.query.as_ref().is_none_or(|(shown, _)| *id > *shown));
        self.place = Some(match newer {
            Some((id, query, image)) => RetakePlace { query: Some((id, query)), image: Some(image), ..place },
            None => place,
        });
        let mut commands = vec![];
        commands.extend(shown.data.as_ref().map(|data| Command::CountFrom { data: data.id + 1 }));
        commands.extend(shown.model_source.as_deref().map(|spec| Command::OpenModel { spec: spec.clone() }));
        let data = shown.data_source.as_deref().cloned();
        let data = data.map(|source| Command::OpenData { spec: source.spec, split: source.split });
        commands.extend(self.bank.clone().or(data));
        commands.extend(self.switches.iter().cloned());
        let runs = shown.runs.folders.iter().map(|run| TrainCommand::OpenRun(run.path.clone()));
        commands.extend(runs.map(Command::Train));
        commands
    }
}

impl RetakePlace {
    fn commands(self, shown: &Snapshot) -> Vec<Command> {
        let Some(data) = shown.data.as_ref().map(|data| data.id) else { return vec![] };
        let mut commands = vec![];
        let id = self.query.as_ref().map_or(0, |(id, _)| *id);
        let config = self.config.filter(|config| Some(config) != shown.config.as_ref());
        // The settings ask some query again under their number: not under that of the one which follows.
        let settings = config.map(|config| Command::Configure { id: id.saturating_sub(1), config });
        commands.extend(settings);
        match (self.query, self.image) {
            (Some((id, query)), Some(image)) => commands.push(Command::Query { id, data, query, image }),
            (None, Some(index)) => commands.push(Command::ShowImage { data, index }),
            (_, None) => {}
        }
        commands
    }
}

/// What of `line`'s snapshot goes with an engine that is out of reach.
pub fn forget_work(line: &EngineLine) {
    line.update(|shown| {
        shown.busy = None;
        shown.runs.active = None;
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ask::{DataSource, ImageView, QueryView};
    use crate::image::Image;
    use crate::patch::PatchRef;

    #[test]
    fn what_was_open_is_opened_again_and_then_looked_at() {
        let query = QuerySpec::one(PatchRef { image: 3, y: 0, x: 4, size: 8 });
        let view = ImageView {
            index: 3,
            name: "3".into(),
            class: None,
            image: Arc::new(Image::filled(8, 8, [0; 3])),
            values: None,
            parts: None,
        };
        let (parts, maps) = (vec![], vec![]);
        let mut shown = Snapshot {
            model_source: Some(Arc::new("/models/a".into())),
            data_source: Some(Arc::new(DataSource { spec: "/data/a".into(), split: None })),
            view: Some(Arc::new(view)),
            query: Some(Arc::new(QueryView { id: 7, query: query.clone(), parts, image: 3, maps, known: 0 })),
            ..Snapshot::default()
        };
        let mut retake = Retake::default();
        [Command::ShowPictures(true), Command::Microscope(None), Command::ShowPictures(false)]
            .iter()
            .for_each(|command| retake.note(command));
        let words =
            |commands: &[Command]| commands.iter().map(|command| format!("{command:?}")).collect::<Vec<_>>();
        let first = words(&retake.commands(&shown));
        assert!(first[0].starts_with("OpenModel") && first[1].starts_with("OpenData"), "{first:?}");
        assert_eq!(first[2..], ["Microscope(None)", "ShowPictures(false)"]);
        shown.query = None;
        // It dropped again before the data set was open.
        assert_eq!(words(&retake.commands(&shown)), first);
        shown.data = Some(Arc::new(crate::engine::ask::DataDescription {
            id: 9,
            name: "few".into(),
            kind: "folder".into(),
            images: 9,
            classes: vec![],
            labels: vec![None; 9],
            size: Some((8, 8)),
            side: 8,
            split: None,
            decoding: None,
            skipped: vec![],
        }));
        let then = retake.follow(&Event::DataOpened, &shown);
        let [Command::Query { id: 7, data: 9, query: asked, image: 3 }] = &then[..] else {
            panic!("{then:?}")
        };
        assert_eq!(*asked, query);
        assert!(retake.follow(&Event::DataOpened, &shown).is_empty(), "what is opened later stays");
        assert!(matches!(retake.commands(&shown)[0], Command::CountFrom { data: 10 }));
    }
}
