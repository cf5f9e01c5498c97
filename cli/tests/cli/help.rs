use crate::Session;

#[test]
fn help_of_the_program_and_of_every_command() {
    let session = Session::new();
    let mut text = session.transcript("--help");
    let commands = session.run("--help").stdout;
    let commands = String::from_utf8(commands).unwrap();
    let commands = commands.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        if name != "help" && line.starts_with("  ") && !line.starts_with("   ") {
            text += &session.transcript(&format!("{name} --help"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn completions_know_every_command() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = session.run(&format!("completions {shell}")).stdout;
        let text = String::from_utf8(text).unwrap();
        for word in ["doctor", "--json"] {
            assert!(text.contains(word.trim_start_matches('-')), "{shell}: {word}");
        }
    }
}
