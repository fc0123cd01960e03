//! What is open, so that it can be opened again over there after the line dropped.

use std::sync::Arc;

use crate::engine::ask::{
    Command, CompareCommand, DataSource, EngineLine, EvaluationPhase, Event, ExploreConfig, MeasureCommand,
    QuerySpec, RequestId, SamplePhase, ScatterCommand, Snapshot, TrainCommand, WorldPhase,
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
    /// The newest settings for it: patches, and what the galleries leave out.
    configured: Option<(RequestId, ExploreConfig)>,
    /// What to go back to once the data set is open.
    place: Option<RetakePlace>,
}

/// Where the window was looking.
struct RetakePlace {
    /// What opened its images: of others it says nothing.
    source: Option<Arc<DataSource>>,
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
        match command {
            Command::Query { id, query, image, .. } => self.asked = Some((*id, query.clone(), *image)),
            Command::Configure { id, config } => self.configured = Some((*id, config.clone())),
            _ => {}
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
                let place = self.place.take().map(|place| self.newest(place));
                (self.asked, self.configured) = (None, None);
                // A bank's images are open before it is, and it stays what is to be opened until others are.
                if std::mem::take(&mut self.opens_data) {
                    self.bank = None;
                }
                let place = place.filter(|place| place.source == shown.data_source);
                place.map_or_else(Vec::new, |place| place.commands(shown))
            }
            _ => vec![],
        }
    }

    /// What opens again what `shown` shows, in an engine that knows nothing yet.
    pub fn commands(&mut self, shown: &Snapshot) -> Vec<Command> {
        // A second drop before what was open is open again finds less than the first.
        let place = self.place.take().unwrap_or_else(|| RetakePlace::of(shown));
        self.place = Some(self.newest(place));
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

    /// `place` with what was asked for and is not answered.
    fn newest(&mut self, mut place: RetakePlace) -> RetakePlace {
        let answered = place.query.as_ref().map(|(id, _)| *id);
        let is_newer = |id: RequestId| answered.is_none_or(|answered| id > answered);
        if let Some((id, query, image)) = self.asked.take_if(|(id, _, _)| is_newer(*id)) {
            (place.query, place.image) = (Some((id, query)), Some(image));
        }
        if let Some((id, config)) = self.configured.take_if(|(id, _)| is_newer(*id)) {
            place.configure(id, config);
        }
        place
    }
}

impl RetakePlace {
    /// What `shown` shows.
    fn of(shown: &Snapshot) -> Self {
        Self {
            source: shown.data_source.clone(),
            config: shown.config.clone(),
            query: shown.query.as_ref().map(|view| (view.id, view.query.clone())),
            image: shown.view.as_ref().map(|view| view.index),
        }
    }

    /// Takes other settings, which were asked for as `id`: an earlier query is asked again under them, as the engine
    /// would have done.
    fn configure(&mut self, id: RequestId, config: ExploreConfig) {
        let patch = self.config.as_ref().map_or(0, |config| config.grid.patch);
        if let Some((asked, query)) = self.query.as_mut().filter(|(asked, _)| *asked < id) {
            query.follow_patch_size(patch, config.grid.patch);
            *asked = id;
        }
        self.config = Some(config);
    }

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
    use crate::engine::ask::{DataDescription, GalleryFilter, ImageView, PointColor, QueryView, ScatterPlan};
    use crate::image::Image;
    use crate::patch::{PatchGrid, PatchRef};

    /// An engine that has answered `query` as number 7, on image 3 of `/data/a`.
    fn answered(query: &QuerySpec) -> Snapshot {
        let view = ImageView {
            index: 3,
            name: "3".into(),
            class: None,
            image: Arc::new(Image::filled(8, 8, [0; 3])),
            values: None,
            parts: None,
        };
        let (parts, maps) = (vec![], vec![]);
        Snapshot {
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
        }
    }

    fn few(id: u64) -> Option<Arc<DataDescription>> {
        Some(Arc::new(DataDescription::of_test(id, 9)))
    }

    #[test]
    fn what_was_open_is_opened_again_and_then_looked_at() {
        let query = QuerySpec::one(PatchRef { image: 3, y: 0, x: 4, size: 8 });
        let mut shown = answered(&query);
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
        shown.data = few(9);
        let then = retake.follow(&Event::DataOpened, &shown);
        let [Command::Query { id: 7, data: 9, query: asked, image: 3 }] = &then[..] else {
            panic!("{then:?}")
        };
        assert_eq!(*asked, query);
        assert!(retake.follow(&Event::DataOpened, &shown).is_empty(), "what is opened later stays");
        assert!(matches!(retake.commands(&shown)[0], Command::CountFrom { data: 10 }));
    }

    /// Settings with patches of so many pixels and galleries of one class alone.
    fn settings(patch: u32, class: Option<u32>) -> ExploreConfig {
        ExploreConfig {
            grid: PatchGrid { patch, stride: 4 },
            gallery_stride: 4,
            gallery_images: 9,
            neighbours: 20,
            spaces: vec![],
            filter: GalleryFilter { class, ..GalleryFilter::default() },
            way: Default::default(),
        }
    }

    #[test]
    fn settings_that_were_not_answered_hold_and_the_query_has_their_patches() {
        let query = QuerySpec::one(PatchRef { image: 3, y: 16, x: 4, size: 8 });
        let mut shown = Snapshot { config: Some(settings(8, None)), ..answered(&query) };
        let mut retake = Retake::default();
        let set = |retake: &mut Retake, id, class| {
            retake.note(&Command::Configure { id, config: settings(12, class) });
        };
        // What was answered is in what is shown.
        retake.note(&Command::Configure { id: 6, config: settings(20, Some(5)) });
        retake.commands(&shown);
        // It dropped again before anything was open; of what is chosen until it is up the last counts.
        set(&mut retake, 8, Some(0));
        set(&mut retake, 9, Some(1));
        retake.commands(&shown);
        // The engine has its own settings when it opens the images; meanwhile others were chosen here.
        (shown.data, shown.config, shown.query) = (few(4), Some(settings(16, None)), None);
        set(&mut retake, 10, Some(2));
        let then = retake.follow(&Event::DataOpened, &shown);
        let [
            Command::Configure { id: 9, config },
            Command::Query { id: 10, data: 4, query: asked, image: 3 },
        ] = &then[..]
        else {
            panic!("{then:?}")
        };
        assert_eq!(*config, settings(12, Some(2)));
        assert_eq!(asked.as_patch(), Some(PatchRef { image: 3, y: 14, x: 2, size: 12 }));
    }

    #[test]
    fn what_was_looked_at_of_images_that_are_gone_is_not_asked_of_others() {
        let query = QuerySpec::one(PatchRef { image: 3, y: 0, x: 4, size: 8 });
        let mut shown = Snapshot { config: Some(settings(8, Some(1))), ..answered(&query) };
        let mut retake = Retake::default();
        retake.commands(&shown);
        let other = DataSource { spec: "/data/b".into(), split: None };
        (shown.data, shown.data_source) = (few(4), Some(Arc::new(other)));
        assert!(retake.follow(&Event::DataOpened, &shown).is_empty());
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
