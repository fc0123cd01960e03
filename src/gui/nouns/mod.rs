//! The window's nouns: what can be done, where one can look, what spaces are called. Nothing here draws or
//! remembers.

pub mod actions;
pub mod look;
pub mod query_role;
pub mod spaces;
pub mod tabs;
pub mod text;
pub mod views;

pub use actions::Action;
pub use look::MapLook;
pub use query_role::QueryRole;
pub use tabs::Tab;
pub use views::ExploreView;
