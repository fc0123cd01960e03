//! Everything that can be done by keyboard: one table feeds the shortcuts, the
//! list of keys (F1) and the palette (Ctrl+P).

use std::sync::LazyLock;

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::views::{ExploreView, VIEWS};
use crate::engine::{FigureKind, MapMode, MeasurePage, SampleMeasure};

/// Something to do, wherever it was asked: key, button or palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    OpenData,
    OpenModel,
    /// What the open model is, and taking its file otherwise.
    AboutModel,
    /// What kept vectors take of the disk and may take, and clearing them.
    AboutVectors,
    /// Opens the dialog for a figure.
    Export(FigureKind),
    /// Puts a figure on the clipboard, looking as the last one that was exported.
    CopyFigure(FigureKind),
    CopyCaption(FigureKind),
    /// Writes a page of measures to a file.
    ExportMeasures(MeasurePage),
    /// Shows a page of measures.
    ShowMeasures(MeasurePage),
    /// Shows the page after the one on show.
    NextMeasures,
    /// Measures the patches that the galleries search.
    StartMeasure(SampleMeasure),
    StopMeasure(SampleMeasure),
    /// Finds z in the toy world, from its first step on.
    StartWorld,
    /// Rests in it, or goes on.
    PauseWorld,
    /// Draws an outline about points by dragging, or stops.
    ToggleLasso,
    /// Picks the points that are in sight, as an outline about all of them does.
    PickSeen,
    /// Lets go of the points that an outline was drawn about.
    DropPicked,
    /// Writes them to a table.
    ExportPicked,
    /// Writes the plane on show as a figure.
    ExportScatter,
    FindImage,
    /// Puts the keyboard onto the list of images.
    WalkImages,
    RandomImage,
    NextImage,
    PreviousImage,
    Back,
    Forward,
    /// Adds the query to the marked positions and shows them.
    MarkQuery,
    /// Moves the query by so many strides.
    Move {
        right: i32,
        down: i32,
    },
    /// Makes what is under the pointer a part of the query.
    AddPointed,
    SubtractPointed,
    /// Keeps what is under the pointer, or else the query, at hand.
    Pin,
    /// Asks for a picture from a file to look for.
    OpenPicture,
    Undo,
    Redo,
    /// Takes the last part out of the query.
    RemovePart,
    /// Changes the opacity of the heatmaps by so many percent.
    Opacity(i32),
    ToggleGrid,
    /// Shows the patch under the pointer as if it were the query, or stops.
    TogglePreview,
    /// Looks at the heatmaps in another way.
    View(MapMode),
    ToggleContour,
    ResetZoom,
    PauseExtraction,
    ShowExplore,
    /// Shows this in the middle of Explore.
    ShowView(ExploreView),
    ShowTrain,
    ShowEvaluate,
    /// Evaluates what the form says.
    StartEvaluation,
    StopEvaluation,
    ContinueEvaluation,
    /// Opens a model for the plan of evaluations, or data of its own.
    AddEvaluated,
    ChooseEvaluatedData,
    OpenResults,
    /// Writes the table of results to a file.
    ExportResults,
    StartTraining,
    PauseTraining,
    CheckpointTraining,
    StopTraining,
    ChooseTrainData,
    OpenRun,
    /// Watches the query while a model is trained.
    PinQuery,
    /// Opens a model or a run beside the open model.
    OpenOther,
    /// Shows a run's checkpoints one after the other, or stops.
    PlayCheckpoints,
    PreviousCheckpoint,
    NextCheckpoint,
    NextTheme,
    /// Copies what is on show as a line of text that opens it again.
    CopyLink,
    /// Asks for such a line.
    OpenLink,
    /// Makes the whole interface larger, smaller, or as it was.
    Zoom(Zoom),
    /// Shows or hides the three steps to begin with.
    ToggleHint,
    Palette,
    Help,
    Quit,
}

