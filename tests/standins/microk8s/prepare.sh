#!/bin/sh
# Puts the stand-in into a machine that sees this directory: its `snap` comes before a real one on PATH.
set -eu
ln -sf "$(dirname "$(readlink -f "$0")")/snap" /usr/local/bin/snap
