// What is removed: the file of a socket that no process has. Nothing else.
#include "base/stale_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace {
namespace {

using ::testing::HasSubstr;

class StaleSocket : public ::testing::Test {
 protected:
  StaleSocket() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace_stale_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~StaleSocket() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  static int bind_to(const std::string& path, int kind) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, kind | SOCK_NONBLOCK, 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
    return fd;
  }

  std::filesystem::path folder_;
};

class StaleSocketOfAKind : public StaleSocket, public ::testing::WithParamInterface<int> {};

TEST_P(StaleSocketOfAKind, GoesWhenNobodyHasItAnyMore) {
  EXPECT_FALSE(has_owner(path("s")));
  close(bind_to(path("s"), GetParam()));
  ASSERT_TRUE(std::filesystem::exists(path("s")));
  EXPECT_FALSE(has_owner(path("s")));
  EXPECT_TRUE(remove_stale_socket(path("s")));
  EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_P(StaleSocketOfAKind, StaysWhileAProcessHasIt) {
  const int fd = bind_to(path("s"), GetParam());
  for (const bool is_listening : {false, true}) {
    if (is_listening && GetParam() != SOCK_DGRAM) {
      ASSERT_EQ(listen(fd, 1), 0);
    }
    EXPECT_TRUE(has_owner(path("s")));
    const auto removed = remove_stale_socket(path("s"));
    ASSERT_FALSE(removed);
    EXPECT_THAT(removed.error().what, HasSubstr("another process does already"));
    EXPECT_TRUE(std::filesystem::exists(path("s")));
  }
  if (GetParam() != SOCK_DGRAM) {  // and has not seen anybody
    EXPECT_EQ(accept(fd, nullptr, nullptr), -1);
  }
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StaleSocketOfAKind, ::testing::Values(SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM));

TEST_F(StaleSocket, OtherThingsStay) {
  std::ofstream(path("file")) << "text";
  std::filesystem::create_directory(path("folder"));
  close(bind_to(path("s"), SOCK_STREAM));
  std::filesystem::create_symlink(path("s"), path("link"));
  for (const char* name : {"file", "folder", "link"}) {
    const auto removed = remove_stale_socket(path(name));
    ASSERT_FALSE(removed) << name;
    EXPECT_THAT(removed.error().what, HasSubstr("is no socket"));
    EXPECT_TRUE(std::filesystem::exists(path(name)));
  }
  EXPECT_TRUE(remove_stale_socket(path("nothing")));
  EXPECT_TRUE(remove_stale_socket(path("no/folder")));
}

}  // namespace
}  // namespace millrace