/// A change of the interface's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoom {
    In,
    Out,
    Reset,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct ActionInfo {
    /// What it does.
    pub action: Action,
    /// Its name in the palette and the list of keys.
    pub name: &'static str,
    /// The heading that it stands under.
    pub group: &'static str,
    /// Its keys, alternatives.
    pub keys: &'static [KeyboardShortcut],
}

const NONE: Modifiers = Modifiers::NONE;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::ALT;
const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = CTRL.plus(SHIFT);

/// A row of the table; `keys` are alternatives.
macro_rules! row {
    ($group:literal, $name:literal, $action:expr $(, $modifiers:ident + $key:ident)*) => {
        ActionInfo {
            action: $action,
            name: $name,
            group: $group,
            keys: &[$(KeyboardShortcut::new($modifiers, Key::$key)),*],
        }
    };
}

/// All actions, those that show a view in the order of [`VIEWS`]. A shortcut with more modifiers stands before one
/// with fewer on the same key, since keys are matched in this order.
pub static ACTIONS: LazyLock<Vec<ActionInfo>> = LazyLock::new(|| {
    let shows_view = VIEWS.iter().map(|info| ActionInfo {
        action: Action::ShowView(info.view),
        name: info.command,
        group: "View",
        keys: info.keys,
    });
    BEFORE_VIEWS.iter().copied().chain(shows_view).chain(AFTER_VIEWS.iter().copied()).collect()
});

