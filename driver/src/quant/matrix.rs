//! Float matrices: weights before they are quantised, activations.

use super::npy::{Npy, Stored};
use super::{QuantError, npz};
use crate::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// A matrix of binary32, row after row, every element finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// # Errors
    /// [`QuantError`]: another number of values than `rows * cols`, or one that is not finite.
    pub fn new(rows: usize, cols: usize, values: Vec<f32>) -> Result<Matrix, QuantError> {
        if rows.checked_mul(cols) != Some(values.len()) {
            let right = format!("as many as {rows} x {cols}");
            return Err(QuantError::setting("the number of values", values.len(), right));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, col, value) = (at / cols, at % cols, values[at]);
            return Err(QuantError::NotFinite { what: "a value", row, col, value });
        }
        Ok(Matrix { rows, cols, values })
    }

    /// Reads a matrix from a `.npy` file, or the array `name` of a `.npz` file, which may be left out when there is one. Elements of
    /// float16 and float32 are taken as they are, those of float64 are rounded to the nearest.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened, [`Error::QuantFile`] when it holds no such matrix.
    pub fn read(path: &Path, name: Option<&str>) -> Result<Matrix, Error> {
        let wrong = |source| Error::QuantFile { path: path.into(), source };
        let file = open(path)?;
        Self::read_from(BufReader::new(file), name).map_err(wrong)
    }

    /// The same from anything that can be read.
    ///
    /// # Errors
    /// [`QuantError`].
    pub fn read_from(mut file: impl Read + Seek, name: Option<&str>) -> Result<Matrix, QuantError> {
        let mut start = [0; 2];
        let archive = file.read_exact(&mut start).is_ok() && &start == b"PK";
        file.rewind()?;
        if !archive {
            if let Some(name) = name {
                let fault = format!("no archive, so no array `{name}`");
                return Err(QuantError::Name { fault, have: "one without a name".into() });
            }
            let mut bytes = Vec::new();
            file.take(npz::MOST_BYTES).read_to_end(&mut bytes)?;
            return Self::of_array("the file", &Npy::parse("the file", &bytes)?);
        }
        let arrays = npz::read(file)?;
        let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        let refuse = |fault: String| QuantError::Name { fault, have: names.join(", ") };
        let found = match name {
            Some(name) => arrays.iter().find(|(have, _)| have == name),
            None if arrays.len() == 1 => arrays.first(),
            None => return Err(refuse("not one array only, and none was named".into())),
        };
        let (name, array) =
            found.ok_or_else(|| refuse(format!("no array `{}`", name.unwrap_or_default())))?;
        Self::of_array(name, array)
    }

    fn of_array(name: &str, array: &Npy) -> Result<Matrix, QuantError> {
        let (rows, cols) = array.matrix(name)?;
        let values = match array.descr.as_str() {
            half::f16::DESCR => {
                array.values::<half::f16>(name)?.into_iter().map(f32::from).collect()
            }
            f64::DESCR => array.values::<f64>(name)?.into_iter().map(|v| v as f32).collect(),
            f32::DESCR => array.values(name)?,
            other => {
                let right = "float16, float32 or float64, little-endian";
                return Err(QuantError::array(name, format!("its elements are `{other}`"), right));
            }
        };
        Matrix::new(rows, cols, values)
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.cols..][..self.cols]
    }

    /// The transposed matrix.
    pub fn transposed(&self) -> Matrix {
        let values = (0..self.cols)
            .flat_map(|col| (0..self.rows).map(move |row| self.values[row * self.cols + col]));
        Matrix { rows: self.cols, cols: self.rows, values: values.collect() }
    }

    /// Its first `rows` rows, or all.
    pub fn head(&self, rows: usize) -> Matrix {
        let rows = rows.min(self.rows);
        Matrix { rows, cols: self.cols, values: self.values[..rows * self.cols].to_vec() }
    }
}

pub(super) fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| Error::Io { action: "read", path: path.into(), source })
}
