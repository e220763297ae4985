# SPDX-License-Identifier: GPL-2.0-only
# Completion for bash. What there is, the program's own help says.

# _xdp_lb_kind TEXT: offers what a value or parameter of this name may be.
_xdp_lb_kind() {
  case $1 in
    *IFNAME*) mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net)" -- "$word") ;;
    *FILE* | *OBJECT* | *PATH*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  esac
}

# _xdp_lb_value VALUE: what an option's value may be: one of drop|pass, or some of the list that
# help has below its name, with commas.
_xdp_lb_value() {
  local list before=${word%"${word##*,}"}
  list=$(sed -n "/^$1:\$/,/^\$/s/^  \([^ ]*\).*/\1/p" <<<"$help")
  if [[ $1 == *"|"* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(tr '|' '\n' <<<"$1" | grep '^[a-z]')" -- "$word")
  elif [ -n "$list" ]; then
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$list" -- "${word##*,}")
  else
    _xdp_lb_kind "$1"
  fi
}

_xdp_lb() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local verbs verb=${COMP_WORDS[1]} at=1 help value
  COMPREPLY=()
  verbs=$(xdp-lb --help 2>/dev/null | sed -nE 's/^  ([a-z-]+( [a-z]+)?)  +.*/\1/p')
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(cut -d ' ' -f 1 <<<"$verbs" | sort -u)" -- "$word")
    return
  fi
  if grep -q "^$verb " <<<"$verbs"; then
    at=2
    if ((COMP_CWORD == 2)); then
      mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^$verb //p" <<<"$verbs")" -- "$word")
      return
    fi
  fi
  help=$(xdp-lb "${COMP_WORDS[@]:1:at}" --help 2>/dev/null) || return 0
  value=$(sed -nE "s/^  (-. \[ )?$before( \])?( \[ --[a-z-]+ \])? ([A-Za-z][^ ]*).*/\4/p" <<<"$help")
  if [[ $before == -* && -n $value ]]; then
    _xdp_lb_value "$value"
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -nE \
      's/^  (-.) \[ (--[a-z-]+) \].*/\1 \2/p; s/^  (--[a-z-]+).*/\1/p' <<<"$help")" -- "$word")
  else
    _xdp_lb_kind "$(sed -n 's/^Usage:.*OPTION...\]//p' <<<"$help")"
  fi
}
complete -o filenames -F _xdp_lb xdp-lb
