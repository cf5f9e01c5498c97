//! Broken cells, and that their proofs refute them: a proof that no mistake can fail proves nothing.

use super::checker::{Model, Question, Verdict};
use super::on_all_cores;
use mattock_hw::formal::proofs;
use mattock_toolbox::Toolbox;

/// A mistake in the Verilog of one cell.
struct Mutation {
    /// The mistake, in words.
    what: &'static str,
    /// Begin of the harness's name.
    harness: &'static str,
    /// Begin of the cell's name.
    cell: &'static str,
    /// A text of the cell, and what stands there instead.
    change: (&'static str, &'static str),
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "a word that arrives at a full buffer overwrites the waiting one",
        harness: "proof_skid",
        cell: "skid",
        change: ("wire room = ", "wire room = 1'b1 | "),
    },
    Mutation {
        what: "the spare word is not sent",
        harness: "proof_skid",
        cell: "skid",
        change: ("spare_valid ? spare : in_data", "in_data"),
    },
    Mutation {
        what: "full is noticed a word late",
        harness: "proof_fifo_w1_d4",
        cell: "fifo",
        change: ("next_count != 3'd4", "next_count != 3'd5"),
    },
    Mutation {
        what: "a word is read twice",
        harness: "proof_fifo_w1_d4",
        cell: "fifo",
        change: ("if (pop) head", "if (pop & (head != 2'd2)) head"),
    },
    Mutation {
        what: "the output register is overwritten before its word is taken",
        harness: "proof_block",
        cell: "block_fifo",
        change: ("((~held) | pop)", "1'b1"),
    },
    Mutation {
        what: "a word can be fetched while it is written",
        harness: "proof_block",
        cell: "block_fifo",
        change: ("(stored != 3'd0)", "((stored != 3'd0) | push)"),
    },
    Mutation {
        what: "full is compared with the pointer as it is, not half a turn away",
        harness: "proof_async",
        cell: "async_fifo",
        change: ("{~head_seen_2[2:1], head_seen_2[0]}", "{~head_seen_2[2], head_seen_2[1:0]}"),
    },
    Mutation {
        what: "the pointer that crosses is ahead of what is written",
        harness: "proof_async",
        cell: "async_fifo",
        change: ("if (push) tail_gray", "if (room) tail_gray"),
    },
    Mutation {
        what: "who was served last is forgotten",
        harness: "proof_arbiter_n5",
        cell: "proof_arbiter",
        change: ("turn_last < 3'd4", "turn_last < 3'd5"),
    },
    Mutation {
        what: "two are granted",
        harness: "proof_arbiter_n5",
        cell: "proof_arbiter",
        change: ("wire turn_wrap = ", "wire turn_wrap = asked[0] | "),
    },
    Mutation {
        what: "a place is given back with its neighbour's address",
        harness: "proof_window_k2",
        cell: "window",
        change: ("id_1 <= moves_1 ? gone", "id_1 <= moves_1 ? id_1"),
    },
    Mutation {
        what: "the word that leaves is not the one whose destination was granted",
        harness: "proof_window_k2",
        cell: "window",
        change: ("chosen <= gone", "chosen <= ~gone"),
    },
    Mutation {
        what: "a port is granted to two lanes",
        harness: "proof_crossbar",
        cell: "crossbar",
        change: ("grants_1 <= _t1 & (start_1 | (start_0 & (~_t2)))", "grants_1 <= _t1"),
    },
    Mutation {
        what: "one lane always comes first",
        harness: "proof_crossbar",
        cell: "crossbar",
        change: ("start_0 <= start_1", "start_0 <= start_0"),
    },
    Mutation {
        what: "a sum that others are to be added to is dropped",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire return_deposits = ", "wire return_deposits = 1'b0 & "),
    },
    Mutation {
        what: "a value that waits is dropped",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire arrival_deposits = ", "wire arrival_deposits = 1'b0 & "),
    },
    Mutation {
        what: "a value that waits is added as well",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire arrival_issues = ", "wire arrival_issues = arrival_deposits | "),
    },
    Mutation {
        what: "an arrival does not see the sum that returns for its entry",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire same = ", "wire same = 1'b0 & "),
    },
    Mutation {
        what: "a slot is free while its sum waits",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire free_add = ", "wire free_add = return_deposits | "),
    },
    Mutation {
        what: "an entry's slot is free a sum early",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("wire write = _t8 & _t4", "wire write = _t8"),
    },
    Mutation {
        what: "the value written in this cycle is not seen",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("just_written <= ", "just_written <= 1'b0 & "),
    },
    Mutation {
        what: "a new entry starts at what the memory held",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("new_1 <= ", "new_1 <= 1'b0 & "),
    },
    Mutation {
        what: "the value that waits is read from the other memory",
        harness: "proof_deposit",
        cell: "accumulate",
        change: ("from_arrival <= (from_arrival", "from_arrival <= ~(from_arrival"),
    },
    Mutation {
        what: "a product trusts a bucket that another has just filled",
        harness: "proof_bank",
        cell: "tags",
        change: ("s1_stale <= ", "s1_stale <= 1'b0 & "),
    },
    Mutation {
        what: "a product that goes round again is lost",
        harness: "proof_bank",
        cell: "tags",
        change: ("again <= valid_3", "again <= 1'b0 & valid_3"),
    },
    Mutation {
        what: "a product that finds no room is not told",
        harness: "proof_bank",
        cell: "tags",
        change: ("out_dropped <= drop", "out_dropped <= 1'b0 & drop"),
    },
    Mutation {
        what: "a drain ends while an entry waits to be taken",
        harness: "proof_bank",
        cell: "walk",
        change: ("(out_valid_q_next | out_valid_q)", "out_valid_q_next"),
    },
    Mutation {
        what: "a bucket is drained and not cleared",
        harness: "proof_bank",
        cell: "tags",
        change: ("{written[2] & (~clear[1]), ", "{written[2] | clear[1], "),
    },
];

/// Cycles in which a mistake must show.
const CYCLES: u32 = 40;

#[test]
fn broken_cells_are_refuted() {
    let toolbox = Toolbox::open();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let proofs = proofs();
    let verdicts = on_all_cores(MUTATIONS.len(), |i| {
        let Mutation { what, harness, cell, change: (from, to) } = MUTATIONS[i];
        let proof = proofs.iter().find(|p| p.harness.name().starts_with(harness)).expect(harness);
        let edit = |name: &str, text: &str| {
            if !name.starts_with(cell) {
                return text.to_owned();
            }
            assert_eq!(text.matches(from).count(), 1, "{what}: `{from}` in\n{text}");
            text.replace(from, to)
        };
        let folder = folder.path().join(i.to_string());
        let model = Model::new(&toolbox, &folder, proof, Question::Assertions, edit);
        model.search(&toolbox, CYCLES)
    });
    let mut survivors = vec![];
    for (mutation, verdict) in MUTATIONS.iter().zip(verdicts) {
        println!("{:<12} {:<60} {verdict:?}", mutation.cell, mutation.what);
        if !matches!(verdict, Some(Verdict::Reached(_))) {
            survivors.push(mutation.what);
        }
    }
    assert!(survivors.is_empty(), "not refuted: {survivors:?}");
}
