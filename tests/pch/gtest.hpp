// Compiled once a program, for test programs of many files: reading GoogleTest takes longer than compiling most of them.
// No include guard: it is always the main file.
#include <gtest/gtest.h>
