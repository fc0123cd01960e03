//! All integration tests in one binary, so that the tensor stack is linked once.

mod cli; // the commands, as a script sees them
mod layering; // a room imports only from floors below it
mod model; // networks against torchvision
mod run; // training: resume, reproducibility, NaN
mod shaders; // every shader through naga
mod support; // paths, real data, running the program