/// The rows before those that show a view.
const BEFORE_VIEWS: &[ActionInfo] = &[
    row!("Files", "A picture from a file as query...", Action::OpenPicture, CTRL_SHIFT + O),
    row!("Files", "Open data...", Action::OpenData, CTRL + O),
    row!("Files", "About the open model...", Action::AboutModel, CTRL_SHIFT + M),
    row!("Files", "Open model...", Action::OpenModel, CTRL + M),
    row!("Files", "Open a link (paste it)...", Action::OpenLink, CTRL_SHIFT + L),
    row!("Files", "Copy as link", Action::CopyLink, CTRL + L),
    row!("Figures", "Copy the heatmaps as image", Action::CopyFigure(FigureKind::Heatmaps), CTRL_SHIFT + E),
    row!("Figures", "Copy the galleries as image", Action::CopyFigure(FigureKind::Galleries), CTRL_SHIFT + G),
    row!("Figures", "Copy the caption of the heatmaps", Action::CopyCaption(FigureKind::Heatmaps)),
    row!("Figures", "Copy the caption of the galleries", Action::CopyCaption(FigureKind::Galleries)),
    row!("Figures", "Export heatmaps (Fig. 4, 6)...", Action::Export(FigureKind::Heatmaps), CTRL + E),
    row!("Figures", "Export galleries (Fig. 5, 7, 8, 9)...", Action::Export(FigureKind::Galleries), CTRL + G),
    row!("Figures", "Export a sheet of parts (Fig. 10)...", Action::Export(FigureKind::Parts)),
    row!("Figures", "Export an instance (Fig. 11, 12)...", Action::Export(FigureKind::Instance)),
    row!(
        "Figures",
        "Export the measures of the image (Fig. 3a)...",
        Action::ExportMeasures(MeasurePage::Image)
    ),
    row!(
        "Figures",
        "Export the geometry of the spaces...",
        Action::ExportMeasures(MeasurePage::Sample(SampleMeasure::Geometry))
    ),
    row!(
        "Figures",
        "Export the locality report...",
        Action::ExportMeasures(MeasurePage::Sample(SampleMeasure::Locality))
    ),
    row!(
        "Figures",
        "Export the co-occurrence of patches...",
        Action::ExportMeasures(MeasurePage::Sample(SampleMeasure::Cooccurrence))
    ),
    row!("Figures", "Export the toy world of co-occurrence...", Action::ExportMeasures(MeasurePage::World)),
    row!("Figures", "Export the scatter of patches...", Action::ExportScatter),
    row!("Images", "Find an image or class", Action::FindImage, CTRL + F),
    row!("Images", "Walk through the images", Action::WalkImages, NONE + I),
    row!("Images", "Random image", Action::RandomImage, NONE + R),
    row!("Images", "Next image", Action::NextImage, NONE + PageDown),
    row!("Images", "Previous image", Action::PreviousImage, NONE + PageUp),
    row!("Query", "Back", Action::Back, ALT + ArrowLeft, NONE + Backspace),
    row!("Query", "Forward", Action::Forward, ALT + ArrowRight),
    row!("Query", "Mark the query as a position", Action::MarkQuery, NONE + M),
    row!("Query", "Add what is under the pointer", Action::AddPointed, NONE + A),
    row!("Query", "Subtract what is under the pointer", Action::SubtractPointed, NONE + S),
    row!("Query", "Pin what is under the pointer, or the query", Action::Pin, NONE + B),
    row!("Query", "Redo", Action::Redo, CTRL_SHIFT + Z, CTRL + Y),
    row!("Query", "Undo (image, query, settings, pins)", Action::Undo, CTRL + Z),
    row!("Query", "Remove the last part", Action::RemovePart, NONE + Delete),
    row!("Query", "Ten strides left", Action::Move { right: -10, down: 0 }, SHIFT + ArrowLeft),
    row!("Query", "Ten strides right", Action::Move { right: 10, down: 0 }, SHIFT + ArrowRight),
    row!("Query", "Ten strides up", Action::Move { right: 0, down: -10 }, SHIFT + ArrowUp),
    row!("Query", "Ten strides down", Action::Move { right: 0, down: 10 }, SHIFT + ArrowDown),
    row!("Query", "One stride left", Action::Move { right: -1, down: 0 }, NONE + ArrowLeft),
    row!("Query", "One stride right", Action::Move { right: 1, down: 0 }, NONE + ArrowRight),
    row!("Query", "One stride up", Action::Move { right: 0, down: -1 }, NONE + ArrowUp),
    row!("Query", "One stride down", Action::Move { right: 0, down: 1 }, NONE + ArrowDown),
    row!("Compare", "Compare with a model or run...", Action::OpenOther, CTRL + K),
    row!("Compare", "Play the run's checkpoints, or stop", Action::PlayCheckpoints, NONE + Space),
    row!("Compare", "Previous checkpoint", Action::PreviousCheckpoint, NONE + Comma),
    row!("Compare", "Next checkpoint", Action::NextCheckpoint, NONE + Period),
    row!("View", "Heatmaps more transparent", Action::Opacity(-10), NONE + OpenBracket),
    row!("View", "Heatmaps more opaque", Action::Opacity(10), NONE + CloseBracket),
    row!("View", "Cosines", Action::View(MapMode::Cosine), NONE + Num1),
    row!("View", "Ranks within the image", Action::View(MapMode::Ranks), NONE + Num2),
    row!("View", "Difference of two spaces", Action::View(MapMode::Difference), NONE + Num3),
    row!("View", "Spaces as pictures (PCA)", Action::View(MapMode::Pictures), NONE + Num4),
    row!("View", "Next page of measures", Action::NextMeasures, SHIFT + N),
    row!("View", "Lengths of vectors", Action::View(MapMode::Lengths), NONE + Num9),
];

