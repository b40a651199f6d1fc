#!/bin/sh
# Copies the notes to the other disk.
set -eu
cp -r notes /media/backup/
