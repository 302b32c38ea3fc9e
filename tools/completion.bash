# Completion of sluice for bash (zsh: through bashcompinit). It reads what the command's own --help says.
_sluice()
{
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words

	if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ]; }; then
		words=$(sluice --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$word")
	elif [[ $word == -* ]]; then
		words=$(sluice "$command" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -o filenames -F _sluice sluice
