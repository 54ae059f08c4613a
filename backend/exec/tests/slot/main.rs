//! Thunks in slots, with a real static program as their steps: as this user, as uid 1000, and where
//! namespaces are forbidden. Each test holds for every kind of root that it can be run in.

mod fixture;
mod gcc;
mod layout;
mod life;
mod over_host;
mod steps;
mod users;
