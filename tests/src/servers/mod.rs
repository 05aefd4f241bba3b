//! Real servers, from start to stop.

pub mod nginx;
pub mod port;
pub mod postgres;
pub mod processes;
pub mod redis;
pub mod server;
