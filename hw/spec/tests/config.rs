//! Card configurations: reference cards, error messages word for word, and hostile text.

use mattock_spec::config::{REFERENCE_NAMES, config_markdown};
use mattock_spec::{CardConfig, ConfigError};
use proptest::prelude::*;

#[test]
fn reference_cards_are_sound_and_survive_printing() {
    for name in REFERENCE_NAMES {
        let card = CardConfig::reference(name).unwrap();
        assert_eq!(card.name, name);
        assert_eq!(CardConfig::from_toml(&card.to_toml()), Ok(card.clone()));
        card.check().unwrap();
    }
}

#[test]
fn digests_ignore_layout_and_notice_every_change() {
    let card = CardConfig::reference("tiny").unwrap();
    // The digest names cards in the field: it may only change together with the configuration.
    insta::assert_snapshot!(format!("{:016x}\n{}", card.digest(), card.to_toml()));
    let spaced = card.to_toml().replace('=', "  =\t").replace('\n', "\n# comment\n");
    assert_eq!(CardConfig::from_toml(&spaced).unwrap().digest(), card.digest());
    let mut other = card.clone();
    other.gemm.as_mut().unwrap().cols = 8;
    assert_ne!(other.digest(), card.digest());
}

#[test]
fn the_key_table_is_stable() {
    insta::assert_snapshot!(config_markdown());
}

