// Binary commands that are not about one key: noop, version, quit, flush, stat and the handshake of SASL.

#include <string>

#include "auth/authenticator.h"
#include "auth/sasl_plain.h"
#include "protocol/binary/opcodes.h"
#include "protocol/binary/parse.h"
#include "protocol/binary/write.h"
#include "worker/admin/binary_reply.h"
#include "worker/admin/jobs.h"
#include "worker/execute_binary.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using protocol::Command;
using protocol::Request;
using protocol::binary::Asked;
using protocol::binary::Status;

constexpr std::string_view kMechanism = "PLAIN";

}  // namespace

void Worker::execute_binary_admin(Connection& connection, const Request& request) noexcept {
  const protocol::binary::Args args = binary_args(request.extra());
  const Asked asked{.opcode = args.opcode, .opaque = args.opaque};
  const bool is_quiet = protocol::binary::facts_of(args.opcode).is_quiet;
  const auto reply = [&](std::string_view bytes) {
    connection.replies.append(memory_, bytes);
    want_send(connection);
  };
  const auto start = [&](std::unique_ptr<AdminJob> job) {
    job->round.noreply = is_quiet;
    job->round.reply = std::make_unique<BinaryReply>(asked);
    start_job(connection, std::move(job));
  };
  const auto done = [&] { reply(is_quiet ? std::string{} : text_reply(asked, Status::Ok, {})); };
  switch (request.command) {
    case Command::MetaNoop:
      done();
      return;
    case Command::Version:
      reply(text_reply(asked, Status::Ok, kVersionText));
      return;
    case Command::Quit:
      done();
      connection.is_closing = true;
      connection.blocked |= kBlockedByClose;
      return;
    case Command::FlushAll:
      ++counters_.cmd_flush;
      if (!shared_.flush_enabled) {
        reply(error_reply(asked, Status::AuthError));
      } else if (request.exptime == 0) {
        start(make_flush_job(now_s_));
      } else if (const store::Seconds at = expiry_of(request.exptime); at != store::kAlreadyExpired) {
        start(make_flush_job(at));
      } else {  // a date that has passed: nothing is flushed, as in memcached
        done();
      }
      return;
    case Command::Stats: {
      BinaryReply text(asked);
      if (request.key.starts_with("cachedump")) {  // a list of keys, which has no binary form
        reply(error_reply(asked, Status::NotFound));
      } else if (std::unique_ptr<AdminJob> job = answer_stats(request.key, workers_, shared_, text)) {
        start(std::move(job));
      } else {
        reply(text.take());
      }
      return;
    }
    case Command::SaslList:
      reply(text_reply(asked, Status::Ok, kMechanism));
      return;
    case Command::SaslAuth:
    case Command::SaslStep:
      reply(answer_sasl(connection, request, asked));
      return;
    default:
      break;
  }
  MR_UNREACHABLE();
}

/// PLAIN takes one message: with the mechanism's name, or behind it in a step. Whatever the connection was before, it
/// is authenticated afterwards only if this message says so.
std::string Worker::answer_sasl(Connection& connection, const Request& request, Asked asked) noexcept {
  MR_ASSERT(shared_.authenticator != nullptr);  // the session lets these commands through only then
  connection.session.deny();
  if (request.key == kMechanism && request.value.empty() && request.command == Command::SaslAuth) {
    return text_reply(asked, Status::AuthContinue, {});
  }
  ++counters_.auth_cmds;
  const auto message = request.key == kMechanism ? auth::read_sasl_plain(request.value) : std::nullopt;
  if (!message || !shared_.authenticator->admits(message->user, message->password)) {
    ++counters_.auth_errors;
    return error_reply(asked, Status::AuthError);
  }
  connection.session.admit();
  return text_reply(asked, Status::Ok, "Authenticated");
}

}  // namespace millrace::worker
