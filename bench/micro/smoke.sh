#!/bin/sh
# Runs a Google Benchmark; fails when it does, and when one of its benchmarks skipped itself with an error.
said=$("$@" 2>&1) || { echo "$said"; exit 1; }
echo "$said"
case $said in *"ERROR OCCURRED"*) exit 1 ;; esac
