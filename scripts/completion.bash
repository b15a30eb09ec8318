# bash completion for the commands that `make install` puts below @PREFIX@.
# What there is to complete, each command's --help says.

# The options, or the verbs, of the --help on standard input.
_unixipc_options()
{
	sed -nE 's/^ +(-., +)?(--[a-z][a-z0-9-]*=?).*/\2/p'
}

_unixipc_verbs()
{
	sed -nE '/^(Commands|Verbs)/,/^$/s/^  ([a-z-]+) .*/\1/p'
}

_unixipc()
{
	local word=${COMP_WORDS[COMP_CWORD]} command help verbs verb='' i

	COMPREPLY=()
	command=$(type -P -- "${COMP_WORDS[0]}") &&
		command=$(realpath -- "$command") || return 0
	case $command in
	@PREFIX@/bin/ipc_suite | @PREFIX@/libexec/unixipc/*) ;;
	*) return 0 ;; # somebody else's, of that name: it is not run
	esac
	help=$("$command" --help 2>/dev/null </dev/null)
	verbs=$(_unixipc_verbs <<<"$help")
	for ((i = 1; i < COMP_CWORD && ${#verb} == 0; i++)); do
		[[ $'\n'$verbs$'\n' != *$'\n'"${COMP_WORDS[i]}"$'\n'* ]] ||
			verb=${COMP_WORDS[i]}
	done
	if [[ $word == -* ]]; then
		[[ -z $verb || $help != *'(each has --help)'* ]] ||
			help=$("$command" "$verb" --help 2>/dev/null </dev/null)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_unixipc_options <<<"$help")" -- "$word")
		[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] ||
			compopt -o nospace 2>/dev/null
	elif [[ -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
	fi
	return 0
}

# Where there is nothing of ours, names of files.
complete -o default -F _unixipc @COMMANDS@
