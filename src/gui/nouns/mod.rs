//! The window's nouns: what can be done, where one can look, what spaces are called. Nothing here draws or
//! remembers.

pub mod actions;
pub mod role;
pub mod spaces;
pub mod tabs;
pub mod text;
pub mod views;

pub use role::Role;
pub use tabs::Tab;
pub use views::ExploreView;
