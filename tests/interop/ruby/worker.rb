# What a real Sidekiq process runs. It tells what it ran in the list `ran`, and ends with the test that started it.
require "sidekiq"
require "sidekiq/api"

# Debian's redis is newer than its Sidekiq.
Redis.silence_deprecations = true
Sidekiq.logger = Logger.new($stderr, level: Logger::ERROR)

Thread.new do
  $stdin.read
  Process.kill(:KILL, Process.pid)
end

# Tells of a job that ended well, with its payload as Sidekiq handed it over.
class Telling
  def call(_worker, job, queue)
    yield
    Sidekiq.redis { |redis| redis.rpush("ran", JSON.generate("job" => job, "queue" => queue)) }
  end
end

Sidekiq.configure_server do |config|
  config.options[:poll_interval_average] = 0.2
  config.server_middleware { |chain| chain.add Telling }
end

class RubyJob
  include Sidekiq::Job

  def perform(*)
  end
end

class RubyCounts
  include Sidekiq::Job

  def perform(n)
    Sidekiq.redis { |redis| redis.rpush("counted", n) }
  end
end

class RubyFails
  include Sidekiq::Job

  def perform(message)
    raise ArgumentError, message
  end
end

# Runs until the test puts something into the list `gate`.
class RubyWaits
  include Sidekiq::Job

  def perform
    Sidekiq.redis { |redis| redis.brpop("gate", timeout: 60) }
  end
end
