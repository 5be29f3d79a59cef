//! The functions of `onnx_session.rs` in a build without the feature `onnx`: loading a model
//! answers [`Error::NotCompiled`], so no session ever exists.

use super::onnx_model::{Model, Outlet, Provider};
use crate::{Error, Result};
use std::convert::Infallible;

pub(super) struct Session {
    pub inputs: Vec<Outlet>,
    pub outputs: Vec<Outlet>,
    never: Infallible,
}

impl Session {
    pub fn open(_: Model, _: &str, _: &str, _: Provider, _: usize) -> Result<Session> {
        Err(Error::NotCompiled { feature: "onnx" })
    }

    pub fn run(
        &self,
        _: [usize; 4],
        _: &[f32],
        _: &[&str],
        _: impl FnMut(usize, &[usize], &[f32]) -> Result<()>,
    ) -> Result<()> {
        match self.never {}
    }
}
