#include "dataplane/dpdk/telemetry.h"

#include <rte_eal.h>
#include <rte_telemetry.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace millrace::dpdk {
namespace {

using dataplane::CounterKind;

/// What the commands look at; DPDK keeps their functions for ever, and calls them without saying for whom.
struct Subject {
  const Device& device;
  DeviceFacts facts;  ///< as they were at the start: a reset writes the device's own
  port::PortCapabilities capabilities;
  port::FramePort& first_queue;
  port::Capture& capture;
  std::span<const dataplane::CounterBoard> boards;
};

std::mutex subject_mutex;
std::optional<Subject> subject;

/// A dictionary of DPDK's, in an answer or to be put into one. Values longer than it takes are cut.
class Dict {
 public:
  explicit Dict(rte_tel_data* data) : data_(data) { rte_tel_data_start_dict(data); }

  void add(const char* name, const std::string& value) {
    rte_tel_data_add_dict_string(data_, name, value.substr(0, RTE_TEL_MAX_STRING_LEN - 1).c_str());
  }
  void add(const char* name, std::uint64_t value) { rte_tel_data_add_dict_u64(data_, name, value); }
  void add(const char* name, const std::vector<std::string>& values) {
    rte_tel_data* list = rte_tel_data_alloc();
    if (list == nullptr) {
      return;
    }
    rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
    for (const std::string& value : values) {
      rte_tel_data_add_array_string(list, value.substr(0, RTE_TEL_MAX_STRING_LEN - 1).c_str());
    }
    put(name, list);
  }
  /// Gives what lies in it to `fill`.
  template <typename Fill>
  void add_dict(const std::string& name, Fill&& fill) {
    if (rte_tel_data* inner = rte_tel_data_alloc(); inner != nullptr) {
      Dict dict(inner);
      fill(dict);
      put(name.c_str(), inner);
    }
  }

 private:
  void put(const char* name, rte_tel_data* inner) {
    if (rte_tel_data_add_dict_container(data_, name, inner, 0) != 0) {
      rte_tel_data_free(inner);
    }
  }

  rte_tel_data* data_;
};

int refuse(rte_tel_data* answer, const std::string& sentence) {
  Dict(answer).add("error", sentence);
  return 0;
}

std::string mac_text(const port::MacBytes& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

const char* link_text(port::LinkState link) {
  switch (link) {
    case port::LinkState::Up:
      return "up";
    case port::LinkState::Down:
      return "down";
    case port::LinkState::Removed:
      return "removed";
  }
  return "?";
}

int tell_ports(const Subject& of, std::string_view, rte_tel_data* answer) {
  Dict(answer).add_dict("port_0", [&](Dict& port) {
    const DeviceFacts& facts = of.facts;
    port.add("name", facts.name);
    port.add("driver", facts.driver);
    port.add("link", std::string(link_text(of.first_queue.link())));
    port.add("mac", mac_text(of.capabilities.mac));
    port.add("mtu", std::uint64_t{of.capabilities.mtu});
    port.add("queues", std::uint64_t{facts.queues});
    port.add("rx_descriptors", std::uint64_t{facts.rx_descriptors});
    port.add("tx_descriptors", std::uint64_t{facts.tx_descriptors});
    port.add("buffers_per_queue", std::uint64_t{facts.buffers});
    port.add("buffers_outstanding", std::uint64_t{of.device.mbufs_outstanding()});
    port.add("rss_entries", std::uint64_t{facts.rss.table.size()});
    if (facts.node) {
      port.add("numa_node", std::uint64_t{*facts.node});
    }
    for (std::size_t i = 0; i < facts.notes.size(); ++i) {
      port.add(("note_" + std::to_string(i)).c_str(), facts.notes[i]);
    }
  });
  return 0;
}

/// Nothing: of all workers.
Result<std::optional<std::size_t>> read_worker(const Subject& of, std::string_view word) {
  if (word.empty()) {
    return std::nullopt;
  }
  std::size_t worker = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), worker);
  if (error != std::errc{} || end != word.data() + word.size() || worker >= of.boards.size()) {
    return fail("a worker is a number from 0 to " + std::to_string(of.boards.size() - 1) + ", or left out");
  }
  return worker;
}

