//! What is open, so that it can be opened again over there after the line dropped.

use std::sync::Arc;

use crate::engine::ask::{
    Command, CompareCommand, EngineLine, EvaluationPhase, Event, ExploreConfig, MeasureCommand, QuerySpec,
    RequestId, SamplePhase, ScatterCommand, Snapshot, TrainCommand, WorldPhase,
};

/// What was asked for and holds until something else is asked for; what is open is in the snapshot.
#[derive(Default)]
pub struct Retake {
    /// Commands that switch something, the last of each kind.
    switches: Vec<Command>,
    /// The bank that is open, by the command that opened it, until other images are.
    bank: Option<Command>,
    /// Whether images are being opened that are none of a bank's.
    opens_data: bool,
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

/// Switches that are of the second model that is open, and go with it.
const OF_OTHER: [u8; 3] = [7, 8, 9];

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
        Command::Compare(CompareCommand::ScrubTo { .. }) => 7,
        Command::Compare(CompareCommand::Pause(_)) => 8,
        Command::Compare(CompareCommand::Ahead(_)) => 9,
        Command::Scatter(ScatterCommand::Follow(_)) => 10,
        _ => return None,
    })
}

impl Retake {
    /// Notes what the window asks for.
    pub fn note(&mut self, command: &Command) {
        if let Command::Query { id, query, image, .. } = command {
            self.asked = Some((*id, query.clone(), *image));
        }
        self.opens_data |= matches!(command, Command::OpenData { .. });
        let Some(switch) = switch_of(command) else { return };
        let gone = if switch == 4 { &OF_OTHER[..] } else { &[] };
        self.switches.retain(|other| {
            let other = switch_of(other);
            other != Some(switch) && !other.is_some_and(|other| gone.contains(&other))
        });
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
                self.asked = None;
                // A bank's images are open before it is, and it stays what is to be opened until others are.
                if std::mem::take(&mut self.opens_data) {
                    self.bank = None;
                }
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

/// What of `line`'s snapshot goes with an engine that is out of reach: nothing goes on there any more, and the one that
/// follows knows nothing of it, so that it never says so.
pub fn forget_work(line: &EngineLine) {
    line.update(|shown| {
        shown.busy = None;
        shown.runs.active = None;
        let evaluation = shown.views.evaluation.as_mut();
        if let Some(view) = evaluation.filter(|view| view.phase == EvaluationPhase::Running) {
            let view = Arc::make_mut(view);
            // Its folder holds what was done.
            view.phase = EvaluationPhase::Unfinished;
            (view.cell, view.progress, view.left) = (String::new(), None, None);
        }
        let measures = &mut shown.views.measures;
        let phases =
            [&mut measures.geometry.phase, &mut measures.locality.phase, &mut measures.cooccurrence.phase];
        for phase in phases {
            if matches!(phase, SamplePhase::Running(_)) {
                *phase = SamplePhase::Idle;
            }
        }
        let world = measures.world.as_mut();
        if let Some(world) = world.filter(|world| world.phase == WorldPhase::Running) {
            Arc::make_mut(world).phase = WorldPhase::Paused;
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::plane::PlaneWay;
    use crate::engine::ask::{DataSource, ImageView, PointColor, QueryView, ScatterPlan};
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
            query: Some(Arc::new(QueryView {
                id: 7,
                query: query.clone(),
                parts,
                image: 3,
                maps,
                known: 0,
                tiles: None,
            })),
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

    #[test]
    fn a_bank_is_opened_as_one_until_other_images_are() {
        let mut retake = Retake::default();
        let shown = Snapshot {
            data_source: Some(Arc::new(DataSource { spec: "/data/a".into(), split: None })),
            ..Snapshot::default()
        };
        let opens = |retake: &mut Retake| match &retake.commands(&shown)[..] {
            [Command::OpenBank { folder }] => folder.display().to_string(),
            [Command::OpenData { .. }] => "data".to_owned(),
            other => panic!("{other:?}"),
        };
        // As the engine tells of a bank: its images first.
        retake.follow(&Event::DataOpened, &shown);
        retake.follow(&Event::BankOpened { folder: "/banks/a".into() }, &shown);
        assert_eq!(opens(&mut retake), "/banks/a");
        // It drops again before the bank is open, and while it is being opened.
        assert_eq!(opens(&mut retake), "/banks/a");
        retake.follow(&Event::DataOpened, &shown);
        assert_eq!(opens(&mut retake), "/banks/a");
        retake.follow(&Event::DataOpened, &shown);
        retake.follow(&Event::BankOpened { folder: "/banks/a".into() }, &shown);
        retake.note(&Command::OpenData { spec: "/data/b".into(), split: None });
        retake.follow(&Event::DataOpened, &shown);
        assert_eq!(opens(&mut retake), "data");
    }

    #[test]
    fn the_second_model_is_opened_again_with_what_was_asked_of_it_and_the_plane_is_followed() {
        let mut retake = Retake::default();
        let compare = Command::Compare;
        let open = |name: &str| compare(CompareCommand::OpenOther { spec: name.into() });
        let follow = |space: &str| {
            let plan = ScatterPlan { space: space.into(), way: PlaneWay::Pca, color: PointColor::Class };
            Command::Scatter(ScatterCommand::Follow(Some(plan)))
        };
        let asked = [
            compare(CompareCommand::Show(true)),
            open("/runs/a"),
            compare(CompareCommand::ScrubTo { step: 4 }),
            compare(CompareCommand::Images(9)),
            follow("z"),
            compare(CompareCommand::ScrubTo { step: 8 }),
            compare(CompareCommand::Pause(true)),
            follow("h"),
        ];
        asked.iter().for_each(|command| retake.note(command));
        let words = |retake: &mut Retake| {
            let commands = retake.commands(&Snapshot::default());
            commands.iter().map(|command| format!("{command:?}")).collect::<Vec<_>>()
        };
        let expected = [0, 1, 3, 5, 6, 7].map(|at: usize| format!("{:?}", asked[at]));
        assert_eq!(words(&mut retake), expected);
        // Another model has steps of its own.
        retake.note(&open("/runs/b"));
        assert_eq!(words(&mut retake)[2..], [format!("{:?}", asked[7]), format!("{:?}", open("/runs/b"))]);
        retake.note(&compare(CompareCommand::CloseOther));
        assert!(!format!("{:?}", words(&mut retake)).contains("OpenOther"));
    }

    #[test]
    fn nothing_goes_on_at_an_engine_that_is_gone() {
        let (engine, line) = crate::engine::ask::line(|| {});
        line.update(|shown| {
            shown.busy = Some("opening".into());
            shown.views.measures.geometry.phase = SamplePhase::Running(None);
            shown.views.measures.locality.phase = SamplePhase::Failed("no rows".into());
        });
        forget_work(&line);
        let shown = engine.snapshot();
        assert!(shown.busy.is_none() && shown.views.measures.geometry.phase == SamplePhase::Idle);
        assert_eq!(shown.views.measures.locality.phase, SamplePhase::Failed("no rows".into()));
    }
}
