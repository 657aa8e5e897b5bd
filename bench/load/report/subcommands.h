// `millrace-load compare` and `millrace-load merge`: what is done with results that are already there. Cold, main
// thread.
#pragma once

namespace millrace::load {

// Each takes its own words (the first is the subcommand's name) and returns the process's exit code: 0, 1 after an
// error that it has said, 2 after wrong usage.
int compare_command(int argc, const char* const* argv);
int merge_command(int argc, const char* const* argv);

}  // namespace millrace::load
