// Gives each file named, or in a folder named, to a fuzz target once: a corpus as a test, without libFuzzer. Says which
// file it was when one fails, and fails if there was none.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::string current_file;  // for the signal handler

void say_file(int signal) {
  constexpr char kWords[] = "fuzz: replaying ";
  (void)!write(STDERR_FILENO, kWords, sizeof kWords - 1);
  (void)!write(STDERR_FILENO, current_file.data(), current_file.size());
  (void)!write(STDERR_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void replay(const std::filesystem::path& path) {
  current_file = path.string();
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  // A copy of its exact size, never null, so that a sanitizer sees a read beyond it.
  std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  static const std::uint8_t kNothing = 0;
  LLVMFuzzerTestOneInput(exact.empty() ? &kNothing : exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, say_file);
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
        replay(entry.path());
        ++files;
      }
    } else {
      replay(argv[i]);
      ++files;
    }
  }
  if (files == 0) {
    std::fprintf(stderr, "fuzz: nothing to replay; name files or folders\n");
    return 1;
  }
  std::printf("fuzz: replayed %zu files\n", files);
  return 0;
}
