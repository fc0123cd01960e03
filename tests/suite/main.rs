//! All integration tests in one binary, so that the tensor stack is linked once.

#![allow(clippy::disallowed_methods, reason = "tests lay broken files in place as they like")]
#![allow(clippy::print_stdout, reason = "tests say what they skip and found")]

mod checkpoints; // files of other programs, against their own libraries
mod cli; // the commands, as a script sees them
mod codes; // search by codes: what is there, and who goes by them
mod compare; // two models, and the checkpoints of a run, beside each other
mod conventions; // of released training code, as settings
mod copies; // exact copies of images, folded by commands and window
mod counting; // what a thread allocates
mod disk; // files that are no files, two writers, what kills leave, damage
mod engine; // the thread behind the window, with the demo model and data
mod engine_bank;
mod engine_gpu; // cosines on a GPU in the explorer and the comparison, against the CPU
mod engine_views; // the views' part of that thread
mod eval; // accuracy of features: classifiers, aggregates, cache
mod figures; // the paper's figures by number: bytes, fonts, words, errors
mod finite; // values that are not finite: commands, settings
mod gone; // data that cannot be read for a while, that are broken, or missing
mod gui; // the window, by role and label, on software Vulkan
mod gui_bank;
mod gui_browse; // the list of images: search, keyboard, a million of them
mod gui_charts; // the Train tab's charts: what tells runs apart, numbers, axes, sizes
mod gui_compare; // two models in the window: side by side, scrubbing, playing
mod gui_cooccurrence; // section 3 on real patches in the Measures view, and its part of the engine
mod gui_ease; // first steps, recent files, links, size of the interface
mod gui_evaluate; // the Evaluate tab, and its part of the engine
mod gui_export; // the dialog for figures, by role and label
mod gui_fit; // nothing is cut in Explore, in dialogs, in the list of keys, at any size
mod gui_gallery; // neighbours looked at closely
mod gui_instance; // marked positions with a gallery for each, by role and label
mod gui_kept; // kept vectors: what they take, their limit, clearing them
mod gui_look; // each panel against its picture, names for screen readers
mod gui_measures; // the Measures view, and its part of the engine
mod gui_microscope; // the same point at several patch sizes, by role and label
mod gui_model; // the dialog about the open model: resolutions and tiles
mod gui_query; // queries of several parts, boxes, previews
mod gui_run_form; // the form for a new run with the engine's part played: budget, settings, command
mod gui_scatter; // the Scatter view, and its part of the engine
mod gui_sizes; // whether anything is cut at sizes of the window and of the interface, for every tab
mod gui_train; // the Train tab with the real engine and tiny runs
mod gui_views; // ways to look at heatmaps and galleries, by role and label
mod gui_world; // the toy world of section 3 in the Measures view, and its part of the engine
mod imports; // who imports whom in src
mod kept;
mod layering; // floors, wings, circles, outside crates, names of types
mod layouts; // checkpoints of other programs in other layouts, folders of them
mod measures; // figure 3a, geometry, locality, co-occurrence as commands
mod memory; // what the program fills of main memory, against --memory
mod merging; // parts of a bank, made apart and put together
mod methods; // training by each objective, BYOL's checkpoints
mod model; // networks against torchvision
mod notices; // training: what is left out, collapse alarms, in words, folder and window
mod outputs; // nothing is written over what is read
mod precision; // mixed precision beside float32
mod remote; // the window here, the engine in another process
mod results; // the page of results, from run folders, results folders and measures
mod resume; // what a checkpoint is held against, older ones in place of it
mod run; // training: resume, reproducibility, NaN
mod shaders; // every shader through naga
mod signals; // who asks the program to end, and nobody who listens
mod spread; // which images are taken where not all are, by the program
mod support; // paths, real data, running the program
mod tokens; // places of feature maps as spaces
mod transformers; // files of vision transformers, against their own libraries
mod trust; // hostile bytes, kills, disks that fail, writers beside each other
mod vit_names; // transformers whose arrays are named like others'
mod xvfb; // the real program in a real window, worked by mouse and keyboard