/// Those after them.
const AFTER_VIEWS: &[ActionInfo] = &[
    row!("View", "Contour at a threshold", Action::ToggleContour, NONE + C),
    row!("View", "Preview the patch under the pointer, or stop", Action::TogglePreview, NONE + V),
    row!("View", "Grid of heatmap cells", Action::ToggleGrid, NONE + G),
    row!("View", "Whole image again", Action::ResetZoom, NONE + Num0),
    row!("View", "Next theme (light, dark, system)", Action::NextTheme, NONE + T),
    row!(
        "Measures",
        "Measures: how the spaces lie",
        Action::ShowMeasures(MeasurePage::Sample(SampleMeasure::Geometry))
    ),
    row!("Measures", "Measure how the spaces lie", Action::StartMeasure(SampleMeasure::Geometry)),
    row!("Measures", "Stop measuring how the spaces lie", Action::StopMeasure(SampleMeasure::Geometry)),
    row!(
        "Measures",
        "Measures: how local the spaces are",
        Action::ShowMeasures(MeasurePage::Sample(SampleMeasure::Locality))
    ),
    row!("Measures", "Measure how local the spaces are", Action::StartMeasure(SampleMeasure::Locality)),
    row!("Measures", "Stop measuring how local the spaces are", Action::StopMeasure(SampleMeasure::Locality)),
    row!(
        "Measures",
        "Measures: which patches stand together",
        Action::ShowMeasures(MeasurePage::Sample(SampleMeasure::Cooccurrence))
    ),
    row!(
        "Measures",
        "Measure which patches stand together",
        Action::StartMeasure(SampleMeasure::Cooccurrence)
    ),
    row!(
        "Measures",
        "Stop measuring which patches stand together",
        Action::StopMeasure(SampleMeasure::Cooccurrence)
    ),
    row!("Measures", "Measures: co-occurrence in a toy world", Action::ShowMeasures(MeasurePage::World)),
    row!("Measures", "Start over in the toy world", Action::StartWorld),
    row!("Measures", "Pause the toy world, or go on", Action::PauseWorld),
    row!("Scatter", "Pick all points in sight", Action::PickSeen, SHIFT + L),
    row!("Scatter", "Lasso: drag an outline about points, or stop", Action::ToggleLasso, NONE + L),
    row!("Scatter", "Let go of the picked points", Action::DropPicked),
    row!("Scatter", "Export the table of picked points...", Action::ExportPicked),
    row!("Training", "Start training", Action::StartTraining, CTRL + Enter),
    row!("Training", "Pause or resume training", Action::PauseTraining, CTRL + T),
    row!("Training", "Write a checkpoint now", Action::CheckpointTraining, CTRL + S),
    row!("Training", "Stop training (can be resumed)", Action::StopTraining),
    row!("Training", "Data for training...", Action::ChooseTrainData),
    row!("Training", "Open a run folder...", Action::OpenRun, CTRL + R),
    row!("Training", "Pin the query patch in Train", Action::PinQuery, NONE + K),
    row!("Evaluation", "Start the evaluation", Action::StartEvaluation, CTRL_SHIFT + Enter),
    row!("Evaluation", "Stop the evaluation (what is done is kept)", Action::StopEvaluation),
    row!("Evaluation", "Continue the evaluation", Action::ContinueEvaluation),
    row!("Evaluation", "Add a model to evaluate...", Action::AddEvaluated),
    row!("Evaluation", "Data for evaluating...", Action::ChooseEvaluatedData),
    row!("Evaluation", "Open results...", Action::OpenResults),
    row!("Evaluation", "Export the results...", Action::ExportResults),
    row!("Window", "Explore", Action::ShowExplore, CTRL + Num1),
    row!("Window", "Train", Action::ShowTrain, CTRL + Num2),
    row!("Window", "Evaluate", Action::ShowEvaluate, CTRL + Num3),
    row!("Window", "Pause or resume embedding", Action::PauseExtraction, NONE + P),
    row!("Window", "Kept vectors (disk, limit, clear)...", Action::AboutVectors),
    row!("Window", "Larger interface", Action::Zoom(Zoom::In), CTRL + Plus, CTRL + Equals),
    row!("Window", "Smaller interface", Action::Zoom(Zoom::Out), CTRL + Minus),
    row!("Window", "Interface of usual size", Action::Zoom(Zoom::Reset), CTRL + Num0),
    row!("Window", "All commands", Action::Palette, CTRL + P),
    row!("Window", "Three steps to begin", Action::ToggleHint, SHIFT + F1),
    row!("Window", "Keys", Action::Help, NONE + F1),
    row!("Window", "Quit", Action::Quit, CTRL + Q),
];

