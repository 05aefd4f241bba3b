//! Completion scripts and the man page, from the same source as the command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory};
use clap_mangen::roff::{bold, italic, roman, Inline, Roff};

use crate::args::manual;
use crate::args::{Args, Completions};

pub fn completions(args: &Completions) -> Result<ExitCode, String> {
    clap_complete::generate(args.shell, &mut Args::command(), "glasspoll", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}

pub fn man() -> Result<ExitCode, String> {
    print(&mut io::stdout().lock()).map_err(|error| format!("stdout: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut dyn Write) -> io::Result<()> {
    let command = Args::command();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    // The names of the arguments as `--help` has them.
    let mut command = command;
    command.build();
    let commands: Vec<&Command> =
        command.get_subcommands().filter(|each| each.get_name() != "help" && !each.is_hide_set()).collect();
    for (at, each) in commands.iter().enumerate() {
        if at != 0 {
            roff.control("br", []);
        }
        roff.text(usage(each));
    }
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman("glasspoll runs a program on an epoll of its own, inside the program, and shows what goes on in it: \
        which file became ready when, how long it sat on the ready list, and what the event loop did meanwhile. It \
        needs neither root nor a rebuild. Every process that runs so keeps a record of its last events in memory.")]);
    roff.control("PP", []).text([roman(manual::NOTES)]);
    roff.control("SH", ["COMMANDS"]);
    for each in commands {
        subcommand(&mut roff, each);
    }
    for (title, terms) in manual::SECTIONS {
        roff.control("SH", [title]);
        for (term, text) in terms {
            roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("epoll"), roman("(7), "), bold("strace"), roman("(1), "), bold("ld.so"), roman("(8)")]);
    roff.to_writer(out)
}

/// `glasspoll run [OPTIONS] -- <PROGRAM>...`
fn usage(command: &Command) -> Vec<Inline> {
    let text = command.clone().render_usage().to_string();
    let text = text.trim_start_matches("Usage:").trim();
    let name = format!("glasspoll {}", command.get_name());
    match text.strip_prefix(&name) {
        Some(rest) => vec![bold(name), roman(rest)],
        None => vec![roman(text)],
    }
}

fn subcommand(roff: &mut Roff, command: &Command) {
    roff.control("SS", [format!("glasspoll {}", command.get_name()).as_str()]);
    roff.text([roman(format!("{}.", command.get_about().map(ToString::to_string).unwrap_or_default()))]);
    for argument in command.get_arguments().filter(|argument| !is_common(argument)) {
        roff.control("TP", []).text(name(argument));
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = argument.get_default_values().first().filter(|_| argument.get_action().takes_values());
        if let Some(default) = default {
            help += &format!(" (default: {})", default.to_string_lossy());
        }
        roff.text([roman(help)]);
    }
    if let Some(more) = command.get_after_long_help() {
        roff.control("PP", []).control("nf", []);
        for line in more.to_string().lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
}

/// An option that every command has is not listed for each.
fn is_common(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

/// `-o, --output FILE`
fn name(argument: &Arg) -> Vec<Inline> {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let options: Vec<String> = short.into_iter().chain(long).collect();
    let mut text = vec![bold(options.join(", "))];
    if argument.get_action().takes_values() {
        let names = argument.get_value_names().unwrap_or_default();
        let values: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        text.push(roman(if options.is_empty() { "" } else { " " }));
        text.push(italic(values.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_command_and_option() {
        let mut page = Vec::new();
        print(&mut page).expect("memory");
        let page = String::from_utf8(page).expect("UTF-8").replace("\\-", "-");
        let mut command = Args::command();
        command.build();
        for each in command.get_subcommands() {
            assert!(
                each.get_name() == "help"
                    || each.is_hide_set()
                    || page.contains(&format!("glasspoll {}", each.get_name()))
            );
            for long in each.get_arguments().filter(|argument| !is_common(argument)).filter_map(Arg::get_long)
            {
                assert!(page.contains(&format!("--{long}")), "--{long}");
            }
        }
    }
}
