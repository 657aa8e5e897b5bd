// What -h, -V and -i print, made from options.def. Any thread; pure.
#pragma once

#include <string>

namespace millrace::config {

std::string help_text();
std::string version_text();
std::string license_text();

}  // namespace millrace::config
