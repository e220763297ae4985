# SPDX-License-Identifier: GPL-2.0-only
# Completion for fish. What there is, the program's own help says.

function __xdp_lb_verbs
    xdp-lb --help 2>/dev/null | string match -rg '^  ([a-z-]+(?: [a-z]+)?)  +(.*)' | paste - -
end

# What a value or parameter of this name may be.
function __xdp_lb_kind
    switch "$argv"
        case '*IFNAME*'
            ls /sys/class/net
        case '*FILE*' '*OBJECT*' '*PATH*'
            __fish_complete_path (commandline -ct)
    end
end

# What an option's value may be: one of drop|pass, or some of the list that help has below its name,
# with commas.
function __xdp_lb_value -a value
    set -l help $argv[2..]
    set -l before (string replace -r '[^,]*$' '' -- (commandline -ct))
    set -l from (contains -i -- "$value:" $help)
    if string match -q '*|*' -- $value
        string split '|' -- $value | string match -r '^[a-z].*'
    else if test -n "$from"
        for line in $help[(math $from + 1)..]
            string match -q '  *' -- $line; or break
            echo "$before"(string match -rg '^  (\S+)' -- $line)
        end
    else
        __xdp_lb_kind $value
    end
end

function __xdp_lb_complete
    set -l words (commandline -opc)[2..]
    set -l verbs (__xdp_lb_verbs)
    if not set -q words[1]
        string match -rv '^\S+ ' -- $verbs
        string match -rg '^(\S+) ' -- $verbs | sort -u
        return
    end
    set -l verb $words[1]
    if string match -qr "^$verb " -- $verbs
        if not set -q words[2]
            string replace -rf "^$verb " '' -- $verbs
            return
        end
        set verb $words[1..2]
    end
    set -l help (xdp-lb $verb --help 2>/dev/null); or return
    set -l value (string match -rg "^  (?:-. \[ )?$words[-1](?: \])?(?: \[ --[a-z-]+ \])? ([A-Za-z]\S*)" -- $help)
    if string match -q -- '-*' $words[-1]; and test -n "$value"
        __xdp_lb_value $value $help
    else if string match -q -- '-*' (commandline -ct)
        string match -rg '^  (?:(-.) \[ )?(--[a-z-]+)' -- $help | string match -r -- '^-.*'
    else
        __xdp_lb_kind (string match -rg '^Usage:.*OPTION...\](.*)' -- $help)
    end
end

complete -c xdp-lb -f -a '(__xdp_lb_complete)'