#[test]
fn only_what_is_built_is_buildable() {
    for name in REFERENCE_NAMES {
        CardConfig::reference(name).unwrap().check_buildable().unwrap();
    }
    let text = CardConfig::reference("tiny").unwrap().to_toml();
    let asks = [
        CardConfig::from_toml(&text.replace("i8,i8,i32", "i16,i8,i32")).unwrap(),
        CardConfig::from_toml(&text.replace("control = \"host\"", "control = \"riscv\"")).unwrap(),
        CardConfig::from_toml(&GEMM.replace("[gemm]", "control = \"riscv\"\n[gemm]\nbatch = true"))
            .unwrap(),
        CardConfig::from_toml(&UART.replace("[gemm]", "[gemm]\nbatch = true")).unwrap(),
    ];
    let messages: Vec<String> =
        asks.iter().map(|c| c.check_buildable().unwrap_err().to_string()).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

/// An error as a user sees it: the message, its place, and the text it points to.
fn show(text: &str) -> String {
    let error = CardConfig::from_toml(text).unwrap_err();
    let place = match (&error.span, error.line_column(text)) {
        (Some(span), Some((line, column))) => format!("{line}:{column} `{}`", &text[span.clone()]),
        _ => "no place".into(),
    };
    format!("{place}\n  {error}\n")
}

const GEMM: &str = "name = \"x\"\n[gemm]\nrows = 4\ncols = 4\ntuples = [\"i8,i8,i32\"]\n";
const UART: &str = "name = \"x\"\nhost = \"uart\"\n[memory]\nkib = 64\n[uart]\nbaud = 115200\n[gemm]\nrows = 4\ncols = 4\ntuples = [\"i8,i8,i32\"]\n";
const SPGEMM: &str = "name = \"x\"\n[spgemm]\n";

#[test]
fn every_kind_of_mistake_names_key_value_rule_and_next_step() {
    let with = |base: &str, from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replace(from, to)
    };
    let texts = [
        // Not TOML, wrong types, missing and unknown keys.
        "name = ".into(),
        "name = \"x\"\nname = \"y\"\n".into(),
        with(GEMM, "rows = 4", "rows = \"four\""),
        with(GEMM, "rows = 4\n", ""),
        with(GEMM, "rows = 4", "row = 4\nrows = 4"),
        with(GEMM, "[gemm]", "[jemm]"),
        with(GEMM, "name = \"x\"", "name = \"x\"\nmemory = 3"),
        "name = \"x\"\n".into(),
        with(GEMM, "\"x\"", "\"8bit\""),
        // Values alone.
        with(GEMM, "rows = 4", "rows = 0"),
        with(GEMM, "rows = 4", "rows = -4"),
        with(GEMM, "rows = 4", "rows = 99999999999999999999"),
        with(GEMM, "rows = 4", "rows = 4.0"),
        with(GEMM, "rows = 4", "rows = 0x1000"),
        with(GEMM, "name = \"x\"", "name = \"x\"\nhost = \"pcie\""),
        with(GEMM, "name = \"x\"", "name = \"x\"\ncontrol = \"risc-v\""),
        with(GEMM, "[gemm]", "[memory]\nbus_bytes = 48\n[gemm]"),
        with(GEMM, "[gemm]", "[memory]\nbus_bytes = 4\n[gemm]\nbatch = true"),
        with(GEMM, "i8,i8,i32", "i8,i33,i32"),
        with(GEMM, "i8,i8,i32", "i8,f16,f32"),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"i8,i8,i32\", \"i8,i8,i32\"]"),
        with(GEMM, "[\"i8,i8,i32\"]", "[]"),
        with(GEMM, "[\"i8,i8,i32\"]", "[8]"),
        with(GEMM, "[gemm]", "[memory]\nkib = 48\n[gemm]"),
        with(GEMM, "[gemm]", "[memory]\nkib = 64\n[gemm]"),
        with(GEMM, "[gemm]", "[uart]\nbaud = 115200\n[gemm]"),
        with(GEMM, "name = \"x\"", "name = \"x\"\nhost = \"uart\""),
        with(UART, "baud = 115200", "baud = 300"),
        with(UART, "baud = 115200", "baud = 11800000"),
        with(UART, "baud = 115200", "baud = 20000000"),
        with(UART, "kib = 64", "kib = 64\naddress_bits = 15"),
        with(UART, "kib = 64", "kib = 128\naddress_bits = 16"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nadder_latency = 2"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nvalues = [\"f64\"]"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nvalues = [\"f32\", \"f32\"]"),
        with(GEMM, "rows = 4", "rows = 4\npe = \"row\""),
        with(GEMM, "rows = 4", "rows = 4\narray = \"systolc\""),
        // Values together.
        with(
            GEMM,
            "tuples = [\"i8,i8,i32\"]",
            "pe = \"rows\"\ntuples = [\"i8,i8,i32\", \"e4m3,e4m3,f32\"]",
        ),
        with(GEMM, "tuples = [\"i8,i8,i32\"]", "pe = \"dsp-packed\"\ntuples = [\"i8,i4,i32\"]"),
        with(
            GEMM,
            "cols = 4\ntuples = [\"i8,i8,i32\"]",
            "cols = 3\npe = \"dsp-packed\"\ntuples = [\"i4,i4,i32\"]",
        ),
        with(GEMM, "cols = 4", "cols = 4\narray = \"systolic\"\npe = \"lut\""),
        with(GEMM, "rows = 4", "rows = 6\narray = \"tree\""),
        with(GEMM, "rows = 4", "rows = 4\narray = \"cube\"\nk_split = 2"),
        with(GEMM, "tuples = [\"i8,i8,i32\"]", "k_split = 2\ntuples = [\"e4m3,e4m3,f32\"]"),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"f16,f16,f32\", \"e4m3,e4m3,f32\"]"),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"f16,f16,f32\"]\npe = \"fp\""),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"f16,f16,f32\"]\narray = \"cube\""),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"f16,f16,f32\"]\nk_split = 2"),
        with(GEMM, "[\"i8,i8,i32\"]", "[\"f16,f32,f32\"]\nalign = 2"),
        with(
            GEMM,
            "rows = 4\ncols = 4\ntuples = [\"i8,i8,i32\"]",
            "rows = 64\ncols = 4\ntuples = [\"f16,f16,f32\"]",
        ),
        with(
            GEMM,
            "rows = 4\ncols = 4\ntuples = [\"i8,i8,i32\"]",
            "rows = 8\ncols = 4\ntuples = [\"f32,f32,f32\"]",
        ),
        with(GEMM, "rows = 4", "rows = 4\nbatch = 1"),
        with(GEMM, "rows = 4", "rows = 256\na_kib = 4"),
        with(GEMM, "rows = 4", "rows = 4\nacc_bits = 12"),
        with(GEMM, "rows = 4\ncols = 4", "rows = 64\ncols = 64\nresult_kib = 8"),
        with(GEMM, "[gemm]", "[memory]\naddress_bits = 16\n[gemm]\nresult_kib = 128"),
        with(SPGEMM, "[spgemm]", "[memory]\naddress_bits = 16\n[spgemm]"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nbanks = 2"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nlanes = 2\nbanks = 2"),
        with(SPGEMM, "[spgemm]", "[spgemm]\nentries_per_half = 64"),
        with(SPGEMM, "[spgemm]", "[spgemm]\ncache_kib = 4"),
        with(SPGEMM, "[spgemm]", "[spgemm]\ncache_kib = 4\nmisses = 8\ncache_banks = 16"),
    ];
    let page: Vec<String> = texts.iter().map(|t| show(t)).collect();
    insta::assert_snapshot!(page.join("\n"));
}

