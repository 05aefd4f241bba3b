# The files of an installation, laid out in a folder of their own. Sourced after lib.sh.
# shellcheck shell=bash

# stage FOLDER COMMAND LIBRARY COMPLETIONS_OF_ZSH: puts them below FOLDER as they lie below a prefix such as /usr/local.
# Modes are the same whatever the umask is: an installation is for all users.
stage() {
    local folder=$1 command=$2 lib=$3 zsh=$4 doc=$1/share/doc/glasspoll file
    install -d -m 755 "$folder"/{bin,lib/glasspoll,share/man/man1,"$zsh"} \
        "$folder/share/bash-completion/completions" "$folder/share/fish/vendor_completions.d" "$doc"
    install -m 755 "$command" "$folder/bin/glasspoll"
    install -m 644 "$lib" "$folder/lib/glasspoll/libglasspoll.so"
    # The page and the completions come from the command's own definition of its arguments.
    "$command" man >"$folder/share/man/man1/glasspoll.1"
    "$command" completions bash >"$folder/share/bash-completion/completions/glasspoll"
    "$command" completions zsh >"$folder/$zsh/_glasspoll"
    "$command" completions fish >"$folder/share/fish/vendor_completions.d/glasspoll.fish"
    # As in the sources, so that the links between the documents hold.
    for file in README.md DESIGN.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT; do
        install -m 644 "$root/$file" "$doc"
    done
    (cd "$root" && find docs scripts/report.png -type f -print0) | while IFS= read -r -d '' file; do
        install -D -m 644 "$root/$file" "$doc/$file"
    done
    find "$folder" -type d -exec chmod 755 {} +
    find "$folder/share" -type f -exec chmod 644 {} +
}
