//! Which board a command is about, and where its builds go.

use std::path::PathBuf;

use clap::Args;
use fpga_boards::{BOARDS, Board, board, nearest};

use crate::error::Failure;

/// The option that chooses a board.
#[derive(Args, Clone, Debug)]
pub(crate) struct BoardOption {
    /// Board, such as `ulx3s_85f`; `mattock boards` lists them
    #[arg(long, value_name = "BOARD")]
    board: String,
}

impl BoardOption {
    /// The board of that name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn find(&self, asked: &str) -> Result<&'static Board, Failure> {
        find(asked, "--board", &self.board)
    }
}

/// The board called `name`, as the argument `key` asks for.
///
/// # Errors
/// There is none.
pub(crate) fn find(asked: &str, key: &str, name: &str) -> Result<&'static Board, Failure> {
    board(name).map_err(|_| {
        let names: Vec<&str> = BOARDS.iter().map(|board| board.id).collect();
        let next = match nearest(name, &names) {
            Some(name) => format!("did you mean {name:?}?"),
            None => "list the boards with `mattock boards`".into(),
        };
        let value = format!("{name:?}, which is no board");
        Failure::argument(asked, key, value).allowed(names.join(", ")).next(next).usage()
    })
}

/// Where the build of a card for a board goes unless told otherwise.
pub(crate) fn folder(card: &str, board: &Board) -> PathBuf {
    PathBuf::from("build").join(format!("{card}-{}", board.id))
}