#[test]
fn an_unknown_reference_card_names_the_nearest() {
    let message = |name| CardConfig::reference(name).unwrap_err().to_string();
    insta::assert_snapshot!(format!("{}\n{}", message("bench61"), message("")));
}

#[test]
fn a_configuration_built_in_code_is_checked_like_one_from_text() {
    let mut card = CardConfig::reference("small").unwrap();
    card.gemm.as_mut().unwrap().rows = 3000;
    let ConfigError { key, value, span, .. } = card.check().unwrap_err();
    assert_eq!((key.as_str(), value.as_str(), span), ("gemm.rows", "3000", None));
    let mut card = CardConfig::reference("small").unwrap();
    card.spgemm.as_mut().unwrap().values.clear();
    assert_eq!(card.check().unwrap_err().key, "spgemm.values");
}

/// Lines that are nearly right, so that random texts get past the parser.
fn nearly_toml() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("name"),
        Just("host"),
        Just("memory"),
        Just("rows"),
        Just("cols"),
        Just("tuples"),
        Just("a_kib"),
        Just("result_kib"),
        Just("bus_bytes"),
        Just("address_bits"),
        Just("banks"),
        Just("ways"),
        Just("misses"),
        Just("cache_kib"),
        Just("entries_per_half"),
        Just("values"),
        Just("acc_bits"),
        Just("seed"),
        Just("\"\""),
        Just("a.b"),
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|i| i.to_string()),
        (0u32..4096).prop_map(|i| i.to_string()),
        (0u32..32).prop_map(|i| (1u64 << i).to_string()),
        "[a-z0-9,\\[\\]\"{}=]{0,12}",
        "\"[a-z0-9,\u{e9}]{0,10}\"".prop_map(|s| s),
        Just("[\"i8,i8,i32\", \"u4,i16,i32\"]".into()),
        Just("1979-05-27".into()),
        Just("inf".into()),
        Just("{ rows = 1 }".into()),
    ];
    let line = prop_oneof![
        4 => (key, value).prop_map(|(k, v)| format!("{k} = {v}")),
        1 => Just("[gemm]".to_owned()), 1 => Just("[spgemm]".to_owned()),
        1 => Just("[memory]".to_owned()), 1 => Just("name = \"x\"".to_owned()),
        1 => Just("[[gemm]]".to_owned()),
    ];
    proptest::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

/// What must hold for any text: no panic, and a useful error or a card that survives printing.
fn is_handled(text: &str) -> Result<(), TestCaseError> {
    match CardConfig::from_toml(text) {
        Ok(card) => {
            prop_assert_eq!(CardConfig::from_toml(&card.to_toml()), Ok(card.clone()));
            prop_assert!(card.check().is_ok());
            let rom = mattock_spec::regs::capability_rom(&card);
            prop_assert!(rom.len() <= mattock_spec::regs::CAPABILITY_WORDS as usize);
        }
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            if let Some(span) = &error.span {
                prop_assert!(text.get(span.clone()).is_some());
            }
            let _ = error.line_column(text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        is_handled(&text)?;
    }

    #[test]
    fn no_nearly_right_text_panics(text in nearly_toml()) {
        is_handled(&text)?;
    }

    #[test]
    fn no_damaged_reference_card_panics(
        which in 0..REFERENCE_NAMES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut text = CardConfig::reference(REFERENCE_NAMES[which]).unwrap().to_toml().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(text) = std::str::from_utf8(&text) {
            is_handled(text)?;
        }
    }

    #[test]
    fn numbers_in_range_are_accepted(
        rows in 1u32..=64, cols in 1u32..=64, bus in 3u32..=6, bits in 32u32..=64,
    ) {
        let text = format!(
            "name = \"x\"\n[memory]\nbus_bytes = {}\naddress_bits = {bits}\n[gemm]\nrows = {rows}\n\
             cols = {cols}\ntuples = [\"i8,i8,i32\", \"i4,i8,i32\"]\n", 1 << bus);
        let card = CardConfig::from_toml(&text).unwrap();
        prop_assert_eq!(card.gemm.unwrap().rows, rows);
    }
}
