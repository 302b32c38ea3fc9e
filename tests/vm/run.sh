#!/bin/sh
# run.sh [OPTION...] -- PROGRAM [ARGUMENT...]: run a program of this machine in a guest; `run.sh --help` lists the
# options, tests/vm/README.md explains them.
exec env PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "$0")/run.py" "$@"
