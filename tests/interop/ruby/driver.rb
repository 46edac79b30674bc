# Evaluates the Ruby of a test beside Sidekiq's client and API. Each line of standard input is {"code": ..., "args": ...}; each
# line of standard output is {"ok": value} or {"error": message}. `a` holds the arguments.
require "sidekiq"
require "sidekiq/api"

# Debian's redis is newer than its Sidekiq.
Redis.silence_deprecations = true
Sidekiq.logger = Logger.new($stderr, level: Logger::WARN)
replies = $stdout.dup
replies.sync = true
$stdout = $stderr

# Classes that are pushed here and run in Rust.
class RustJob
  include Sidekiq::Job
end

# All that worker.rb wrote to a list.
def list(name)
  Sidekiq.redis { |redis| redis.lrange(name, 0, -1) }.map { |item| JSON.parse(item) }
end

# A job in JSON, as the API shows it, whichever set or queue it is from.
def shown(record)
  record && {
    "class" => record.klass, "args" => record.args, "jid" => record.jid, "queue" => record.queue, "tags" => record.tags,
    "created_at" => record.created_at.to_f, "enqueued_at" => record.enqueued_at&.to_f, "item" => record.item,
    "backtrace" => record.error_backtrace, "at" => record.respond_to?(:at) ? record.at.to_f : nil
  }
end

def evaluate(code, a)
  eval(code, binding)
end

$stdin.each_line do |line|
  request = JSON.parse(line)
  reply = begin
    {"ok" => evaluate(request["code"], request["args"])}
  rescue Exception => error
    {"error" => error.full_message(highlight: false)}
  end
  replies.puts JSON.generate(reply)
end
