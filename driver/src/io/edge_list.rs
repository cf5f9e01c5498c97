//! Edge lists as SNAP publishes them.

use super::assemble::{Entries, Mirror};
use super::text::{Line, Lines};
use super::{Field, Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize};

const COMMENTS: &[u8] = b"#%";

/// What the comments say about the edges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Unsaid,
    Directed,
    Undirected,
}

/// Vertices count from 0 and there are as many as the largest needs. Some copies of SNAP files
/// start with a line `vertices edges`: a first line is that, not an edge, when its second number
/// is the number of the other lines and its first is above every vertex.
pub(super) fn read(
    lines: &mut Lines<'_>,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    let mut direction = Direction::Unsaid;
    let mut entries = Entries::default();
    let mut first: Option<(u64, u64)> = None;
    let mut weighted = false;
    while let Some(line) = lines.next()? {
        if line.is_comment(COMMENTS) {
            direction = said(line, direction);
            continue;
        }
        if line.is_blank() {
            continue;
        }
        let (from, to, weight) = edge(line, options)?;
        if first.is_none() {
            weighted = weight.is_some();
            first = Some((from, to));
            if !weighted {
                continue;
            }
        }
        let value = match (weighted, weight) {
            (true, Some(value)) => value,
            (false, None) => 1.0,
            (true, None) => return Err(line.syntax("a weight, as in the first edge", None)),
            (false, Some(_)) => {
                let expected = "no weight, as in the first edge";
                return Err(line.syntax(expected, line.comma_fields().nth(2)));
            }
        };
        entries.push(from, to, value);
    }

    let mut vertices = entries.rows.max(entries.cols);
    match first {
        Some((n, m)) if !weighted => {
            if m == entries.len() as u64 && m > 0 && n >= vertices {
                vertices = n;
            } else {
                entries.push(n, m, 1.0);
                vertices = entries.rows.max(entries.cols);
            }
        }
        _ => {}
    }

    let one_triangle = entries.lower != entries.upper && !entries.diagonal;
    let mirror = match (options.symmetrize, direction) {
        (Symmetrize::Never, _) | (Symmetrize::Auto, Direction::Directed) => Mirror::No,
        (Symmetrize::Always, _) | (_, Direction::Undirected) => Mirror::Same,
        _ if one_triangle => Mirror::Same,
        _ => Mirror::No,
    };
    let field = if weighted { Field::Real } else { Field::Pattern };
    entries.finish((vertices, vertices), Format::EdgeList, field, mirror, options)
}

fn edge(line: Line<'_>, options: &ReadOptions) -> Result<(u64, u64, Option<f64>), ReadError> {
    let mut fields = line.comma_fields();
    let from = options.index(line, fields.next(), "a vertex")?;
    let to = options.index(line, fields.next(), "a vertex")?;
    let weight = match fields.next() {
        None => None,
        field => Some(line.real(field, options.non_finite)?),
    };
    line.end(fields, "the edge")?;
    Ok((from, to, weight))
}

fn said(line: Line<'_>, before: Direction) -> Direction {
    let text = line.bytes.to_ascii_lowercase();
    let contains = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    match before {
        Direction::Unsaid if contains(b"undirected") => Direction::Undirected,
        Direction::Unsaid if contains(b"directed") => Direction::Directed,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_matrix_from;
    use super::*;

    fn load(text: &str) -> Result<LoadedMatrix, ReadError> {
        let format = Some(Format::EdgeList);
        read_matrix_from(text.as_bytes(), &ReadOptions { format, ..ReadOptions::default() })
    }

    fn summary(text: &str) -> (usize, usize, bool) {
        let file = load(text).unwrap();
        (file.matrix.rows(), file.matrix.nnz(), file.mirrored)
    }

    #[test]
    fn separators_and_repeats() {
        assert_eq!(summary("3,1\n1,3\n\n0\t1\r\n0 1\n"), (4, 3, false));
    }

    #[test]
    fn first_line_with_vertices_and_edges() {
        assert_eq!(summary("9 3\n0 1\n1 0\n2 0\n"), (9, 3, false));
        // 2 edges follow, not 3; and a vertex as large as the first number.
        assert_eq!(summary("9 3\n0 1\n1 0\n"), (10, 3, false));
        assert_eq!(summary("2 3\n0 1\n1 0\n2 0\n"), (4, 4, false));
        assert_eq!(summary("5 0\n"), (6, 2, true));
    }

    #[test]
    fn one_strict_triangle_is_mirrored_unless_said_to_be_directed() {
        assert_eq!(summary("0 1\n1 2\n"), (3, 4, true));
        assert_eq!(summary("# Directed graph\n0 1\n1 2\n"), (3, 2, false));
        assert_eq!(summary("# Undirected graph\n0 1\n2 1\n1 1\n"), (3, 5, true));
        assert_eq!(summary("0 1\n1 1\n"), (2, 2, false));
    }

    #[test]
    fn weights_are_values() {
        let file = load("0 1 2.5\n1 0 -1\n").unwrap();
        assert_eq!((file.matrix.values(), file.field), (&[2.5, -1.0][..], Field::Real));
    }

    #[test]
    fn only_comments_is_a_graph_without_vertices() {
        assert_eq!(summary("# nothing\n"), (0, 0, false));
    }
}