/// Of drops and the stack's counters only those that are not 0: there are many, and an answer is bounded.
template <CounterKind Wanted>
int tell_counters(const Subject& of, std::string_view word, rte_tel_data* answer) {
  const auto wanted = read_worker(of, word);
  if (!wanted) {
    return refuse(answer, wanted.error().what);
  }
  Dict all(answer);
  for (std::size_t worker = 0; worker < of.boards.size(); ++worker) {
    if (*wanted && **wanted != worker) {
      continue;
    }
    all.add_dict((Wanted == CounterKind::Queue ? "queue_" : "worker_") + std::to_string(worker), [&](Dict& one) {
      of.boards[worker].read([&](CounterKind kind, std::string_view name, std::uint64_t value) {
        if (kind == Wanted && (value != 0 || kind == CounterKind::Queue)) {
          one.add(std::string(name).c_str(), value);
        }
      });
    });
  }
  return 0;
}

int tell_capture(const Subject& of, std::string_view, rte_tel_data* answer) {
  const port::CaptureStatus status = of.capture.status();
  Dict dict(answer);
  dict.add("running", std::uint64_t{status.is_running ? 1U : 0U});
  dict.add("end", status.end);
  dict.add("frames", status.frames);
  dict.add("bytes", status.bytes);
  dict.add("dropped", status.dropped);
  dict.add("directory", status.directory);
  dict.add("files", status.files);
  return 0;
}

int start_capture(const Subject& of, std::string_view words, rte_tel_data* answer) {
  const auto request = port::CaptureRequest::parse(words);
  if (!request) {
    return refuse(answer, request.error().what);
  }
  if (const auto started = of.capture.start(*request); !started) {
    return refuse(answer, started.error().what);
  }
  return tell_capture(of, {}, answer);
}

int stop_capture(const Subject& of, std::string_view, rte_tel_data* answer) {
  return of.capture.stop() ? tell_capture(of, {}, answer) : refuse(answer, "capture: none is running");
}

template <auto Tell>
int command(const char*, const char* words, rte_tel_data* answer) noexcept {
  const std::lock_guard lock(subject_mutex);
  if (!subject) {
    return refuse(answer, "the server is ending");
  }
  return Tell(*subject, words == nullptr ? std::string_view() : std::string_view(words), answer);
}

void register_commands() {
  static const bool is_done = [] {
    rte_telemetry_register_cmd("/millrace/ports", command<tell_ports>, "The device. Takes no parameters.");
    rte_telemetry_register_cmd("/millrace/queues", command<tell_counters<CounterKind::Queue>>,
                               "Counters of each queue. Parameters: int worker (optional)");
    rte_telemetry_register_cmd("/millrace/drops", command<tell_counters<CounterKind::Drop>>,
                               "Frames dropped, by worker and reason. Parameters: int worker (optional)");
    rte_telemetry_register_cmd("/millrace/stack", command<tell_counters<CounterKind::Stack>>,
                               "What the network stack did, by worker. Parameters: int worker (optional)");
    rte_telemetry_register_cmd("/millrace/capture/start", command<start_capture>,
                               "Writes frames to pcapng files. Parameters: DIR[,FRAMES[,BYTES[,SECONDS[,SNAP]]]]");
    rte_telemetry_register_cmd("/millrace/capture/stop", command<stop_capture>, "Ends it. Takes no parameters.");
    rte_telemetry_register_cmd("/millrace/capture/status", command<tell_capture>, "Takes no parameters.");
    return true;
  }();
  static_cast<void>(is_done);
}

}  // namespace

Telemetry::Telemetry(Device& device, port::Capture& capture, std::span<const dataplane::CounterBoard> boards) {
  {
    const std::lock_guard lock(subject_mutex);
    subject.emplace(Subject{.device = device,
                            .facts = device.facts(),
                            .capabilities = device.port(0).capabilities(),
                            .first_queue = device.port(0),
                            .capture = capture,
                            .boards = boards});
  }
  register_commands();
}

Telemetry::~Telemetry() {
  const std::lock_guard lock(subject_mutex);
  subject.reset();
}

std::string Telemetry::socket_path() { return std::string(rte_eal_get_runtime_dir()) + "/dpdk_telemetry.v2"; }

}  // namespace millrace::dpdk
