//! METIS graph files.

use super::assemble::{Entries, Mirror};
use super::text::{Line, Lines};
use super::{Field, Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize};

/// First line of a file: `vertices edges [fmt [ncon]]`.
struct Header {
    vertices: u64,
    edges: u64,
    /// Numbers in front of the neighbours: the vertex's size and weights, which are skipped.
    skipped: u64,
    edge_weights: bool,
}

/// One line for each vertex: its neighbours, counted from 1, each followed by the edge's weight
/// when the header says so. Each edge stands in the lines of both its ends.
pub(super) fn read(
    lines: &mut Lines<'_>,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    let header = match lines.next_data(b"%")? {
        Some(line) => header(line, options)?,
        None => return Err(lines.truncated("the header, `vertices edges [fmt [ncon]]`")),
    };
    let mut entries = Entries::default();
    for vertex in 0..header.vertices {
        let line = loop {
            match lines.next()? {
                Some(line) if line.is_comment(b"%") => {}
                Some(line) => break line,
                None => {
                    let expected = format!("{} vertex lines, there are {vertex}", header.vertices);
                    return Err(lines.truncated(expected));
                }
            }
        };
        neighbours(line, vertex, &header, &mut entries)?;
    }
    if let Some(line) = lines.next_data(b"%")? {
        let expected = format!("the end of the file after {} vertex lines", header.vertices);
        return Err(line.syntax(expected, line.fields().next()));
    }
    let listed = entries.len() as u64;
    if header.edges.checked_mul(2) != Some(listed) {
        let expected = format!("2 x {} neighbours, there are {listed}", header.edges);
        return Err(lines.truncated(expected));
    }
    let mirror = if options.symmetrize == Symmetrize::Always { Mirror::Same } else { Mirror::No };
    let field = if header.edge_weights { Field::Integer } else { Field::Pattern };
    let size = (header.vertices, header.vertices);
    entries.finish(size, Format::Metis, field, mirror, options)
}

fn header(line: Line<'_>, options: &ReadOptions) -> Result<Header, ReadError> {
    let mut fields = line.fields();
    let vertices = options.dimension(line, fields.next(), "the number of vertices")?;
    let edges = line.unsigned(fields.next(), "the number of edges", 0..=u64::MAX)?;
    let format = fields.next();
    let flags = match format {
        None => [false; 3],
        Some(digits) if digits.len() <= 3 && digits.iter().all(|d| matches!(d, b'0' | b'1')) => {
            let mut flags = [false; 3];
            for (flag, digit) in flags.iter_mut().rev().zip(digits.iter().rev()) {
                *flag = *digit == b'1';
            }
            flags
        }
        _ => return Err(line.syntax("a format of up to three digits 0 or 1", format)),
    };
    let [vertex_size, vertex_weights, edge_weights] = flags;
    let constraints = match fields.next() {
        None => 1,
        field => line.unsigned(field, "the number of vertex weights", 1..=1024)?,
    };
    line.end(fields, "the header")?;
    let skipped = u64::from(vertex_size) + if vertex_weights { constraints } else { 0 };
    Ok(Header { vertices, edges, skipped, edge_weights })
}

fn neighbours(
    line: Line<'_>,
    vertex: u64,
    header: &Header,
    entries: &mut Entries,
) -> Result<(), ReadError> {
    let mut fields = line.fields();
    for _ in 0..header.skipped {
        line.unsigned(fields.next(), "a vertex size or weight", 0..=u64::MAX)?;
    }
    while let Some(field) = fields.next() {
        let neighbour = line.unsigned(Some(field), "a neighbour", 1..=header.vertices)? - 1;
        let value = if header.edge_weights { line.integer(fields.next())? } else { 1.0 };
        entries.push(vertex, neighbour, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read_matrix_from;
    use super::*;

    fn load(text: &str) -> Result<LoadedMatrix, ReadError> {
        let format = Some(Format::Metis);
        read_matrix_from(text.as_bytes(), &ReadOptions { format, ..ReadOptions::default() })
    }

    #[test]
    fn plain_graph_with_an_isolated_vertex() {
        let file = load("% path\n4 2 0\n2\n1 3\n2\n\n").unwrap();
        let positions: Vec<_> = file.matrix.entries().map(|(row, col, _)| (row, col)).collect();
        assert_eq!(positions, [(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!((file.matrix.rows(), file.field), (4, Field::Pattern));
    }

    #[test]
    fn weights_of_vertices_are_skipped_and_of_edges_kept() {
        let file = load("2 1 111 2\n9 8 7 2 5\n9 8 7 1 5\n").unwrap();
        assert_eq!(file.matrix.values(), [5.0, 5.0]);
        let file = load("2 1 10\n9 2\n9 1\n").unwrap();
        assert_eq!((file.matrix.nnz(), file.field), (2, Field::Pattern));
    }
}