impl Action {
    /// Whether it works on what the Explore tab shows, and on nothing else.
    pub fn is_of_explore(self) -> bool {
        let info = ACTIONS.iter().find(|info| info.action == self);
        let by_group = info.is_some_and(|info| ["Images", "Query", "Compare"].contains(&info.group));
        by_group
            || matches!(
                self,
                Action::Opacity(_) | Action::ToggleGrid | Action::TogglePreview | Action::ResetZoom
            )
    }
}

/// What the mouse does, for the list of keys.
pub const MOUSE: &[(&str, &str)] = &[
    ("Make the patch under the pointer the query", "Click"),
    ("Make a box of any size the query", "Drag"),
    ("Add a patch, box or neighbour to the query", "Shift and the same"),
    ("Subtract it from the query", "Alt (or Ctrl) and the same"),
    ("Values of the patch under the pointer", "Hover"),
    ("Go to a neighbour", "Click it"),
    ("Mark a position in the instance view, or let go of it", "Click"),
    ("What can be done with a patch or neighbour", "Right click"),
    ("Draw an outline about points of the scatter", "Shift and drag"),
    ("Zoom", "Wheel"),
    ("Pan", "Drag with the right or middle button"),
    ("Whole image again", "Double-click"),
    ("Open a picture, a folder or a model", "Drop it"),
    ("Open a link", "Paste it"),
];

/// The actions whose keys were pressed since the last frame. Keys that would
/// edit text are left to a widget that has the focus.
pub fn take_pressed(ctx: &Context) -> Vec<Action> {
    let typing = ctx.egui_wants_keyboard_input();
    let mut pressed = Vec::new();
    for info in ACTIONS.iter() {
        for shortcut in info.keys {
            let edits = shortcut.conflicts_with_text_editing() && shortcut.logical_key != Key::F1;
            if typing && (edits || matches!(info.action, Action::Undo | Action::Redo)) {
                continue;
            }
            let times =
                ctx.input_mut(|input| input.count_and_consume_key(shortcut.modifiers, shortcut.logical_key));
            pressed.extend(std::iter::repeat_n(info.action, times.min(4)));
        }
    }
    pressed
}

/// The keys of an action as the platform writes them, alternatives joined by "or"; empty if it has none.
pub fn keys_text(ctx: &Context, info: &ActionInfo) -> String {
    let text = |shortcut: &KeyboardShortcut| match shortcut.logical_key {
        Key::OpenBracket => "[".to_owned(),
        Key::CloseBracket => "]".to_owned(),
        _ => ctx.format_shortcut(shortcut),
    };
    info.keys.iter().map(text).collect::<Vec<_>>().join(" or ")
}

/// The keys of `action`, for a tooltip.
pub fn keys_of(ctx: &Context, action: Action) -> String {
    ACTIONS.iter().find(|info| info.action == action).map_or_else(String::new, |info| keys_text(ctx, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things_and_longer_chords_come_first() {
        let mut seen: Vec<&KeyboardShortcut> = Vec::new();
        for shortcut in ACTIONS.iter().flat_map(|info| info.keys) {
            for earlier in &seen {
                assert_ne!(*earlier, shortcut);
                // egui matches a key without Shift or Alt when these are held too, but not with Ctrl.
                let hidden = earlier.logical_key == shortcut.logical_key
                    && earlier.modifiers.command == shortcut.modifiers.command
                    && !earlier.modifiers.any();
                assert!(!hidden, "{shortcut:?} is never reached");
            }
            seen.push(shortcut);
        }
    }

    #[test]
    fn each_action_has_its_own_row_and_name() {
        for (index, info) in ACTIONS.iter().enumerate() {
            for other in &ACTIONS[..index] {
                assert!(other.action != info.action && other.name != info.name, "{}", info.name);
            }
        }
    }
}
